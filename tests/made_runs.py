"""Small data and models for the tests that train."""

import torch

import d2lib as d2l


def linear_data(**options) -> d2l.SyntheticRegressionData:
    return d2l.SyntheticRegressionData([1.5, -2.0, 0.8], 3.0, **{"seed": 0} | options)


def scratch(lr: float = 0.03) -> d2l.LinearRegressionScratch:
    torch.manual_seed(1)
    return d2l.LinearRegressionScratch(3, lr)


class Table(d2l.DataModule):
    """Given rows in batches of `batch_size`; the validation rows may be absent."""

    def __init__(self, train: tuple, val: tuple | None = None, batch_size: int = 4):
        super().__init__()
        self.save_hyperparameters()
        self.rows = {True: train, False: val}

    def get_dataloader(self, train):
        tensors = self.rows[train]
        return None if tensors is None else self.get_tensorloader(tensors, train)


class Given(d2l.DataModule):
    """Given loaders, whatever they are."""

    def __init__(self, train, val=None):
        super().__init__()
        self.loaders = {True: train, False: val}

    def get_dataloader(self, train):
        return self.loaders[train]

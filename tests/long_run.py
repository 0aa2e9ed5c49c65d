"""A run with all that a checkpoint must keep: `python long_run.py FOLDER [--resume] [--die EPOCH]`.

Dropout, batch norm, AdamW, a schedule, and orders from a generator of the data's own. It leaves its
weights and its history in FOLDER; under torchrun the first process does. With `--plain` the network
has only what several processes compute as one does; with `--die` the last process kills itself.
"""

import argparse
import os
import signal
from pathlib import Path

import torch
from torch import nn

import d2lib as d2l


class Net(d2l.Classifier):
    def __init__(self, lr=0.02, plain=False):
        super().__init__()
        self.save_hyperparameters()
        between = [] if plain else [nn.Dropout(0.5), nn.BatchNorm1d(32)]
        self.net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), *between, nn.Linear(32, 4))

    def configure_optimizers(self):
        if self.plain:
            return torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9)
        return torch.optim.AdamW(self.parameters(), lr=self.lr)


class Data(d2l.DataModule):
    """Batches of 25; the last of 101 rows has one row, fewer than there are processes."""

    def __init__(self, num_train):
        super().__init__()
        self.save_hyperparameters()
        generator = torch.Generator().manual_seed(1)
        self.X = torch.randn(num_train + 50, 8, generator=generator)
        self.y = torch.randint(4, (num_train + 50,), generator=generator)
        self.generator = generator

    def get_dataloader(self, train):
        rows = slice(0, self.num_train) if train else slice(self.num_train, None)
        dataset = torch.utils.data.TensorDataset(self.X[rows], self.y[rows])
        return d2l.TensorLoader(dataset, 25, train, generator=self.generator)


class OneCycle:
    def __call__(self, optimizer, steps):
        return torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.05, total_steps=steps)


class Trainer(d2l.Trainer):
    die = None

    def end_epoch(self, started):
        super().end_epoch(started)
        if self.die == self.epoch + 1 and self.processes.rank == self.processes.size - 1:
            os.kill(os.getpid(), signal.SIGKILL)


def run(folder, *, resume=False, die=None, plain=False, max_epochs=6, **model):
    torch.manual_seed(0)
    net = Net(plain=plain, **model)
    schedule = None if plain else OneCycle()
    path = None if folder is None else Path(folder, "run.pt")
    trainer = Trainer(max_epochs, seed=3, schedule=schedule, checkpoint=path)
    trainer.die = die
    return net, trainer.fit(net, Data(101 if plain else 110), resume=resume)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--die", type=int)
    options = vars(parser.parse_args())
    net, history = run(**options)
    if int(os.environ.get("RANK", "0")) == 0:
        torch.save(net.state_dict(), options["folder"] / "weights.pt")
        history.save(options["folder"] / "history.json")

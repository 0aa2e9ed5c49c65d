"""What a Trainer relies on, broken in the ways that happen, and what it says then."""

import math

import numpy as np
import pytest
import torch
from made_runs import Given, Table, linear_data, scratch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import d2lib as d2l


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    monkeypatch.setattr("d2lib.board.LIVE", False)


X, Y = torch.randn(8, 3, generator=torch.Generator().manual_seed(0)), torch.zeros(8, 1)


@pytest.mark.parametrize("model", [d2l.LinearRegressionScratch(3, 0.1), d2l.LinearRegression(0.1)])
def test_shapes_that_would_broadcast_are_refused(model):
    X, y = torch.randn(8, 3), torch.randn(8)
    with pytest.raises(ValueError, match=r"predictions have shape \(4, 1\) but labels \(4,\)"):
        d2l.Trainer(1).fit(model, Table((X, y)))


def test_a_model_without_parameters_is_told():
    class Empty(d2l.Module):
        def __init__(self):
            super().__init__()
            self.lr, self.net = 0.1, nn.Identity()

    with pytest.raises(ValueError, match="Empty has no parameters to train"):
        d2l.Trainer(1).fit(Empty(), linear_data())
    with pytest.raises(ValueError, match="SGD got no parameters"):
        d2l.SGD([], 0.1)


def test_a_loader_without_batches_is_told():
    with pytest.raises(ValueError, match=r"train_dataloader\(\) returned a loader without batches"):
        d2l.Trainer(1).fit(scratch(), linear_data(num_train=0))


def test_a_validation_loader_without_batches_is_told():
    empty = torch.zeros(0, 3), torch.zeros(0, 1)
    with pytest.raises(ValueError, match=r"val_dataloader\(\) .*for no validation, return None"):
        d2l.Trainer(1).fit(scratch(), Table((torch.zeros(8, 3), torch.zeros(8, 1)), empty))


def test_a_generator_is_no_loader():
    class Dry(Table):
        def get_dataloader(self, train):
            return (batch for batch in [])

    with pytest.raises(TypeError, match="returned a generator, which has no length"):
        d2l.Trainer(1).fit(scratch(), Dry(()))


def test_a_device_that_is_not_there_is_told():
    with pytest.raises(ValueError, match=r"device 'xpu:7' is not there \(.*\); say 'cpu'"):
        d2l.Trainer(1, device="xpu:7")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_device_number_zero_is_a_gpu():
    with pytest.raises(ValueError, match="device '0' is not there"):
        d2l.Trainer(1, device=0)


@pytest.mark.skipif(torch.accelerator.is_available(), reason="there is a GPU")
def test_gpus_asked_for_in_vain_are_told():
    with pytest.warns(UserWarning, match="num_gpus=1, but PyTorch finds none: using the CPU"):
        assert d2l.Trainer(1, num_gpus=1).device == torch.device("cpu")


def test_measuring_without_a_trainer_is_told():
    with pytest.raises(RuntimeError, match=r"LinearRegressionScratch\.plot needs a trainer"):
        scratch().training_step((torch.randn(4, 3), torch.randn(4, 1)))


@pytest.mark.parametrize(
    ("call", "lacks"),
    [
        (lambda m: m.loss(1, 2), r"Module needs a method loss\(y_hat, y\)"),
        (lambda m: m(torch.zeros(1)), "Module needs an attribute net, or forward"),
        (lambda m: d2l.DataModule().train_dataloader(), r"DataModule needs .*get_dataloader"),
    ],
)
def test_what_a_class_lacks_is_named(call, lacks):
    with pytest.raises(NotImplementedError, match=lacks):
        call(d2l.Module())


def test_advice_on_too_few_rows_is_for_their_loader():
    few = DataLoader(TensorDataset(X, Y), 16, drop_last=True)
    with pytest.raises(ValueError, match=r"train_dataloader\(\) .*drops its 8 rows, less") as told:
        d2l.Trainer(1).fit(scratch(), Given(few))
    assert "validation" not in str(told.value)
    full = d2l.TensorLoader(TensorDataset(X, Y), 4)
    with pytest.raises(ValueError, match=r"val_dataloader\(\) .*drops its 8 .*no validation"):
        d2l.Trainer(1).fit(scratch(), Given(full, few))
    with pytest.raises(ValueError, match=r"train_dataloader\(\) returned None"):
        d2l.Trainer(1).fit(scratch(), Given(None))


class Lying:
    """A loader of batches of its own number, whatever its length says; perhaps only once."""

    def __init__(self, promised, given, once=False):
        self.promised, self.given, self.once = promised, given, once

    def __len__(self):
        return self.promised

    def __iter__(self):
        given = self.given
        if self.once:
            self.given = 0
        step = 0
        while step < given:
            yield X[:4], Y[:4]
            step += 1


HONEST = d2l.TensorLoader(TensorDataset(X, Y), 4)


@pytest.mark.parametrize(
    ("loaders", "told"),
    [
        ((Lying(1, 1, once=True),), "train_dataloader.* 1 batches .* gave 0 in epoch 2"),
        ((Lying(3, 2),), "train_dataloader.* 3 batches .* gave 2 in epoch 1"),
        ((Lying(2, 3),), "train_dataloader.* 2 batches .* more than 2 in epoch 1"),
        ((Lying(2, 100),), "train_dataloader.* 2 batches .* more than 2 in epoch 1"),
        ((HONEST, Lying(2, 2, once=True)), "val_dataloader.* 2 batches .* gave 0 in epoch 2"),
        ((HONEST, Lying(2, 1)), "val_dataloader.* 2 batches .* gave 1 in epoch 1"),
        ((HONEST, Lying(2, 100)), "val_dataloader.* 2 batches .* more than 2 in epoch 1"),
    ],
)
def test_a_loader_is_held_to_its_length(loaders, told):
    with pytest.raises(ValueError, match=told):
        d2l.Trainer(3).fit(scratch(), Given(*loaders))


def test_a_loop_of_ones_own_is_told_of_an_epoch_that_read_nothing():
    class Short(d2l.Trainer):
        def fit_epoch(self):
            for number, batch in enumerate(self.train_dataloader):
                if number == 2:  # leaves the rest of the epoch: a reader's right
                    break
                self.model.training_step(self.prepare_batch(batch)).backward()
                self.train_batch_idx += 1

    assert len(Short(3).fit(scratch(), linear_data()).steps["train_loss"]) == 6
    with pytest.raises(ValueError, match=r"train_dataloader.* gave 0 in epoch 2: return what"):
        Short(3).fit(scratch(), Given(Lying(1, 1, once=True)))


@pytest.mark.parametrize(
    ("batch", "told"),
    [
        (X, r"gave a Tensor of shape \(8, 3\)"),
        ({"x": X, "y": Y}, "gave a dict"),
        ((), "gave a tuple"),
        ((X, None), "a tuple whose part 1 is a NoneType"),
        ([X.numpy(), Y.numpy()], "a list whose part 0 is a ndarray"),
        (((X, X), Y), "a tuple whose part 0 is a tuple"),
        ((X, torch.tensor(1.0)), "whose labels are a single number"),
        ((X[:0], Y[:0]), "one without rows"),
        ((X, Y[:7]), "whose parts have 8, 7 rows"),
        ((X, X[:1], Y), "whose parts have 8, 1, 8 rows"),
    ],
)
def test_what_is_no_batch_is_refused(batch, told):
    for loaders in ([[batch]], [HONEST, [batch]]):
        with pytest.raises((TypeError, ValueError), match=told) as error:
            d2l.Trainer(1).fit(scratch(), Given(*loaders))
        assert "override Trainer.prepare_batch" in str(error.value)


def test_a_bare_tensor_is_refused_from_pytorchs_loader_too():
    class First(d2l.LinearRegressionScratch):
        def training_step(self, batch):
            loss = self.loss(self(batch[0]), Y[:1])
            self.plot("loss", loss, train=True)
            return loss

    with pytest.raises(TypeError, match=r"the loader gave a Tensor of shape \(4, 3\): load tuples"):
        d2l.Trainer(1).fit(First(3, 0.1), Given(DataLoader(X, 4)))


def test_other_batches_come_through_the_hook():
    class Dicts(d2l.Trainer):
        def prepare_batch(self, batch):
            return super().prepare_batch((batch["x"], batch["y"]))

    history = Dicts(1).fit(scratch(), Given([{"x": X[:6], "y": Y[:6]}, {"x": X[6:], "y": Y[6:]}]))
    assert len(history.steps["train_loss"]) == 2


@pytest.mark.parametrize(
    "batch", [(X, Y), [X, Y], (X, torch.tensor(0.5), Y), (torch.zeros(8), X, Y)]
)
def test_what_is_a_batch_is_taken(batch):
    assert len(d2l.Trainer(1, device="cpu").prepare_batch(batch)) == len(batch)


@pytest.mark.parametrize(
    ("returned", "told"),
    [
        (lambda loss: None, "training_step returned None: it must return the loss"),
        (lambda loss: loss.item(), r"returned a float: return the loss as a tensor"),
        (lambda loss: loss.expand(4), r"returned shape \(4,\): return one number"),
        (lambda loss: loss.detach(), "depends on no parameter"),
    ],
)
def test_what_is_no_loss_is_refused(returned, told):
    class Model(d2l.LinearRegression):
        def training_step(self, batch):
            return returned(super().training_step(batch))

    with pytest.raises((TypeError, ValueError), match=told) as error:
        d2l.Trainer(1).fit(Model(0.1), linear_data())
    assert "Model.training_step" in str(error.value)


@pytest.mark.parametrize(
    ("optim", "told"),
    [(None, "returned None: it must return an optimizer"), ([], "returned a list: return one")],
)
def test_what_is_no_optimizer_is_refused(optim, told):
    class Model(d2l.LinearRegression):
        def configure_optimizers(self):
            return optim

    with pytest.raises(TypeError, match=f"configure_optimizers {told}"):
        d2l.Trainer(1).fit(Model(0.1), linear_data())


def test_a_schedule_that_returns_nothing_is_refused():
    def forgets(optim, steps):
        torch.optim.lr_scheduler.ConstantLR(optim)

    with pytest.raises(TypeError, match="forgets returned None: it must return a scheduler"):
        d2l.Trainer(1, schedule=forgets).fit(d2l.LinearRegression(0.1), linear_data())


@pytest.mark.parametrize("epochs", [0, -1, 2.0, "3", None, math.inf])
def test_epochs_are_a_whole_number(epochs):
    with pytest.raises(ValueError, match=f"max_epochs is {epochs!r}: give a whole number"):
        d2l.Trainer(epochs)
    trainer = d2l.Trainer(1)
    trainer.max_epochs = epochs
    with pytest.raises(ValueError, match="max_epochs is"):
        trainer.fit(scratch(), linear_data())


def test_a_whole_number_of_any_kind_will_do():
    for epochs in (np.int64(2), torch.tensor(2)):
        assert len(d2l.Trainer(epochs).fit(scratch(), linear_data())["val_loss"]) == 2


class NoModule(d2l.Module):
    def __init__(self):
        self.lr = 0.1


class NoTrainer(d2l.Trainer):
    def __init__(self, epochs):
        self.max_epochs = epochs


@pytest.mark.parametrize(
    ("trainer", "model", "told"),
    [
        (d2l.Trainer(1), NoModule(), r"NoModule has no 'board': .* super\(\).__init__\(\)"),
        (NoTrainer(1), scratch(), r"NoTrainer has no 'device': .*super\(\).__init__\(max_epochs\)"),
    ],
)
def test_a_constructor_that_calls_no_other_is_named(trainer, model, told):
    with pytest.raises(AttributeError, match=told):
        trainer.fit(model, linear_data())


@pytest.mark.parametrize(
    ("model", "data", "told"),
    [
        (d2l.LinearRegression, linear_data(), "the class LinearRegression as model"),
        (nn.Linear(3, 1), linear_data(), "a Linear as model"),
        (linear_data(), scratch(), "a SyntheticRegressionData as model"),
        (scratch(), HONEST, "a TensorLoader as data: .* derived from DataModule"),
        (scratch(), d2l.SyntheticRegressionData, "the class SyntheticRegressionData as data"),
    ],
)
def test_what_fit_takes_is_told(model, data, told):
    with pytest.raises(TypeError, match=rf"fit\(model, data\) got {told}"):
        d2l.Trainer(1).fit(model, data)

"""Values that are not finite numbers: what ends a run, what does not, and the reason given."""

import math

import pytest
import torch
from made_runs import Given, Table, linear_data, scratch
from torch.utils.data import TensorDataset

import d2lib as d2l


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    monkeypatch.setattr("d2lib.board.LIVE", False)


@pytest.mark.parametrize(("lr", "epochs"), [(3.0, 6), (float("nan"), 1)])
def test_a_loss_that_is_not_finite_is_told_with_its_place_and_rate(lr, epochs):
    with pytest.raises(FloatingPointError) as told:
        d2l.Trainer(epochs, seed=0).fit(scratch(lr), linear_data())
    assert f"at learning rate {lr}: try a smaller one" in str(told.value)
    assert "of epoch" in str(told.value)


def rows(bad: float | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    X, y = torch.randn(20, 3), torch.zeros(20, 1)
    if bad is not None:
        y[13] = bad
    return X, y


def in_order(*tables: tuple) -> Given:
    return Given(*(d2l.TensorLoader(TensorDataset(*table), 4) for table in tables))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_the_first_bad_batch_is_named_and_bad_data_too(bad):
    told = rf"train_loss is {bad} from batch 4 of epoch 1 on, .* train_dataloader\(\) hold values"
    with pytest.raises(FloatingPointError, match=told) as error:
        d2l.Trainer(2).fit(scratch(), in_order(rows(bad), rows()))
    assert "learning rate" not in str(error.value)
    told = r"val_loss is .* from epoch 1 on, .* val_dataloader\(\) hold values"
    with pytest.raises(FloatingPointError, match=told) as error:
        d2l.Trainer(2).fit(scratch(), in_order(rows(), rows(bad)))
    assert "learning rate" not in str(error.value)


def test_bad_data_are_found_in_shuffled_batches():
    with pytest.raises(FloatingPointError, match="fix the data"):
        d2l.Trainer(2).fit(scratch(), Table(rows(math.nan)))


class Validating(d2l.LinearRegression):
    """Records nan as a validation value named `key`."""

    def __init__(self, key):
        super().__init__(0.03)
        self.key = key

    def validation_step(self, batch):
        self.plot(self.key, torch.tensor(torch.nan), train=False)


@pytest.mark.parametrize("key", ["loss", "aux_loss"])
def test_a_validation_loss_that_is_not_finite_ends_the_run(key):
    trainer = d2l.Trainer(2)
    told = f"val_{key} is nan from epoch 1 on, though the parameters are finite: look at what"
    with pytest.raises(FloatingPointError, match=told) as error:
        trainer.fit(Validating(key), linear_data())
    assert "learning rate" not in str(error.value)
    assert len(trainer.history.seconds) == len(trainer.history["train_loss"]) == 1


def test_a_metric_may_be_undefined():
    class Precise(Validating):
        def training_step(self, batch):
            self.plot("precision", torch.tensor(0.0) / 0, train=True)
            return super().training_step(batch)

    model = Precise("precision")
    history = d2l.Trainer(2).fit(model, linear_data())
    assert str(history["val_precision"]) == str(history["train_precision"]) == "[nan, nan]"
    assert len(history["train_loss"]) == 2


def test_a_metric_of_a_model_that_is_lost_ends_the_run():
    class Lost(Validating):
        def training_step(self, batch):
            X, y = batch
            return self.loss(self(X), y) * torch.nan  # and records no loss

    with pytest.raises(FloatingPointError, match=r"val_nll is nan .* at learning rate 0.03"):
        d2l.Trainer(2).fit(Lost("nll"), linear_data())


def test_before_any_step_the_rate_is_not_to_blame():
    class Empty(d2l.LinearRegression):
        def loss(self, y_hat, y):
            return super().loss(y_hat, y) + torch.log(0 * y_hat).mean()

    with pytest.raises(FloatingPointError, match=r"train_loss is -inf from batch 1 .* before any"):
        d2l.Trainer(1).fit(Empty(0.03), linear_data())


def test_a_loss_that_did_not_grow_before_has_another_reason_perhaps():
    class Sudden(d2l.LinearRegression):
        def loss(self, y_hat, y):
            late = self.training and self.trainer.train_batch_idx == 20
            return super().loss(y_hat, y) * (torch.nan if late else 1)

    with pytest.raises(FloatingPointError, match=r"batch 21 .* rate 0.03: .* or look at what"):
        d2l.Trainer(1).fit(Sudden(0.03), linear_data())
    with pytest.raises(FloatingPointError) as told:
        d2l.Trainer(6, seed=0).fit(scratch(3.0), linear_data())
    assert str(told.value).endswith("at learning rate 3.0: try a smaller one, gradient_clip_val")


def test_a_bad_step_ends_the_run_though_it_counts_for_nothing():
    X, y = torch.randn(12, 5), torch.zeros(12, dtype=torch.long)
    y[4:8] = -100
    model = d2l.SoftmaxRegression(3, lr=0.1)
    with pytest.raises(FloatingPointError, match="no example of that batch counts: leave"):
        d2l.Trainer(1).fit(model, in_order((X, y)))

"""The Trainer: what it computes, where, in which mode and order."""

import pytest
import torch
from made_runs import linear_data, scratch
from torch import nn

import d2lib as d2l


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    monkeypatch.setattr("d2lib.board.LIVE", False)


def test_a_run_equals_the_bare_loop_that_it_stands_for():
    data, model = linear_data(), scratch()
    history = d2l.Trainer(2, seed=5).fit(model, data)
    w, b = scratch().w.detach().clone(), torch.zeros(1)
    torch.manual_seed(5)
    losses = []
    for _ in range(2):
        for rows in torch.randperm(1000).split(32):
            X, y = data.X[:1000][rows], data.y[:1000][rows]
            error = X @ w + b - y
            losses.append((error**2).mean().item() / 2)
            w, b = w - 0.03 * X.T @ error / len(X), b - 0.03 * error.mean()
    assert torch.allclose(model.w, w, atol=1e-6)
    assert torch.allclose(model.b, b, atol=1e-6)
    assert history.steps["train_loss"] == pytest.approx(losses, rel=1e-5)


@pytest.mark.parametrize("batch_size", [32, 64, 300])
def test_validation_values_are_exact_means_over_examples(batch_size):
    data = linear_data(num_val=1000 - 16, batch_size=batch_size)
    model = scratch()
    history = d2l.Trainer(3).fit(model, data)
    X, y = data.X[1000:], data.y[1000:]
    assert history["val_loss"][-1] == pytest.approx(model.loss(model(X), y).item(), rel=1e-6)


def test_training_values_are_means_over_examples_too():
    model = scratch(lr=0.0)
    data = linear_data(batch_size=300)
    history = d2l.Trainer(1).fit(model, data)
    X, y = data.X[:1000], data.y[:1000]
    assert history["train_loss"][0] == pytest.approx(model.loss(model(X), y).item(), rel=1e-6)
    assert len(history.steps["train_loss"]) == 4


def test_two_runs_with_one_seed_are_equal_to_the_bit_and_with_another_not():
    data = linear_data()
    first, second = (d2l.Trainer(2, seed=3).fit(scratch(), data) for _ in range(2))
    assert first == second
    assert first.about["seed"] == 3
    assert first != d2l.Trainer(2, seed=4).fit(scratch(), data)
    assert first != "a history"


def test_one_trainer_serves_twice_with_a_fresh_record():
    trainer, data = d2l.Trainer(2, seed=0), linear_data()
    one, other = trainer.fit(scratch(), data), trainer.fit(scratch(), data)
    assert one == other
    assert one is not other
    assert trainer.train_batch_idx == 64


def test_a_second_fit_of_the_same_model_draws_a_new_board():
    model, data = scratch(), linear_data()
    trainer = d2l.Trainer(2)
    trainer.fit(model, data)
    trainer.fit(model, data)
    assert len(model.board.data["val_loss"]) == 2
    assert model.board.xlim == [0, 2]


def test_attributes_that_readers_know_are_there():
    trainer, model = d2l.Trainer(2), scratch()
    trainer.fit(model, linear_data())
    assert (trainer.num_train_batches, trainer.num_val_batches) == (32, 32)
    assert (trainer.train_batch_idx, trainer.val_batch_idx, trainer.epoch) == (64, 64, 1)
    assert trainer.model is model
    assert isinstance(trainer.optim, d2l.SGD)
    assert len(trainer.train_dataloader) == len(trainer.val_dataloader) == 32


def test_no_validation_is_legal_and_asking_for_its_values_is_told():
    history = d2l.Trainer(2).fit(scratch(), linear_data(num_val=0))
    assert len(history["train_loss"]) == 2
    with pytest.raises(KeyError, match=r"no 'val_loss' was measured: there is train_loss"):
        history["val_loss"]


def test_the_schedule_steps_after_each_batch():
    rates = []

    class Watched(d2l.LinearRegression):
        def training_step(self, batch):
            rates.append(self.trainer.optim.param_groups[0]["lr"])
            return super().training_step(batch)

    def halving(optim, steps):
        assert steps == 64
        return torch.optim.lr_scheduler.ExponentialLR(optim, 0.5)

    d2l.Trainer(2, schedule=halving).fit(Watched(0.1), linear_data())
    assert rates == pytest.approx([0.1 * 0.5**k for k in range(64)])


def test_validation_runs_in_evaluation_mode_without_gradients():
    seen = []

    class Watched(d2l.LinearRegression):
        def validation_step(self, batch):
            seen.append((self.training, torch.is_grad_enabled()))
            super().validation_step(batch)

        def training_step(self, batch):
            assert self.training
            return super().training_step(batch)

    d2l.Trainer(2).fit(Watched(0.1), linear_data())
    assert set(seen) == {(False, False)}


def test_clipping_bounds_the_gradient_of_all_parameters_together():
    lengths = []

    class Watched(d2l.SGD):
        def step(self):
            grads = torch.cat([param.grad.flatten() for param in self.params])
            lengths.append(grads.norm().item())
            super().step()

    class Model(d2l.LinearRegressionScratch):
        def configure_optimizers(self):
            self.unused = nn.Parameter(torch.zeros(2))  # has no gradient
            return Watched([self.w, self.b], self.lr)

    d2l.Trainer(1, gradient_clip_val=0.5).fit(Model(3, 0.03), linear_data())
    assert max(lengths) == pytest.approx(0.5, rel=1e-4)
    before = d2l.Trainer(1, gradient_clip_val=1e6)
    model = Model(3, 0.03)
    before.fit(model, linear_data())
    assert max(lengths) > 3


def test_the_host_waits_for_the_device_only_at_points_of_the_board_and_at_the_epochs_end(
    monkeypatch,
):
    crossings = []
    names = [
        "item",
        "cpu",
        "tolist",
        "numpy",
        "nonzero",
        "__float__",
        "__int__",
        "__index__",
        "__bool__",
    ]
    for name in names:
        real = getattr(torch.Tensor, name)

        def watched(self, *args, real=real, name=name):
            crossings.append(name)
            return real(self, *args)

        monkeypatch.setattr(torch.Tensor, name, watched)

    class FromTheFirstStep(d2l.Trainer):
        def fit_epoch(self):
            if self.epoch == 0:
                crossings.clear()  # before, the settings were recorded
            super().fit_epoch()

    FromTheFirstStep(3).fit(scratch(), linear_data(num_train=3200, num_val=320))
    transfers = crossings.count("tolist")
    assert transfers == 3 * (2 + 2)  # two points an epoch; the lists train_loss and val_loss
    assert set(crossings) <= {"tolist", "cpu"}
    assert crossings.count("cpu") == transfers


def test_recorded_values_stay_where_they_are():
    history, board = d2l.History(), d2l.ProgressBoard(display=False)
    value = torch.ones((), device="meta")  # to move it to the host would fail
    history.add("train_loss", value)
    board.draw(0, value, "train_loss", every_n=2)
    assert history._pending["train_loss"][0][0].device.type == "meta"
    assert board.raw_points["train_loss"][0].y.device.type == "meta"


def test_batches_model_and_data_go_to_the_device():
    trainer, model = d2l.Trainer(1, device="meta"), scratch()
    trainer.prepare_data(linear_data())
    trainer.prepare_model(model)
    [batch] = trainer.prepare_batch([torch.zeros(2)])
    loaded = trainer.train_dataloader.dataset.tensors[0]
    assert {t.device.type for t in (batch, model.w, model.b, loaded)} == {"meta"}
    assert next(iter(trainer.val_dataloader))[0].device.type == "meta"


def test_seconds_are_measured(monkeypatch):
    clock = iter(range(0, 10_000, 7))
    monkeypatch.setattr("d2lib.trainer.time.perf_counter", lambda: next(clock))
    assert d2l.Trainer(2).fit(scratch(), linear_data()).seconds == [7, 7]


def test_data_sets_keep_their_class_and_pytorchs_loader_serves_too():
    class Shifted(torch.utils.data.TensorDataset):
        def __getitem__(self, rows):
            X, y = super().__getitem__(rows)
            return X, y + 100

    data = linear_data()

    class Own(d2l.DataModule):
        def get_dataloader(self, train):
            rows = Shifted(data.X[:320], data.y[:320])
            if train:
                return torch.utils.data.DataLoader(rows, 32)
            return d2l.TensorLoader(rows, 32)

    model = d2l.LinearRegression(0.0)
    history = d2l.Trainer(1).fit(model, Own())
    assert history["train_loss"][0] > 5000
    assert history["val_loss"][0] == pytest.approx(history["train_loss"][0], rel=1e-6)


def test_losses_are_kept_without_their_graphs():
    trainer, model = d2l.Trainer(1), scratch()
    kept = []

    class Watching(d2l.History):
        def add(self, label, value, rows=1):
            super().add(label, value, rows)
            kept.append(self._pending[label][-1][0])

    trainer.prepare_data(linear_data())
    trainer.prepare_model(model)
    trainer.history = Watching()
    trainer.train_batch_idx = 0
    model.training_step(trainer.prepare_batch(next(iter(trainer.train_dataloader))))
    assert not kept[0].requires_grad
    assert not any(p.y.requires_grad for p in model.board.raw_points["train_loss"])


@pytest.mark.parametrize("num_val", [0, 100])
def test_after_training_the_model_is_in_evaluation_mode(num_val):
    class Breaks(d2l.LinearRegression):
        def training_step(self, batch):
            raise KeyboardInterrupt

    model = d2l.LinearRegression(0.03)
    d2l.Trainer(1).fit(model, linear_data(num_val=num_val))
    assert not model.training
    model = Breaks(0.03)
    with pytest.raises(KeyboardInterrupt):
        d2l.Trainer(1).fit(model, linear_data(num_val=num_val))
    assert not model.training


def test_training_may_record_in_some_epochs_only():
    class Seldom(d2l.LinearRegressionScratch):
        def training_step(self, batch):
            loss = self.loss(self(batch[0]), batch[1])
            if self.trainer.epoch % 2 == 0:
                self.plot("loss", loss, train=True)
            return loss

    history = d2l.Trainer(3).fit(Seldom(3, 0.03), linear_data())
    assert len(history.steps["train_loss"]) == 64
    assert str(history["train_loss"][1]) == "nan"

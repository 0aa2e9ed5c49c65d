"""The Trainer, its History, and what each mistake is told."""

import json
import math

import pytest
import torch
from torch import nn

import d2lib as d2l


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    monkeypatch.setattr("d2lib.board.LIVE", False)


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
    d2l.Trainer(3).fit(scratch(), linear_data(num_train=3200, num_val=320))
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


def test_the_board_is_flushed_at_the_end_and_where_a_run_breaks_off():
    class Breaks(d2l.LinearRegression):
        def training_step(self, batch):
            if self.trainer.train_batch_idx == self.last:
                raise RuntimeError("planted")
            return super().training_step(batch)

    for last, points in ((99, 3), (5, 1)):
        model = Breaks(0.03)
        model.last, model.plot_train_per_epoch = last, 3
        data = linear_data(num_train=320)
        if last < 10:
            with pytest.raises(RuntimeError, match="planted"):
                d2l.Trainer(1).fit(model, data)
        else:
            d2l.Trainer(1).fit(model, data)
        assert not any(model.board.raw_points.values())
        assert len(model.board.data["train_loss"]) >= points


def test_seconds_are_measured(monkeypatch):
    clock = iter(range(0, 10_000, 7))
    monkeypatch.setattr("d2lib.trainer.time.perf_counter", lambda: next(clock))
    assert d2l.Trainer(2).fit(scratch(), linear_data()).seconds == [7, 7]


def test_a_value_measured_in_some_epochs_stands_beside_them():
    class Rarely(d2l.LinearRegression):
        def validation_step(self, batch):
            super().validation_step(batch)
            if self.trainer.epoch == 1:
                self.plot("rare", 7.0, train=False)

    model = Rarely(0.03)
    history = d2l.Trainer(4).fit(model, linear_data())
    assert str(history["val_rare"]) == "[nan, 7.0]"
    assert history.frame()["val_rare"].isna().tolist() == [True, False, True, True]
    assert [tuple(point) for point in model.board.data["val_rare"]] == [(2, 7.0)]
    assert str(history).splitlines()[2].split()[-1] == "7"


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


# mistakes


@pytest.mark.parametrize(("lr", "epochs"), [(3.0, 6), (float("nan"), 1)])
def test_a_loss_that_is_not_finite_is_told_with_its_place_and_rate(lr, epochs):
    with pytest.raises(FloatingPointError) as told:
        d2l.Trainer(epochs, seed=0).fit(scratch(lr), linear_data())
    assert f"at learning rate {lr}: try a smaller one" in str(told.value)
    assert "of epoch" in str(told.value)


def test_the_first_bad_batch_is_named():
    X, y = torch.randn(20, 3), torch.zeros(20, 1)
    y[13] = torch.nan

    class InOrder(Table):
        def get_dataloader(self, train):
            return d2l.TensorLoader(torch.utils.data.TensorDataset(X, y), 4) if train else None

    with pytest.raises(FloatingPointError, match=r"train_loss is nan from batch 4 of epoch 1 on"):
        d2l.Trainer(2).fit(scratch(), InOrder((X, y)))


@pytest.mark.parametrize("key", ["loss", "nll"])
def test_validation_that_is_not_finite_is_told_whatever_its_name(key):
    class Bad(d2l.LinearRegression):
        def validation_step(self, batch):
            self.plot(key, torch.tensor(torch.nan), train=False)

    trainer = d2l.Trainer(2)
    with pytest.raises(FloatingPointError, match=f"val_{key} is nan from epoch 1 on"):
        trainer.fit(Bad(0.03), linear_data())
    assert len(trainer.history.seconds) == len(trainer.history["train_loss"]) == 1


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


def test_a_value_of_several_numbers_is_no_measurement():
    with pytest.raises(ValueError, match=r"train_loss has shape \(3,\): record one number"):
        d2l.History().add("train_loss", torch.zeros(3))


# the history


@pytest.fixture(scope="module")
def history() -> d2l.History:
    return d2l.Trainer(3, seed=0).fit(d2l.LinearRegression(0.03), linear_data())


def test_it_prints_as_a_table(history):
    lines = str(history).splitlines()
    assert lines[0].split() == ["epoch", "train_loss", "val_loss"]
    assert [line.split()[0] for line in lines[1:]] == ["1", "2", "3"]
    assert float(lines[3].split()[2]) == pytest.approx(history["val_loss"][2], rel=1e-3)
    assert len({len(line) for line in lines}) == 1


def test_it_becomes_a_data_frame(history):
    frame = history.frame()
    assert frame.index.tolist() == [1, 2, 3]
    assert frame["val_loss"].tolist() == history["val_loss"]
    assert (frame["seconds"] > 0).all()


def test_it_is_saved_and_loaded_whole(history, tmp_path):
    path = tmp_path / "run.json"
    history.save(path)
    loaded = d2l.History.load(path)
    assert loaded == history
    assert loaded.about == history.about
    assert loaded.seconds == history.seconds
    assert [file.name for file in tmp_path.iterdir()] == ["run.json"]
    about = json.loads(path.read_text())["about"]
    assert about["model"]["class"] == "LinearRegression"
    assert about["model"]["lr"] == 0.03
    assert about["data"]["noise"] == 0.01
    assert about["data"]["w"] == [1.5, -2.0, 0.8]
    assert about["device"] == "cpu"
    assert about["trainer"]["max_epochs"] == 3
    assert set(about["versions"]) == {"python", "torch", "d2lib"}


def test_histories_with_other_steps_or_nan_compare(tmp_path):
    def made(value):
        history = d2l.History()
        for part in (value, 4 - value):
            history.add("train_loss", part)
        history.end_epoch()
        return history

    assert made(1.0)["train_loss"] == made(3.0)["train_loss"]
    assert made(1.0) != made(3.0)
    bad = made(math.nan)
    bad.save(tmp_path / "nan.json")
    assert d2l.History.load(tmp_path / "nan.json") == bad


def test_a_save_that_fails_leaves_the_old_file(history, tmp_path, monkeypatch):
    path = tmp_path / "run.json"
    path.write_text("old")
    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.replace", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            history.save(path)
    assert path.read_text() == "old"


@pytest.mark.parametrize("text", ["[1, 2]", '{"nbformat": 4}', "{}"])
def test_a_file_that_holds_no_history_is_told(text, tmp_path):
    (tmp_path / "other.json").write_text(text)
    with pytest.raises(ValueError, match=r"other.json holds no history"):
        d2l.History.load(tmp_path / "other.json")


def test_what_ran_is_kept_as_plain_values():
    data = linear_data()
    data.hparams["w"] = torch.tensor([1.0, 2.0])
    data.hparams["resize"] = (28, 28)
    about = d2l.Trainer(1, schedule=constant).fit(d2l.LinearRegression(0.1), data).about
    assert about["data"]["w"] == [1.0, 2.0]
    assert about["data"]["resize"] == [28, 28]
    assert about["trainer"]["schedule"] == "constant"


def constant(optim, steps):
    return torch.optim.lr_scheduler.ConstantLR(optim)


def test_it_plots_every_value(history):
    board = history.plot(yscale="log", display=False)
    assert [p.y for p in board.data["val_loss"]] == history["val_loss"]
    assert [p.x for p in board.data["train_loss"]] == [1, 2, 3]


def test_the_board_shows_what_the_history_holds():
    model = d2l.LinearRegression(0.03)
    history = d2l.Trainer(2, seed=0).fit(model, linear_data())
    halves = torch.tensor(history.steps["train_loss"], dtype=torch.float64).reshape(4, 16)
    drawn = [p.y for p in model.board.data["train_loss"]]
    assert drawn == pytest.approx(halves.mean(dim=1).tolist())
    assert [tuple(p) for p in model.board.data["val_loss"]] == [
        (1, history["val_loss"][0]),
        (2, history["val_loss"][1]),
    ]


@pytest.mark.parametrize(
    ("train", "val", "points"), [(0, 1, (0, 4)), (4, 0, (16, 0)), (1, 0.5, (4, 2))]
)
def test_points_an_epoch_are_as_asked(train, val, points):
    model = d2l.LinearRegression(0.03)
    model.plot_train_per_epoch, model.plot_valid_per_epoch = train, val
    d2l.Trainer(4).fit(model, linear_data())
    found = tuple(len(model.board.data.get(f"{split}_loss", [])) for split in ("train", "val"))
    assert found == points


def test_numbers_that_are_no_tensors_may_be_recorded():
    class Counted(d2l.LinearRegression):
        def training_step(self, batch):
            self.plot("rows", len(batch[0]), train=True)
            return super().training_step(batch)

    history = d2l.Trainer(1).fit(Counted(0.1), linear_data())
    rows = history.steps["train_rows"]
    assert rows == [32.0] * 31 + [8.0]
    assert history["train_rows"] == [pytest.approx((31 * 32 * 32 + 8 * 8) / 1000)]
    assert math.isfinite(history["train_loss"][0])

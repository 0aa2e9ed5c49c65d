"""The History: what is kept of a run, and how it is read, saved and compared."""

import dataclasses
import functools
import json
import math
from enum import Enum
from pathlib import Path

import numpy as np
import pytest
import torch
from made_runs import linear_data

import d2lib as d2l


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    monkeypatch.setattr("d2lib.board.LIVE", False)


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
    assert [file.name for file in tmp_path.iterdir()] == ["run.json"]


@pytest.mark.parametrize("text", ["[1, 2]", '{"nbformat": 4}', "{}"])
def test_a_file_that_holds_no_history_is_told(text, tmp_path):
    (tmp_path / "other.json").write_text(text)
    with pytest.raises(ValueError, match=r"other.json holds no history"):
        d2l.History.load(tmp_path / "other.json")


def test_it_plots_every_value(history):
    board = history.plot(yscale="log", display=False)
    assert [p.y for p in board.data["val_loss"]] == history["val_loss"]
    assert [p.x for p in board.data["train_loss"]] == [1, 2, 3]


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


@pytest.mark.parametrize("make", [torch.zeros, np.zeros], ids=["torch", "numpy"])
@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_a_record_keeps_the_value_of_its_moment(make, shape):
    history, board = d2l.History(), d2l.ProgressBoard(display=False)
    value, x = make(shape), make(shape)
    for _ in range(3):
        value += 1
        x += 10
        history.add("train_t", value)
        board.draw(x, value, "t")
    history.end_epoch()
    assert history.steps["train_t"] == [1, 2, 3]
    assert board.data["t"] == [(10, 1), (20, 2), (30, 3)]
    assert all(type(part) is float for point in board.data["t"] for part in point)


def test_a_weight_is_that_of_its_moment():
    history, rows = d2l.History(), torch.zeros((), dtype=torch.long)
    for value in (6.0, 3.0):
        rows += 1
        history.add("val_t", value, rows)
    history.end_epoch()
    assert history["val_t"] == [4.0]


def test_what_a_reader_does_with_lists_leaves_the_record_alone():
    note = {"seeds": [1]}
    history = d2l.History(note)
    history.add("val_t", 1.0)
    history.end_epoch()
    note["seeds"].append(2)
    history["val_t"].append(5.0)
    assert history.about == {"seeds": [1]}
    assert history["val_t"] == [1.0]


@pytest.mark.parametrize("value", [np.float32(0.5), np.int64(2), True, 3, torch.tensor([[4]])])
def test_what_is_one_number_is_recorded(value):
    history = d2l.History()
    history.add("train_t", value)
    history.add("train_t", torch.tensor(0.25, dtype=torch.float64))
    history.add("train_t", torch.tensor(7))
    history.end_epoch()
    assert history.steps["train_t"] == [float(value), 0.25, 7.0]


@pytest.mark.parametrize("value", [None, "high", [0.5], 2j, torch.tensor(1j)])
def test_what_is_no_number_is_told_at_once(value):
    for record in (d2l.History().add, lambda label, y: d2l.ProgressBoard().draw(0, y, label)):
        with pytest.raises(TypeError, match=r"train_t is a \w+: record one number"):
            record("train_t", value)


@pytest.mark.parametrize("value", [torch.zeros(3), np.zeros(3), torch.zeros(1, 3)])
def test_a_value_of_several_numbers_is_no_measurement(value):
    for record in (d2l.History().add, lambda label, y: d2l.ProgressBoard().draw(0, y, label)):
        with pytest.raises(ValueError, match=r"train_t has shape \(.*3,?\): record one number"):
            record("train_t", value)


def test_means_weigh_and_those_of_no_example_count_for_nothing():
    history = d2l.History()
    for value, rows in ((math.nan, torch.tensor(0)), (2.0, torch.tensor(3)), (4.0, 1)):
        history.add("train_t", value, rows)
    history.add("val_t", math.nan, 0)
    history.end_epoch()
    assert history["train_t"] == [2.5]
    assert math.isnan(history["val_t"][0])
    assert history.steps["train_t"][1:] == [2.0, 4.0]


def constant(optim, steps):
    return torch.optim.lr_scheduler.ConstantLR(optim)


def test_what_ran_is_kept_as_plain_values():
    data = linear_data()
    data.w, data.hparams["resize"] = torch.tensor([1.0, 2.0]), (28, 28)
    about = d2l.Trainer(1, schedule=constant).fit(d2l.LinearRegression(0.1), data).about
    assert about["data"]["w"] == [1.0, 2.0]
    assert about["data"]["resize"] == [28, 28]
    assert about["trainer"]["schedule"] == "constant"
    assert about["schedule"] == {"class": "ConstantLR"}


def test_about_says_what_really_ran():
    model, data, trainer = d2l.LinearRegression(0.03), linear_data(), d2l.Trainer(9)
    model.lr, model.plot_train_per_epoch, data.batch_size = 0.3, 4, 100
    trainer.max_epochs, trainer.gradient_clip_val = 1, 2.0
    about = trainer.fit(model, data).about
    assert about["model"]["lr"] == about["optimizer"]["lr"] == 0.3
    assert about["model"]["as constructed"] == {"plot_train_per_epoch": 2, "lr": 0.03}
    assert about["data"]["batch_size"] == 100
    assert (about["trainer"]["max_epochs"], about["trainer"]["gradient_clip_val"]) == (1, 2.0)
    assert "as constructed" not in d2l.Trainer(1).fit(model, linear_data()).about["trainer"]


def test_the_optimizer_is_kept_as_it_began():
    class Own(d2l.WeightDecay):
        def configure_optimizers(self):
            optim = super().configure_optimizers()
            optim.param_groups[0]["lr"] = 0.25
            return optim

    decay = functools.partial(torch.optim.lr_scheduler.StepLR, step_size=1, gamma=0.1)
    trainer = d2l.Trainer(1, schedule=lambda optim, steps: decay(optim))
    about = trainer.fit(Own(0.5, 0.01), linear_data()).about
    groups = about["optimizer"]["groups"]
    assert [(group["lr"], group["weight_decay"]) for group in groups] == [(0.25, 0.5), (0.01, 0)]
    assert about["schedule"] == {"class": "StepLR"}
    about = d2l.Trainer(1).fit(d2l.LinearRegressionScratch(3, 0.02), linear_data()).about
    assert about["optimizer"] == {"class": "SGD", "lr": 0.02}


class Color(Enum):
    RED = 1


@dataclasses.dataclass
class Settings:
    rate: float = 0.1
    folder: Path = Path("/data")


KNOT: list = []
KNOT.append(KNOT)


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (np.int64(3), 3),
        (np.float32(0.1), 0.1),
        (np.bool_(True), True),
        (np.array([1, 2]), [1, 2]),
        (torch.tensor([0.1, 0.8]), [0.1, 0.8]),
        (torch.tensor(0.1, dtype=torch.float64), 0.1),
        (torch.zeros(101), "Tensor"),
        (torch.zeros(2, device="meta"), "Tensor"),
        (torch.zeros(2).to_sparse(), "Tensor"),
        (Path("/data"), "/data"),
        (torch.float32, "torch.float32"),
        (torch.device("cpu"), "cpu"),
        (Color.RED, "Color.RED"),
        (Settings(), {"rate": 0.1, "folder": "/data"}),
        ({("a", 1): {"b": np.float64(2)}}, {"('a', 1)": {"b": 2.0}}),
        (functools.partial(max, key=len), {"partial": "max", "args": [], "key": "len"}),
        (len, "len"),
        (torch.nn.Linear(1, 1), "Linear"),
        (2j, "2j"),
        ((1, None, "x", range(2)), [1, None, "x", [0, 1]]),
        ([0] * 101, "list"),
        (KNOT, [[[[[["list"]]]]]]),
    ],
)
def test_whatever_ran_is_saved(value, kept, tmp_path):
    class Odd(d2l.LinearRegression):
        def __init__(self, odd):
            super().__init__(0.01)
            self.save_hyperparameters()

    history = d2l.Trainer(1, seed=np.int64(3)).fit(Odd(value), linear_data())
    history.about["note", 1] = history.epochs["val_mine"] = [np.float32(0.5)]
    history.save(tmp_path / "run.json")
    about = d2l.History.load(tmp_path / "run.json").about
    assert about["model"]["odd"] == kept
    assert (about["seed"], about["('note', 1)"]) == (3, [0.5])


def test_about_names_no_folder_of_the_machine_that_ran(history):
    assert str(Path.home()) not in json.dumps(history.about)
    assert "root" not in history.about["data"]
    assert history.about["data"]["num_train"] == linear_data().num_train

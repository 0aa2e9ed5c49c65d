"""What a run shows while it trains: points on the board, lines outside notebooks."""

import pytest
import torch
from made_runs import linear_data

import d2lib as d2l
from d2lib import board as board_module


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    monkeypatch.setattr("d2lib.board.LIVE", False)


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


class Watched(d2l.LinearRegression):
    """Also records `value(step)` in the training steps that it is given for."""

    def __init__(self, values):
        super().__init__(0.01)
        self.values = values

    def training_step(self, batch):
        for value in self.values(self.trainer.train_batch_idx):
            self.plot("t", value, train=True)
        return super().training_step(batch)


@pytest.mark.parametrize(
    ("epochs", "values", "points"),
    [
        (20, lambda step: [step] if step % 32 == 0 else [], [32 * k for k in range(20)]),
        (2, lambda step: [step] if step % 3 == 0 else [], [7.5, 24, 39, 55.5]),
        (2, lambda step: [step, step + 1], [8, 24, 40, 56]),
        (2, lambda step: [step] if step < 20 else [], [7.5, 17.5]),
    ],
    ids=["once an epoch", "each third batch", "two a batch", "at first"],
)
def test_a_point_is_the_mean_of_what_its_batches_recorded(epochs, values, points):
    model = Watched(values)  # 32 batches and 2 points an epoch: 16 batches a point
    d2l.Trainer(epochs).fit(model, linear_data(num_val=0))
    assert [point.y for point in model.board.data["train_t"]] == points
    losses = [(16 * k + 7.5) / 32 for k in range(2 * epochs)]
    assert [point.x for point in model.board.data["train_loss"]] == pytest.approx(losses)


def test_a_point_of_validation_is_the_mean_of_what_its_epochs_recorded():
    class Now(d2l.LinearRegression):
        def validation_step(self, batch):
            super().validation_step(batch)
            if self.trainer.epoch not in (0, 2, 3):
                self.plot("now", self.trainer.epoch, train=False)

    model = Now(0.01)
    model.plot_valid_per_epoch = 0.5
    d2l.Trainer(7).fit(model, linear_data())
    assert model.board.data["val_now"] == [(2, 1), (5.5, 4.5), (7, 6)]
    assert [point.x for point in model.board.data["val_loss"]] == [1.5, 3.5, 5.5, 7]


def test_a_point_is_drawn_when_its_batches_have_ended():
    seen = []

    class Looking(d2l.LinearRegression):
        def training_step(self, batch):
            loss = super().training_step(batch)
            seen.append(len(self.board.data["train_loss"]))
            return loss

    d2l.Trainer(1).fit(Looking(0.01), linear_data())
    assert seen == [0] * 16 + [1] * 16


def test_a_reader_may_draw_by_hand_meanwhile():
    class Drawing(d2l.LinearRegression):
        def training_step(self, batch):
            step = self.trainer.train_batch_idx
            self.board.draw(step / 32, step, "mine", every_n=8)
            return super().training_step(batch)

    model = Drawing(0.01)
    d2l.Trainer(2).fit(model, linear_data())
    assert [point.y for point in model.board.data["mine"]] == [8 * k + 3.5 for k in range(8)]


class Several(d2l.LinearRegression):
    """Two values of training and two of validation."""

    def training_step(self, batch):
        self.plot("steps", self.trainer.train_batch_idx, train=True)
        return super().training_step(batch)

    def validation_step(self, batch):
        super().validation_step(batch)
        self.plot("epoch", self.trainer.epoch, train=False)


@pytest.mark.parametrize("num_val", [0, 1000])
@pytest.mark.parametrize("per_epoch", [(2, 1), (3, 0.5), (0, 0)])
def test_outside_notebooks_an_epoch_is_one_line(num_val, per_epoch, monkeypatch, capsys):
    monkeypatch.setattr(board_module, "LIVE", True)
    clock = iter(range(100_000))
    monkeypatch.setattr(board_module.time, "monotonic", lambda: next(clock))  # all is due
    model = Several(0.01)
    model.plot_train_per_epoch, model.plot_valid_per_epoch = per_epoch
    history = d2l.Trainer(3).fit(model, linear_data(num_val=num_val))
    lines = capsys.readouterr().out.splitlines()
    assert len(history.epochs) == (4 if num_val else 2)
    assert lines == [
        f"epoch {k + 1}: " + ", ".join(f"{name} {history[name][k]:.4g}" for name in history.epochs)
        for k in range(3)
    ]


def test_a_line_has_values_of_its_own_epoch_alone(monkeypatch, capsys):
    class Rarely(d2l.LinearRegression):
        def validation_step(self, batch):
            super().validation_step(batch)
            if self.trainer.epoch == 0:
                self.plot("rare", 7.0, train=False)

    monkeypatch.setattr(board_module, "LIVE", True)
    d2l.Trainer(2).fit(Rarely(0.01), linear_data())
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith(", val_rare 7")
    assert "rare" not in second


def test_where_nobody_watches_the_last_epoch_is_the_only_line(capsys):
    d2l.Trainer(3).fit(d2l.LinearRegression(0.01), linear_data())
    [line] = capsys.readouterr().out.splitlines()
    assert line.startswith("epoch 3: train_loss ")
    model = d2l.LinearRegression(0.01)
    model.board.display = False
    d2l.Trainer(3).fit(model, linear_data())
    assert capsys.readouterr().out == ""


def test_after_a_hundred_lines_there_are_at_most_two_a_second(monkeypatch, capsys):
    monkeypatch.setattr(board_module, "LIVE", True)
    monkeypatch.setattr(board_module.time, "monotonic", lambda: 1000 + epoch / 10)
    board = d2l.ProgressBoard("epoch")
    for epoch in range(1, 1001):
        board_module.tell(board, epoch, {"loss": 1.0}, last=epoch == 1000)
    told = [int(line.split()[1][:-1]) for line in capsys.readouterr().out.splitlines()]
    assert told[:100] == list(range(1, 101))
    assert told[100:-1] == list(range(105, 1000, 5))
    assert told[-1] == 1000

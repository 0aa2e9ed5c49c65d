"""The progress board: points, lines, and where it shows them."""

import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt

import d2lib as d2l
from d2lib import board as board_module


@pytest.fixture
def board(monkeypatch):
    monkeypatch.setattr(board_module, "LIVE", False)
    return d2l.ProgressBoard("x", display=False)


def test_points_are_means_of_neighbors(board):
    xs = np.arange(100) / 10
    for x in xs:
        board.draw(x, np.sin(x), "sin", every_n=2)
        board.draw(x, np.cos(x), "cos", every_n=10)
    assert len(board.data["sin"]) == 50
    assert len(board.data["cos"]) == 10
    for label, values, n in (("sin", np.sin(xs), 2), ("cos", np.cos(xs), 10)):
        points = np.array(board.data[label])
        np.testing.assert_allclose(points[:, 0], xs.reshape(-1, n).mean(1), atol=1e-12)
        np.testing.assert_allclose(points[:, 1], values.reshape(-1, n).mean(1), atol=1e-12)


def test_leftovers_are_flushed(board):
    for x in range(5):
        board.draw(x, 2 * x, "line", every_n=3)
    assert board.data["line"] == [(1, 2)]
    assert len(board.raw_points["line"]) == 2
    board.flush()
    assert board.data["line"] == [(1, 2), (3.5, 7)]


def test_fewer_than_one_point_in_n_means_every_point(board):
    for x in range(3):
        board.draw(x, x, "line", every_n=0.2)
    assert len(board.data["line"]) == 3


def test_six_series_are_six_lines_however_often_they_are_drawn(board):
    for x in range(200):
        for k in range(6):
            board.draw(x, k, f"series {k}")
        figure = board.render()
    assert len(figure.axes) == 1
    lines = figure.axes[0].lines
    assert [line.get_label() for line in lines] == [f"series {k}" for k in range(6)]
    assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == 6


def test_it_draws_on_the_axes_it_was_given():
    figure, (left, right) = plt.subplots(1, 2)
    board = d2l.ProgressBoard("x", fig=figure, axes=left, display=False)
    board.draw(1, 2, "a")
    board.draw(2, 3, "a")
    board.render()
    assert len(left.lines) == 1
    assert len(right.lines) == 0
    plt.close(figure)


def test_no_figure_is_left_with_pyplot(board):
    board.draw(0, 0, "a")
    board.render()
    assert plt.get_fignums() == []


@pytest.mark.parametrize("number", [1, 2, 1000, 1001, 1002, 1999, 2000, 4321, 4322])
def test_what_is_drawn_is_bounded_and_has_both_ends(board, number):
    for x in range(number):
        board.draw(x, x, "long")
    [line] = board.render().axes[0].lines
    drawn = line.get_xdata().tolist()
    assert min(number, 500) <= len(drawn) <= 1001
    assert (drawn[0], drawn[-1]) == (0, number - 1)
    assert drawn == sorted(set(drawn))
    assert len(board.data["long"]) == number


def test_each_point_is_drawn_once_and_a_single_one_is_seen(board):
    for x in range(3):
        board.draw(x, x, "three")
    board.draw(1, 5, "one")
    three, one = board.render().axes[0].lines
    assert three.get_xdata().tolist() == [0, 1, 2]
    assert (three.get_marker(), one.get_marker()) == ("", ".")
    assert one.get_xdata().tolist() == [1]


def test_tensors_with_gradients_are_drawn(board):
    w = torch.ones(1, requires_grad=True)
    board.draw(0, (2 * w).sum(), "loss", every_n=2)
    board.draw(1, (4 * w).sum(), "loss", every_n=2)
    assert board.data["loss"] == [(0.5, 3.0)]


def test_scales_and_limits_may_be_set_later(board):
    board.draw(1, 10, "a")
    board.yscale, board.xlim, board.ylabel = "log", [0, 5], "loss"
    axes = board.render().axes[0]
    assert (axes.get_yscale(), axes.get_xlim(), axes.get_ylabel()) == ("log", (0, 5), "loss")


def test_outside_a_notebook_newest_values_are_printed(monkeypatch, capsys):
    monkeypatch.setattr(board_module, "LIVE", True)
    board = d2l.ProgressBoard("epoch")
    for epoch in range(100):
        board.draw(epoch + 1, 1 / (epoch + 1), "loss")
    board.flush()
    assert capsys.readouterr().out == "epoch 100: loss 0.01\n"  # all in less than half a second


@pytest.fixture
def printing(monkeypatch):
    """A board in a script that draws something each second."""

    class Slow(d2l.ProgressBoard):
        def draw(self, *point):
            clock[0] += 1
            super().draw(*point)

    clock = [0.0]
    monkeypatch.setattr(board_module, "LIVE", True)
    monkeypatch.setattr(board_module.time, "monotonic", lambda: clock[0])
    return Slow("epoch")


def test_outside_a_notebook_a_line_has_the_values_of_one_x(printing, capsys):
    for epoch in range(1, 5):
        for label in ("loss", "acc", "f1"):
            printing.draw(epoch, epoch, label)
    printing.flush()
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"epoch {k}: loss {k}, acc {k}, f1 {k}" for k in (1, 2, 3, 4)]


def test_outside_a_notebook_a_curve_that_is_not_drawn_each_time_is_left_out(printing, capsys):
    for epoch in range(1, 6):
        printing.draw(epoch, epoch, "loss")
        if epoch % 2 == 1:
            printing.draw(epoch, epoch, "acc")
    printing.flush()
    printing.flush()
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"epoch {k}: loss {k}" + f", acc {k}" * (k % 2) for k in range(1, 6)]


def test_outside_a_notebook_steps_are_counted_to_the_last_digit(printing, capsys):
    printing.draw(123456, 1, "loss")
    printing.flush()
    assert capsys.readouterr().out == "epoch 123456: loss 1\n"


def test_outside_a_notebook_a_long_run_prints_a_few_times_a_second(monkeypatch, capsys):
    clock = iter(range(10_000))
    monkeypatch.setattr(board_module, "LIVE", True)
    monkeypatch.setattr(board_module.time, "monotonic", lambda: next(clock) / 100)
    board = d2l.ProgressBoard("epoch")
    for step in range(100):
        board.draw(step, 1.0, "loss")
    assert 1 <= len(capsys.readouterr().out.splitlines()) <= 2


def test_display_false_shows_nothing(monkeypatch, capsys):
    monkeypatch.setattr(board_module, "LIVE", True)
    board = d2l.ProgressBoard(display=False)
    board.draw(1, 1, "a")
    board.flush()
    assert capsys.readouterr().out == ""


CELL = """
import time
import d2lib as d2l
board = d2l.ProgressBoard("x")
for x in range({draws}):
    board.draw(x, x * x, "square")
    time.sleep({pause})
"""


@pytest.fixture(scope="module")
def shown():
    """The messages and the outputs of notebook cells, live and watched by nobody."""
    from jupyter_client import KernelManager

    def run(live: str, code: str, times: int = 1) -> list[dict]:
        manager = KernelManager(kernel_name="python3")
        manager.start_kernel(env=board_module.os.environ | {"D2LIB_LIVE": live})
        client = manager.client()
        client.start_channels()
        client.wait_for_ready(60)
        messages = []

        def keep(message):
            messages.append(message)

        for _ in range(times):
            client.execute_interactive(code, output_hook=keep, timeout=60)
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        return [m for m in messages if "display_data" in m["msg_type"] or m["msg_type"] == "error"]

    return run


def test_live_one_handle_is_updated_a_few_times_a_second(shown):
    messages = shown("1", CELL.format(draws=60, pause=0.025))
    kinds = [message["msg_type"] for message in messages]
    assert kinds[0] == "display_data"
    assert set(kinds[1:]) == {"update_display_data"}
    assert 2 <= len(kinds) <= 5
    assert len({message["content"]["transient"]["display_id"] for message in messages}) == 1


def test_live_the_last_points_are_drawn_when_the_cell_ends(shown):
    [message] = shown("1", CELL.format(draws=5, pause=0))
    assert "image/svg+xml" in message["content"]["data"]


def test_unwatched_one_final_figure_is_drawn(shown):
    messages = shown("0", CELL.format(draws=60, pause=0.02))
    assert [message["msg_type"] for message in messages] == ["display_data"]
    assert "image/svg+xml" in messages[0]["content"]["data"]


@pytest.mark.parametrize("live", ["0", "1"])
def test_a_cell_that_runs_again_shows_its_figure_again(shown, live):
    again = "board = globals().get('board') or __import__('d2lib').ProgressBoard('x')\n"
    messages = shown(live, f"{again}board.draw(1, 1, 'a'); board.draw(2, 3, 'a')", times=3)
    assert [message["msg_type"] for message in messages] == ["display_data"] * 3


def test_a_drawing_that_takes_long_is_rare(monkeypatch):
    clock, drawings = [0.0], []

    def slow(self):
        drawings.append(clock[0])
        clock[0] += 1.0

    monkeypatch.setattr(board_module, "LIVE", True)
    monkeypatch.setattr(board_module.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(d2l.ProgressBoard, "_print", slow)
    board = d2l.ProgressBoard()
    while clock[0] < 85:
        board.draw(clock[0], 1.0, "a")
        clock[0] += 0.1
    assert 2 <= len(drawings) <= 3


def test_a_board_names_its_curves(board):
    board.draw(0, 0, "loss")
    assert repr(board) == "ProgressBoard(loss)"

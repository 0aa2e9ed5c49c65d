"""d2lib's line plots: what is drawn, for every kind of input, and what D2L's helper gets wrong."""

import inspect
import subprocess
import sys
from datetime import date

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib import pyplot as plt

import d2lib as d2l


@pytest.fixture(autouse=True)
def _fresh_figures():
    with mpl.rc_context():
        yield
    plt.close("all")


def drawn() -> list[tuple[list, list]]:
    return [(line.get_xdata().tolist(), line.get_ydata().tolist()) for line in plt.gca().lines]


@pytest.mark.parametrize(
    "data",
    [
        [1, 4, 9],
        (1.0, 4.0, 9.0),
        np.array([1, 4, 9]),
        pd.Series([1, 4, 9], index=[7, 8, 9]),
        torch.tensor([1, 4, 9]),
        torch.tensor([1.0, 4.0, 9.0], requires_grad=True),
        torch.tensor([1, 4, 9], dtype=torch.bfloat16),
        [torch.tensor(1), torch.tensor(4.0), np.float32(9)],
        [torch.tensor(v, requires_grad=True) for v in (1.0, 4.0, 9.0)],
        [[1, 4, 9]],
        torch.tensor([[1, 4, 9]]),
        torch.tensor([[1], [4], [9]]),
        [np.array([[1], [4], [9]])],
        pd.DataFrame({"loss": [1, 4, 9]}),
    ],
)
@pytest.mark.filterwarnings("error")
def test_one_series_of_any_kind(data):
    d2l.plot(data)
    assert drawn() == [([0, 1, 2], [1, 4, 9])]


@pytest.mark.parametrize(
    ("X", "Y"),
    [
        ([1, 2], [[3, 4], [5, 6]]),
        ([[1, 2]], torch.tensor([[3, 4], [5, 6]])),
        (torch.tensor([1, 2]), [torch.tensor([3, 4]), np.array([5, 6])]),
        (torch.tensor([[1, 2], [1, 2]]), torch.tensor([[3, 4], [5, 6]])),
        (torch.tensor([[1], [2]]), torch.tensor([[3, 4], [5, 6]])),
        (pd.Series([1, 2]), pd.DataFrame({"a": [3, 4], "b": [5, 6]})),
    ],
)
def test_several_series(X, Y):
    d2l.plot(X, Y)
    assert drawn() == [([1, 2], [3, 4]), ([1, 2], [5, 6])]


def test_series_of_different_lengths():
    d2l.plot([[1, 2], [1, 2, 3]], [[3, 4], [5, 6, 7]])
    assert drawn() == [([1, 2], [3, 4]), ([1, 2, 3], [5, 6, 7])]


@pytest.mark.parametrize(
    ("X", "Y", "message"),
    [
        ([1, 2, 3], [4, 5], "3 values of X for 2 of Y, in series 0"),
        ([[1, 2], [1, 2]], [[1, 2], [1, 2], [1, 2]], "2 series of X for 3 of Y"),
        ([[1, 2], [1, 2]], [1, 2], "2 series of X for 1 of Y"),
        (torch.ones(2, 3, 4), None, "a series of shape \\(2, 3, 4\\)"),
        (torch.tensor(1.0), None, "a series of shape \\(\\)"),
        ([], None, "a series of shape \\(0,\\)"),
        ([1, 2], [float("nan")] * 2, "series 0 has no finite value"),
    ],
)
def test_what_does_not_pair_up_is_an_error(X, Y, message):
    with pytest.raises(ValueError, match=message):
        d2l.plot(X, Y)
    assert not plt.get_fignums(), "nothing is half drawn"


@pytest.mark.parametrize("fmts", [("-", "m--", "g-.", "r:"), ("C0o-", "k")])
@pytest.mark.filterwarnings("error")
def test_all_of_six_series_are_drawn_and_can_be_told_apart(fmts):
    d2l.plot([0, 1], [[k, k] for k in range(6)], fmts=fmts)
    looks = {(line.get_linestyle(), line.get_color()) for line in plt.gca().lines}
    assert len(plt.gca().lines) == len(looks) == 6


def test_a_column_against_a_column_is_one_line():
    x = torch.linspace(-1, 1, 50).reshape(-1, 1)
    d2l.plot(x, x**2)
    assert drawn() == [(x.flatten().tolist(), (x**2).flatten().double().tolist())]


@pytest.mark.parametrize("fmts", [("-",), ("o",)])
@pytest.mark.filterwarnings("error")
def test_a_single_point_is_seen(fmts):
    d2l.plot([3.0], [4.0], fmts=fmts)
    assert plt.gca().lines[0].get_marker() in ".o"


@pytest.mark.parametrize(
    ("days", "kind"),
    [
        (np.array(["2026-01-30", "2026-01-31", "2026-02-01"], dtype="datetime64[D]"), "Date"),
        (pd.Series(pd.date_range("2026-01-30", periods=3)), "Date"),
        ([date(2026, 1, 30), date(2026, 1, 31), date(2026, 2, 1)], "Date"),
        (["sgd", "adam", "lbfgs"], "StrCategory"),
    ],
)
def test_dates_and_names_stay_what_they_are(days, kind):
    d2l.plot(days, [1, 2, 3])
    assert kind in type(plt.gca().xaxis.get_major_formatter()).__name__
    assert drawn()[0][1] == [1, 2, 3]


@pytest.mark.parametrize("values", [torch.ones(2) * 1j, [None, 1.0], np.ones(2, "m8[s]")])
def test_what_is_no_number_date_or_name_is_refused(values):
    with pytest.raises(TypeError, match="plot draws numbers, dates and names, not"):
        d2l.plot(values)
    assert not plt.get_fignums()


def test_a_figure_that_would_show_less_than_it_says_is_refused():
    with pytest.raises(ValueError, match="yscale is log, but series 1 has no positive value"):
        d2l.plot([1, 2], [[1, 2], [-1, -2]], yscale="log")
    with pytest.raises(ValueError, match="xscale is log, but series 0 has no positive value"):
        d2l.plot([-1, 0], [1, 2], xscale="log")
    with pytest.raises(ValueError, match="legend names 2 series, but plot got 1"):
        d2l.plot([1, 2], legend=["train", "val"])


def test_labels_scales_limits_legend_and_grid():
    d2l.plot([1, 10], [1, 100], "step", "loss", ["train"], (1, 10), (1, 100), "log", "log")
    axes = plt.gca()
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("step", "loss")
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert (axes.get_xlim(), axes.get_ylim()) == ((1, 10), (1, 100))
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["train"]
    assert axes.xaxis.get_gridlines()[0].get_visible()


def test_given_axes_are_drawn_on_and_global_settings_stay():
    before = dict(mpl.rcParams)
    _, (left, right) = plt.subplots(1, 2)
    d2l.plot([1, 2], axes=left)
    assert (len(left.lines), len(right.lines)) == (1, 0)
    assert dict(mpl.rcParams) == before


def test_drawing_again_replaces_lines_and_keeps_the_grid():
    for _ in range(2):
        d2l.plot([1, 2])
    assert len(plt.gca().lines) == 1
    assert plt.gca().xaxis.get_gridlines()[0].get_visible()


def test_set_figsize_sets_inches():
    d2l.set_figsize((4, 3))
    assert mpl.rcParams["figure.figsize"] == [4, 3]


def test_a_script_stays_itself():
    script = "import IPython, sys, d2lib; me = sys.modules['__main__']; d2lib.use_svg_display()"
    subprocess.run(
        [sys.executable, "-c", f"{script}; assert sys.modules['__main__'] is me"], check=True
    )


def test_svg_has_the_same_bytes_on_each_run(tmp_path):
    d2l.use_svg_display()
    for name in ("a.svg", "b.svg"):
        d2l.plot([1, 4, 9])
        plt.savefig(tmp_path / name, metadata={"Date": None, "Creator": None})
        plt.close()
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_signatures_are_those_that_readers_of_d2l_know():
    signature = inspect.signature(d2l.plot)
    assert " ".join(signature.parameters) == (
        "X Y xlabel ylabel legend xlim ylim xscale yscale fmts figsize axes"
    )
    assert signature.parameters["fmts"].default == ("-", "m--", "g-.", "r:")
    assert signature.parameters["figsize"].default == (3.5, 2.5)
    assert " ".join(inspect.signature(d2l.set_axes).parameters) == (
        "axes xlabel ylabel xlim ylim xscale yscale legend"
    )
    assert not any(isinstance(p.default, list) for p in signature.parameters.values())

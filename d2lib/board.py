"""Curves that are drawn while something runs."""

import os
import sys
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from d2lib.interrupt import uninterrupted
from d2lib.plotting import set_axes, use_svg_display
from d2lib.values import numbers, recorded

LIVE = os.environ.get("D2LIB_LIVE", "1") != "0"  # "0": nobody watches, draw once at the end


class Point(NamedTuple):
    """One mark on the board."""

    x: float
    y: Any


class ProgressBoard:
    """Draw curves while something runs: `draw(x, y, label, every_n)` adds a point to a curve.

    In a live notebook one figure is updated in place, at most a few times a second; where nobody
    watches, and at the end (`flush`), the whole is drawn once; outside notebooks the newest values
    of one x are printed instead, as one line (`prints=False`, which a Trainer sets, leaves them
    out). `data[label]` holds a curve's points, `raw_points[label]` those not yet averaged.
    `display=False` draws nothing.

    Taught in `linear_regression/object_oriented_design`.
    """

    def __init__(
        self,
        xlabel: str | None = None,
        ylabel: str | None = None,
        xlim: tuple[float, float] | None = None,
        ylim: tuple[float, float] | None = None,
        xscale: str = "linear",
        yscale: str = "linear",
        ls: Sequence[str] = ("-", "--", "-.", ":"),
        colors: Sequence[str] = ("C0", "C1", "C2", "C3"),
        fig=None,
        axes=None,
        figsize: tuple[float, float] = (3.5, 2.5),
        display: bool = True,
    ):
        self.xlabel, self.ylabel, self.xlim, self.ylim = xlabel, ylabel, xlim, ylim
        self.xscale, self.yscale, self.ls, self.colors = xscale, yscale, ls, colors
        self.fig, self.axes, self.figsize, self.display = fig, axes, figsize, display
        self._waiting = False
        self.clear()

    def draw(self, x: float, y: Any, label: str, every_n: float = 1) -> None:
        """Add the point (x, y) to the curve `label`; every `every_n` points become their mean.

        Where `until` was set just before, it decides instead: the points of a curve with the same
        `until` become one, when the curve reaches that x or another curve goes beyond it.
        """
        point, until, self.until = Point(recorded(x, "x"), recorded(y, label)), self.until, None
        ends = self._ends.items()
        past = [k for k, end in ends if end < point.x or (k == label and end != until)]
        points = self.raw_points.setdefault(label, [])
        self.data.setdefault(label, [])
        for other in past:
            self._average(other)
        points.append(point)
        if until is not None:
            self._ends[label] = until
        if len(points) >= max(1, round(every_n)) if until is None else point.x >= until:
            past.append(label)
            self._average(label)
        if past:
            self.show()

    def __repr__(self) -> str:
        return f"ProgressBoard({', '.join(self.data)})"

    def clear(self) -> None:
        """Forget all points; the next figure is a new one."""
        self.data: dict[str, list[Point]] = {}
        self.raw_points: dict[str, list[Point]] = {}
        self._ends: dict[str, float] = {}  # by label: the x at which its raw points are complete
        self._line: dict[str, Point] = {}  # the points of the newest x, not yet printed
        self._previous: dict[str, Point] = {}  # those of the x before it
        self.until, self.prints = None, True
        self._handle, self._next, self._stale = None, None, False

    def flush(self) -> None:
        """Average what is left over, and show the final state."""
        for label in self.raw_points:
            self._average(label)
        if self._line:
            self._previous, self._line = self._line, {}
        self._show_now()
        self._handle = None

    def _average(self, label: str) -> None:
        """Make the raw points of a curve one point: their mean."""
        self._ends.pop(label, None)
        if not self.raw_points[label]:
            return
        point = _mean(self.raw_points[label])
        self.raw_points[label].clear()
        self.data[label].append(point)
        self._stale = True
        if any(other.x != point.x for other in self._line.values()):
            self._previous, self._line = self._line, {}
        self._line[label] = point

    def show(self) -> None:
        """Show the curves, unless that was done a moment ago: then, or when the cell ends."""
        notebook, now = _notebook(), time.monotonic()
        if not self.display or (not notebook and not LIVE):
            return
        if self._next is None:
            self._next = now + 0.5
        if notebook and not self._waiting:
            self._waiting = True
            notebook.events.register("post_execute", self._end_cell)
        if LIVE and now >= self._next:
            self._show_now()

    def _end_cell(self) -> None:
        _notebook().events.unregister("post_execute", self._end_cell)
        self._waiting = False
        if self._stale:
            self._show_now()
        self._handle = None  # the next cell gets a figure of its own

    def _show_now(self) -> None:
        self._stale = False
        if not self.display or not any(self.data.values()):
            return
        began = time.monotonic()
        with uninterrupted():
            self._update() if _notebook() else self._print()
        now = time.monotonic()
        self._next = now + max(0.5, 40 * (now - began))  # drawing takes at most 1/40 of the time

    def render(self):
        """Draw all curves anew on the board's own axes, and return the figure."""
        if self.axes is None:
            from matplotlib.figure import Figure

            self.fig = self.fig or Figure(figsize=self.figsize)
            self.axes = self.fig.subplots()
        self.axes.cla()
        for number, (label, points) in enumerate(self.data.items()):
            every = -(-len(points) // 1000) or 1
            points = points[:-1][::every] + points[-1:]  # at most 1,001 a curve
            style = {"ls": self.ls[number % len(self.ls)], "label": label}
            style["color"] = self.colors[number] if number < len(self.colors) else f"C{number}"
            style["marker"] = "." if len(points) == 1 else ""  # a line of one point is invisible
            self.axes.plot([p.x for p in points], [p.y for p in points], **style)
        limits = self.xlim, self.ylim
        set_axes(self.axes, self.xlabel, self.ylabel, *limits, self.xscale, self.yscale, [])
        if self.data:
            self.axes.legend()
        return self.axes.figure

    def _update(self) -> None:
        from IPython.display import display

        use_svg_display()
        figure = self.render()
        if self._handle is None:
            self._handle = display(figure, display_id=True)
        else:
            self._handle.update(figure)

    def _print(self) -> None:
        """Print the points of one x: the newest, or the one before it while a curve lacks one."""
        known = any(len(points) > 1 for points in self.data.values())  # which curves there are
        if known and self._line.keys() == self.data.keys():
            self._previous, self._line = self._line, {}
        if self.prints and self._previous:
            values = {label: point.y for label, point in self._previous.items()}
            print(line(self.xlabel, next(iter(self._previous.values())).x, values))
        self._previous = {}


def tell(board: Any, x: float, values: dict[str, float], last: bool) -> None:
    """Outside notebooks print a line of `values`, as of `x`, for what the board shows.

    After 100 lines at most two a second; where nobody watches, the last alone.
    """
    if not board.display or not values or _notebook():
        return
    now = time.monotonic()
    if last or (LIVE and (x <= 100 or now >= board.told + 0.5)):
        board.told = now
        print(line(board.xlabel, x, values))


def line(xlabel: str | None, x: float, values: dict[str, float]) -> str:
    """What is printed for the values of one x, such as `epoch 3: train_loss 0.25, val_loss 0.3`."""
    shown = ", ".join(f"{label} {value:.4g}" for label, value in values.items())
    return f"{xlabel or 'x'} {x:.6g}: {shown}"


def _notebook():
    """The IPython shell of the notebook that runs this; None elsewhere."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return shell if hasattr(shell, "kernel") else None


def _mean(points: list[Point]) -> Point:
    xs, ys = zip(*points, strict=True)
    return Point(sum(numbers(xs)) / len(xs), sum(numbers(ys)) / len(ys))

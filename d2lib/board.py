"""What a training run measured (History), and its drawing (ProgressBoard)."""

import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from d2lib.plotting import set_axes, use_svg_display

LIVE = os.environ.get("D2LIB_LIVE", "1") != "0"  # "0": nobody watches, draw once at the end


class History:
    """The record of one training run, as plain data: it prints, plots, saves and compares.

    `history["val_loss"]` is a list with one number per epoch; `epochs` holds all such lists,
    `steps` one list per measured training value with one number per step, `seconds` the wall time
    of each epoch. `about` says what ran: seed, device, versions, hyperparameters. Values of
    training steps are means over examples as they were measured, each before its own update.

    Taught in `linear_regression/object_oriented_design`.
    """

    def __init__(self, about: dict | None = None):
        self.about = about or {}
        self.steps: dict[str, list[float]] = {}
        self.epochs: dict[str, list[float]] = {}
        self.seconds: list[float] = []
        self._pending: dict[str, list[tuple[Any, int]]] = {}

    def __getitem__(self, label: str) -> list[float]:
        if label not in self.epochs:
            raise KeyError(f"no {label!r} was measured: there is {', '.join(self.epochs) or None}")
        return self.epochs[label]

    def add(self, label: str, value: Any, rows: int = 1) -> None:
        """Keep one batch's `value`, a mean over `rows` examples; a tensor stays on its device."""
        if isinstance(value, torch.Tensor) and value.numel() != 1:
            raise ValueError(f"{label} has shape {tuple(value.shape)}: record one number")
        self._pending.setdefault(label, []).append((_detached(value), rows))

    def end_epoch(self) -> None:
        """Average what was added, weighted by examples; move it to the host, all at once."""
        for label, pairs in self._pending.items():
            values, rows = zip(*pairs, strict=True)
            numbers = _numbers(values)
            if label.startswith("train_"):
                self.steps.setdefault(label, []).extend(numbers)
            mean = sum(v * n for v, n in zip(numbers, rows, strict=True)) / sum(rows)
            self.epochs.setdefault(label, []).append(mean)
        self._pending = {}

    def __eq__(self, other: object) -> bool:
        """Whether two runs measured the same, to the bit; seconds and `about` may differ."""
        if not isinstance(other, History):
            return NotImplemented
        return self.epochs == other.epochs and self.steps == other.steps

    __hash__ = None

    def __repr__(self) -> str:
        table = [["epoch", *self.epochs]]
        for epoch in range(len(self.seconds)):
            columns = self.epochs.values()
            row = [f"{column[epoch]:.4g}" if epoch < len(column) else "" for column in columns]
            table.append([str(epoch + 1), *row])
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        return "\n".join(
            "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
            for row in table
        )

    def frame(self):
        """A pandas DataFrame: one row per epoch (1, 2, ...), one column per measured value."""
        import pandas as pd

        index = pd.RangeIndex(1, len(self.seconds) + 1, name="epoch")
        columns = {**self.epochs, "seconds": self.seconds}
        return pd.DataFrame({k: pd.Series(v, index[: len(v)]) for k, v in columns.items()}, index)

    def plot(self, **options: Any) -> "ProgressBoard":
        """Draw every value by epoch on a board; `options` are ProgressBoard's."""
        board = ProgressBoard(xlabel="epoch", **options)
        for label, values in self.epochs.items():
            for epoch, value in enumerate(values, 1):
                board.data.setdefault(label, []).append(Point(epoch, value))
        board.flush()
        return board

    def save(self, path: str | Path) -> None:
        """Write the record as JSON, whole or not at all."""
        names = ("about", "seconds", "epochs", "steps")
        text = json.dumps({name: getattr(self, name) for name in names}, indent=1, default=str)
        whole = Path(f"{path}.part")
        whole.write_text(text, encoding="utf-8")
        whole.replace(path)

    @classmethod
    def load(cls, path: str | Path) -> "History":
        """Read what `save` wrote."""
        history = cls()
        vars(history).update(json.loads(Path(path).read_text(encoding="utf-8")))
        return history


def about(trainer: Any, model: Any, data: Any) -> dict:
    """What decides the numbers of a run, as plain values: for its History."""
    from d2lib import __version__

    libraries = {"torch": torch.__version__, "d2lib": __version__}
    known = {"seed": trainer.seed, "device": str(trainer.device)}
    known["versions"] = {"python": platform.python_version()} | libraries
    for name, part in (("model", model), ("data", data), ("trainer", trainer)):
        hparams = getattr(part, "hparams", {}).items()
        plain = {k: v for k, v in hparams if isinstance(v, bool | int | float | str | None)}
        short = {k: v for k, v in hparams if isinstance(v, list | tuple) and len(v) <= 100}
        known[name] = {"class": type(part).__name__} | plain | short
    return known


class Point(NamedTuple):
    """One mark on the board."""

    x: float
    y: Any


class ProgressBoard:
    """Draw curves while something runs: `draw(x, y, label, every_n)` adds a point to a curve.

    In a live notebook one figure is updated in place, at most a few times a second; where nobody
    watches, and at the end (`flush`), the whole is drawn once; outside notebooks the newest values
    are printed instead. `data[label]` holds a curve's points, `raw_points[label]` those not yet
    averaged. `display=False` draws nothing.

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
        self.data: dict[str, list[Point]] = {}
        self.raw_points: dict[str, list[Point]] = {}
        self._handle, self._next, self._waiting = None, None, False

    def draw(self, x: float, y: Any, label: str, every_n: float = 1) -> None:
        """Add the point (x, y) to the curve `label`; every `every_n` points become their mean."""
        points = self.raw_points.setdefault(label, [])
        curve = self.data.setdefault(label, [])
        points.append(Point(x, _detached(y)))
        if len(points) >= max(1, round(every_n)):
            curve.append(_mean(points))
            points.clear()
            self.show()

    def clear(self) -> None:
        """Forget all points; the next figure is a new one."""
        self.data, self.raw_points, self._handle, self._next = {}, {}, None, None

    def flush(self) -> None:
        """Average what is left over, and show the final state."""
        for label, points in self.raw_points.items():
            if points:
                self.data[label].append(_mean(points))
                points.clear()
        self._show_now()
        self._handle = None

    def show(self) -> None:
        """Show the curves, unless that was done a moment ago: then, or when the cell ends."""
        notebook, now = _notebook(), time.monotonic()
        if not self.display or (not notebook and not LIVE):
            return
        if self._next is None:
            self._next = now + 0.5
        if LIVE and now >= self._next:
            self._show_now()
        elif notebook and not self._waiting:
            self._waiting = True
            notebook.events.register("post_execute", self._show_waiting)

    def _show_waiting(self) -> None:
        _notebook().events.unregister("post_execute", self._show_waiting)
        if self._waiting:
            self._show_now()

    def _show_now(self) -> None:
        self._waiting = False
        if not self.display or not any(self.data.values()):
            return
        began = time.monotonic()
        if _notebook():
            self._update()
        else:
            self._print()
        now = time.monotonic()
        self._next = now + max(0.5, 30 * (now - began))  # drawing takes at most 1/30 of the time

    def render(self):
        """Draw all curves anew on the board's own axes, and return the figure."""
        if self.axes is None:
            from matplotlib.figure import Figure

            self.fig = self.fig or Figure(figsize=self.figsize)
            self.axes = self.fig.subplots()
        self.axes.cla()
        for number, (label, points) in enumerate(self.data.items()):
            points = points[:: -(-len(points) // 1000) or 1]  # at most 1,000 a curve
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
        newest = {label: points[-1] for label, points in self.data.items() if points}
        values = ", ".join(f"{label} {point.y:.4g}" for label, point in newest.items())
        x = max(point.x for point in newest.values())
        print(f"{self.xlabel or 'x'} {x:.4g}: {values}")


def _notebook():
    """The IPython shell of the notebook that runs this; None elsewhere."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return shell if hasattr(shell, "kernel") else None


def _detached(value: Any) -> Any:
    """A tensor without its graph, on its device; any other value as it is."""
    return value.detach() if isinstance(value, torch.Tensor) else value


def _mean(points: list[Point]) -> Point:
    xs, ys = zip(*points, strict=True)
    return Point(sum(xs) / len(xs), sum(_numbers(ys)) / len(ys))


def _numbers(values: Sequence[Any]) -> list[float]:
    """The values as Python floats; tensors cross to the host together."""
    if isinstance(values[0], torch.Tensor):
        stacked = torch.stack([value.reshape(()) for value in values])
        return stacked.cpu().double().tolist()
    return [float(value) for value in values]

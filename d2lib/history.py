"""What a training run measured, as plain data."""

import json
import math
import os
import platform
import sys
from pathlib import Path
from typing import Any

import torch

from d2lib.board import Point, ProgressBoard
from d2lib.values import detached, numbers, plain

RUNS = os.environ.get("D2LIB_RUNS")  # where `make full` collects the final numbers of each run


class History:
    """The record of one training run, as plain data: it prints, plots, saves and compares.

    `history["val_loss"]` is a list with one number per epoch; `epochs` holds all such lists,
    `steps` one list per measured training value with one number per step, `seconds` the wall time
    of each epoch. `about` says what ran: seed, device, versions, hyperparameters. Values of
    training steps are means over examples as they were measured, each before its own update.

    Taught in `linear_regression/object_oriented_design`.
    """

    SAVED = ("about", "seconds", "epochs", "steps")

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
        self._pending.setdefault(label, []).append((detached(value), rows))

    def end_epoch(self) -> None:
        """Average what was added, weighted by examples; move it to the host, all at once."""
        for label, pairs in self._pending.items():
            values, rows = zip(*pairs, strict=True)
            measured = numbers(values)
            if label.startswith("train_"):
                self.steps.setdefault(label, []).extend(measured)
            mean = sum(v * n for v, n in zip(measured, rows, strict=True)) / sum(rows)
            means = self.epochs.setdefault(label, [])
            means += [math.nan] * (len(self.seconds) - len(means))  # epochs without this value
            means.append(mean)
        self._pending = {}

    def __eq__(self, other: object) -> bool:
        """Whether two runs measured the same, to the bit; seconds and `about` may differ."""
        if not isinstance(other, History):
            return NotImplemented
        return repr([self.epochs, self.steps]) == repr([other.epochs, other.steps])  # nan is nan

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

    def plot(self, **options: Any):
        """Draw every value by epoch on a ProgressBoard, which takes the `options`; returns it."""
        board = ProgressBoard(xlabel="epoch", **options)
        for label, values in self.epochs.items():
            for epoch, value in enumerate(values, 1):
                board.data.setdefault(label, []).append(Point(epoch, value))
        board.flush()
        return board

    def save(self, path: str | Path) -> None:
        """Write the record as JSON, whole or not at all."""
        text = json.dumps({name: getattr(self, name) for name in self.SAVED}, indent=1)
        whole = Path(f"{path}.part")
        whole.write_text(text, encoding="utf-8")
        whole.replace(path)

    def log(self) -> None:
        """Add what ran, its final numbers and its seconds, as one line, to the file RUNS."""
        if RUNS:
            final = {label: values[-1] for label, values in self.epochs.items()}
            line = {"about": self.about, "final": final, "seconds": round(sum(self.seconds), 2)}
            with open(RUNS, "a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")

    @classmethod
    def load(cls, path: str | Path) -> "History":
        """Read what `save` wrote."""
        history, record = cls(), json.loads(Path(path).read_text(encoding="utf-8"))
        if not isinstance(record, dict) or set(record) != set(cls.SAVED):
            raise ValueError(f"{path} holds no history: History.save did not write it")
        vars(history).update(record)
        return history


def about(trainer: Any, model: Any, data: Any) -> dict:
    """What ran: seed, device, versions, hyperparameters, as plain values for a History."""
    libraries = {"torch": torch.__version__, "d2lib": sys.modules["d2lib"].__version__}
    known = {"seed": trainer.seed, "device": str(trainer.device)}
    known["versions"] = {"python": platform.python_version()} | libraries
    for name, part in (("model", model), ("data", data), ("trainer", trainer)):
        hparams = getattr(part, "hparams", {}).items()
        known[name] = {"class": type(part).__name__} | {k: plain(v) for k, v in hparams}
    return known

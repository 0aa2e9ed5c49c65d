"""What a training run measured, as plain data."""

import json
import math
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from d2lib.board import Point, ProgressBoard
from d2lib.values import numbers, plain, recorded

PLACES = ("root", "checkpoint")  # where files lie says nothing of a run
RUNS = os.environ.get("D2LIB_RUNS")  # where `make full` collects the final numbers of each run


class History:
    """The record of one training run, as plain data: it prints, plots, saves and compares.

    `history["val_loss"]` is a list with one number per epoch; `epochs` holds all such lists,
    `steps` one list per measured training value with one number per step, `seconds` the wall time
    of each epoch. `about` says what ran: seed, device, versions, hyperparameters, the optimizer's
    settings. Values of training steps are means over examples as they were measured, each before
    its own update.

    Taught in `linear_regression/object_oriented_design`.
    """

    SAVED = ("about", "seconds", "epochs", "steps")

    def __init__(self, about: dict | None = None):
        self.about = plain(about or {})
        self.steps: dict[str, list[float]] = {}
        self.epochs: dict[str, list[float]] = {}
        self.seconds: list[float] = []
        self._pending: dict[str, list[tuple[Any, int]]] = {}

    def __getitem__(self, label: str) -> list[float]:
        if label not in self.epochs:
            raise KeyError(f"no {label!r} was measured: there is {', '.join(self.epochs) or None}")
        return list(self.epochs[label])

    def add(self, label: str, value: Any, rows: float | torch.Tensor = 1) -> None:
        """Keep one batch's `value`, a mean over `rows` examples; tensors stay on their device.

        What is a mean over 0 examples counts for nothing, nan included. Raises ValueError for
        several numbers, TypeError for what is none.
        """
        if isinstance(rows, torch.Tensor):
            rows = recorded(rows, f"rows of {label}")
        self._pending.setdefault(label, []).append((recorded(value, label), rows))

    def end_epoch(self, merge: Callable | None = None) -> dict[str, list[tuple[float, float]]]:
        """Average what was added, weighted by examples; move it to the host, all at once.

        `merge(values, rows)` makes the means of one process means over several.

        Returns by label what each batch of the epoch added: values, and the rows of each.
        """
        measured = {}
        for label, pairs in self._pending.items():
            values, rows = (numbers(column) for column in zip(*pairs, strict=True))
            values, rows = merge(values, rows) if merge else (values, rows)
            measured[label] = list(zip(values, rows, strict=True))
            if label.startswith("train_"):
                self.steps.setdefault(label, []).extend(values)
            means = self.epochs.setdefault(label, [])
            means += [math.nan] * (len(self.seconds) - len(means))  # epochs without this value
            means.append(_mean(measured[label]))
        self._pending = {}
        return measured

    def newest(self) -> dict[str, float]:
        """The values of the last epoch, by label; without those that it did not measure."""
        ended = len(self.seconds)
        return {label: means[-1] for label, means in self.epochs.items() if len(means) == ended}

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
        record = {name: getattr(self, name) for name in self.SAVED} | {"about": plain(self.about)}
        text = json.dumps(record, indent=1, default=plain)
        part = Path(f"{path}.part")
        try:
            part.write_text(text, encoding="utf-8")
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    def log(self) -> None:
        """Add what ran, its final numbers and its seconds, as one line, to the file RUNS."""
        if RUNS:
            final = {label: values[-1] for label, values in self.epochs.items()}
            line = {"about": plain(self.about), "final": final}
            line["seconds"] = round(sum(self.seconds), 2)
            with open(RUNS, "a", encoding="utf-8") as file:
                file.write(json.dumps(line, default=plain) + "\n")

    @classmethod
    def load(cls, path: str | Path) -> "History":
        """Read what `save` wrote."""
        history, record = cls(), json.loads(Path(path).read_text(encoding="utf-8"))
        if not isinstance(record, dict) or set(record) != set(cls.SAVED):
            raise ValueError(f"{path} holds no history: History.save did not write it")
        vars(history).update(record)
        return history


def about(trainer: Any, model: Any, data: Any) -> dict:
    """What runs, as it is when training begins: plain values for a History."""
    libraries = {"torch": torch.__version__, "d2lib": sys.modules["d2lib"].__version__}
    known = {"seed": trainer.seed, "device": trainer.device}
    known["versions"] = {"python": platform.python_version()} | libraries
    for name, part in (("model", model), ("data", data), ("trainer", trainer)):
        known[name] = {"class": type(part).__name__} | _hyperparameters(part)
    known["optimizer"] = _settings(trainer.optim)
    if trainer.processes.size > 1:
        known["processes"] = trainer.processes.size
    if trainer.scheduler is not None:
        known["schedule"] = {"class": type(trainer.scheduler).__name__}
    return plain(known)


def _hyperparameters(part: Any) -> dict:
    """The attributes that `save_hyperparameters` made, as they are now.

    Those that the constructor got otherwise come again under "as constructed", unless it got None,
    by which it was asked to choose.
    """
    hparams = getattr(part, "hparams", {})
    given = {name: plain(value) for name, value in hparams.items() if name not in PLACES}
    now = {name: plain(getattr(part, name, given[name])) for name in given}
    other = {k: v for k, v in given.items() if v is not None and v != now[k]}
    return now | ({"as constructed": other} if other else {})


def _settings(optim: Any) -> Any:
    """The class of an optimizer and its settings; several optimizers are a list."""
    if isinstance(optim, list | tuple):
        return [_settings(one) for one in optim]
    groups = getattr(optim, "param_groups", [{"lr": optim.lr} if hasattr(optim, "lr") else {}])
    kept = [{k: v for k, v in group.items() if k != "params"} for group in groups]
    return {"class": type(optim).__name__} | (kept[0] if len(kept) == 1 else {"groups": kept})


def _mean(pairs: list[tuple[float, float]]) -> float:
    """The mean of values, each a mean over some rows; nan where there are no rows at all."""
    counted = [(value, rows) for value, rows in pairs if rows]
    if not counted:
        return math.nan
    return sum(value * rows for value, rows in counted) / sum(rows for _, rows in counted)

"""The loop that trains a model: epochs of learning, then measuring."""

import math
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import nn

from d2lib.history import History, about
from d2lib.module import HyperParameters, Module


class Trainer(HyperParameters):
    """The loop: epochs of learning from each batch, then measuring; it knows nothing of models.

    `device` names one (default: the CPU, or with `num_gpus` an accelerator if there is one);
    `seed` seeds PyTorch when `fit` begins; `schedule(optimizer, steps)` makes a learning-rate
    scheduler, which steps after each batch; `gradient_clip_val` bounds the gradient's length.

    Taught in `linear_regression/object_oriented_design` and
    `linear_regression/linear_regression_scratch`.
    """

    def __init__(
        self,
        max_epochs: int,
        num_gpus: int = 0,
        gradient_clip_val: float = 0,
        *,
        device: str | torch.device | None = None,
        seed: int | None = None,
        schedule: Callable | None = None,
    ):
        self.save_hyperparameters()
        self.device = _device(device, num_gpus)

    def prepare_data(self, data) -> None:
        """Take the loaders of `data`, and move to the device those that can move as a whole."""
        self.num_rows = None  # of the batch at hand: prepare_batch says
        loaders = [data.train_dataloader(), data.val_dataloader()]
        for number, loader in enumerate(loaders):
            if hasattr(loader, "to"):
                loaders[number] = loader.to(self.device)
        self.train_dataloader, self.val_dataloader = loaders
        self.num_train_batches = _length(self.train_dataloader, "train_dataloader", data)
        none = self.val_dataloader is None
        self.num_val_batches = 0 if none else _length(self.val_dataloader, "val_dataloader", data)

    def prepare_model(self, model: Module) -> None:
        """Move the model to the device, and clear its board."""
        model.trainer = self
        model.board.clear()
        model.board.xlim = [0, self.max_epochs]
        self.model = model.to(self.device)

    def prepare_batch(self, batch: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """The batch on the device; its number of rows weighs what is measured on it."""
        self.num_rows = len(batch[-1])
        return [part.to(self.device) for part in batch]

    def fit(self, model: Module, data) -> History:
        """Train `model` on `data` for `max_epochs` epochs; returns what was measured.

        Raises FloatingPointError at the end of an epoch in which something measured was not finite
        (`history` has what was), ValueError for loaders without batches. The model keeps its
        trainer, and so the data: save its `state_dict()`, or set `model.trainer = None`.
        """
        if self.seed is not None:
            torch.manual_seed(self.seed)
        self.prepare_data(data)
        self.prepare_model(model)
        self.optim = model.configure_optimizers()
        steps = self.max_epochs * self.num_train_batches
        self.scheduler = self.schedule(self.optim, steps) if self.schedule else None
        self.history = History(about(self, model, data))
        self.train_batch_idx = self.val_batch_idx = 0
        try:
            for epoch in range(self.max_epochs):
                self.epoch, started = epoch, time.perf_counter()
                self.fit_epoch()
                self.end_epoch(started)
        finally:
            model.board.flush()
        self.history.log()
        return self.history

    def fit_epoch(self) -> None:
        """Learn from each training batch once, then measure all validation batches."""
        self.model.train()
        for batch in self.train_dataloader:
            loss = self.model.training_step(self.prepare_batch(batch))
            self.optim.zero_grad()
            loss.backward()
            if self.gradient_clip_val > 0:
                self.clip_gradients(self.gradient_clip_val, self.model)
            with torch.no_grad():
                self.optim.step()
            if self.scheduler is not None:
                self.scheduler.step()
            self.train_batch_idx += 1
        if self.val_dataloader is None:
            return
        self.model.eval()
        with torch.no_grad():
            for batch in self.val_dataloader:
                self.model.validation_step(self.prepare_batch(batch))
                self.val_batch_idx += 1

    def clip_gradients(self, grad_clip_val: float, model: Module) -> None:
        """Shorten the gradient of all parameters together to length `grad_clip_val`, if longer."""
        nn.utils.clip_grad_norm_(model.parameters(), grad_clip_val)

    def record(self, key: str, value: Any, train: bool) -> None:
        """Keep a batch's `value` for the history; training values also go to the board."""
        label = f"train_{key}" if train else f"val_{key}"
        rows = self.num_rows or _unweighted(self)
        self.history.add(label, value, rows)
        per_epoch = self.model.plot_train_per_epoch
        if train and per_epoch > 0:
            x = self.train_batch_idx / self.num_train_batches
            self.model.board.draw(x, value, label, every_n=self.num_train_batches / per_epoch)

    def end_epoch(self, started: float) -> None:
        """Average the epoch's values, check that all are finite, draw the validation values."""
        self.history.end_epoch()
        self.history.seconds.append(time.perf_counter() - started)
        _check_finite(self)
        per_epoch = self.model.plot_valid_per_epoch
        for label, values in self.history.epochs.items():
            new = len(values) == self.epoch + 1
            if label.startswith("val_") and new and per_epoch > 0:
                self.model.board.draw(self.epoch + 1, values[-1], label, every_n=1 / per_epoch)


def _device(device: str | torch.device | None, num_gpus: int) -> torch.device:
    if device is None and num_gpus > 0:
        if torch.accelerator.is_available():
            return torch.accelerator.current_accelerator()
        warnings.warn(f"num_gpus={num_gpus}, but PyTorch finds none: using the CPU", stacklevel=3)
    try:
        return torch.empty(0, device="cpu" if device is None else device).device
    except (RuntimeError, AssertionError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"device {str(device)!r} is not there ({reason}); say 'cpu'") from error


def _unweighted(trainer: Trainer) -> int:
    trainer.num_rows = 1
    warnings.warn(
        "prepare_batch did not set self.num_rows = len(batch[-1]): batches count alike in every"
        " mean, whatever their size",
        stacklevel=4,
    )
    return 1


def _length(loader: Iterable, name: str, data: Any) -> int:
    what = f"{type(data).__name__}.{name}() returned a"
    try:
        length = len(loader)
    except TypeError as error:
        raise TypeError(
            f"{what} {type(loader).__name__}, which has no length: return what can be read in each"
            " epoch anew, such as a TensorLoader"
        ) from error
    if length == 0:
        raise ValueError(f"{what} loader without batches (for no validation, return None)")
    return length


def _learning_rate(optim: Any) -> Any:
    groups = getattr(optim, "param_groups", None)
    return groups[0]["lr"] if groups else getattr(optim, "lr", "unknown")


def _check_finite(trainer: Any) -> None:
    """Raise FloatingPointError where a mean of the newest epoch is not a finite number."""
    for label, means in trainer.history.epochs.items():
        mean = means[-1]
        if len(means) == trainer.epoch + 1 and not math.isfinite(mean):
            newest = trainer.history.steps.get(label, [])[-trainer.num_train_batches :]
            bad = [k for k, value in enumerate(newest, 1) if not math.isfinite(value)]
            where = f"batch {bad[0]} of epoch" if bad else "epoch"
            raise FloatingPointError(
                f"{label} is {mean} from {where} {trainer.epoch + 1} on, at learning rate"
                f" {_learning_rate(trainer.optim)}: try a smaller one, gradient_clip_val, or look"
                " for bad values in the data"
            )

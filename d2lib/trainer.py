"""The loop that trains a model: epochs of learning, then measuring."""

import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from d2lib.board import tell
from d2lib.checkpoint import load_checkpoint, save_checkpoint
from d2lib.checks import (
    check_batch,
    check_epoch,
    check_epochs,
    check_kept,
    check_loaders,
    check_made,
    check_more,
    check_parts,
    check_read,
    check_resume,
    check_step,
    check_weight,
)
from d2lib.devices import chosen, gpu
from d2lib.devices import num_gpus as count_gpus
from d2lib.history import History, about
from d2lib.interrupt import uninterrupted
from d2lib.module import HyperParameters, Module
from d2lib.parallel import Processes


class Trainer(HyperParameters):
    """The loop: epochs of learning from each batch, then measuring; it knows nothing of models.

    `device` names one (default: the CPU, or with `num_gpus` an accelerator if there is one);
    `seed` seeds PyTorch when `fit` begins; `schedule(optimizer, steps)` makes a learning-rate
    scheduler, which steps after each batch; `gradient_clip_val` bounds the gradient's length;
    `checkpoint` is the file in which each epoch's end is kept, for `fit(..., resume=True)`.

    Under torchrun all processes train one model, each on its rows of every batch
    (`builders_guide/data_parallel`). Taught in `linear_regression/object_oriented_design` and
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
        checkpoint: str | Path | None = None,
    ):
        check_epochs(max_epochs)
        self.save_hyperparameters()
        self.device = chosen(device, num_gpus)
        self.processes = Processes(self.device)
        self.gpus = [gpu(i) for i in range(min(num_gpus, count_gpus()))]

    def prepare_data(self, data) -> None:
        """Take the loaders of `data`, and move to the device those that can move as a whole."""
        self.num_rows = None  # of the batch at hand: prepare_batch says
        loaders = [data.train_dataloader(), data.val_dataloader()]
        self.num_train_batches, self.num_val_batches = check_loaders(*loaders, data)
        moved = [part.to(self.device) if hasattr(part, "to") else part for part in loaders]
        self.train_dataloader, self.val_dataloader = moved

    def prepare_model(self, model: Module) -> None:
        """Move the model to the device, and clear its board."""
        model.trainer = self
        model.board.clear()
        model.board.xlim, model.board.prints = [0, self.max_epochs], False
        self.model = model.to(self.device)

    def prepare_batch(self, batch: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """The batch on the device; override it for batches that are no tuples of tensors.

        `num_rows` weighs what is measured. It may be a tensor, and a model's step may set it.
        """
        check_batch(batch)
        self.num_rows = len(batch[-1])
        check_weight(self, batch)
        return [part.to(self.device) for part in batch]

    def fit(self, model: Module, data, *, resume: bool = False) -> History:
        """Train `model` on `data` for `max_epochs` epochs; returns what was measured.

        With `resume` it goes on from the checkpoint, if that file exists, to the same numbers and
        weights as a run without a break (`builders_guide/saving_and_loading`). Raises ValueError
        where the checkpoint is of another run.

        Afterwards, also where it breaks off, the model is in evaluation mode; it keeps its trainer,
        and so the data: save its `state_dict()`, or set `model.trainer = None`. Raises
        FloatingPointError after an epoch with a loss that is not finite (`history` has it).
        """
        check_parts(self, model, data)
        check_resume(self, resume)
        seed = self.processes.agreed(self.seed)
        if seed is not None:
            torch.manual_seed(seed)
        self.prepare_data(data)
        self.prepare_model(model)
        self.processes.divide(self)
        self.optim, self.scheduler = _optimizer(self)
        check_kept(self)
        self.history = History(about(self, model, data))
        self.train_batch_idx = self.val_batch_idx = self.batches_before = 0
        done = load_checkpoint(self) if resume else 0
        try:
            for epoch in range(done, self.max_epochs):
                self.epoch, started = epoch, time.perf_counter()
                self.fit_epoch()
                self.end_epoch(started)
        except RuntimeError as error:
            self.processes.explain(error)
            raise
        finally:
            self.processes.release(model)
            model.eval()
            model.board.flush()
        if self.processes.rank == 0:
            self.history.log()
        return self.history

    def fit_epoch(self) -> None:
        """Learn from each training batch once, then measure all validation batches."""
        self.model.train()
        for batch in self.train_dataloader:
            loss = self.model.training_step(self.prepare_batch(batch))
            check_step(self, loss)
            self.optim.zero_grad()
            loss.backward()
            if self.gradient_clip_val > 0:
                self.clip_gradients(self.gradient_clip_val, self.model)
            with torch.no_grad():
                self.optim.step()
            if self.scheduler is not None:
                self.scheduler.step()
            self.train_batch_idx += 1
        check_read(self, train=True)
        if self.val_dataloader is None:
            return
        self.model.eval()
        with torch.no_grad():
            for batch in self.val_dataloader:
                check_more(self, train=False)
                self.model.validation_step(self.prepare_batch(batch))
                self.val_batch_idx += 1
        check_read(self, train=False)

    def clip_gradients(self, grad_clip_val: float, model: Module) -> None:
        """Shorten the gradient of all parameters together to length `grad_clip_val`, if longer."""
        nn.utils.clip_grad_norm_(model.parameters(), grad_clip_val)

    def record(self, key: str, value: Any, train: bool) -> None:
        """Keep a batch's `value` for the history; training values also go to the board."""
        label = f"train_{key}" if train else f"val_{key}"
        self.history.add(label, value, _weight(self))
        if train and self.model.plot_train_per_epoch > 0:
            _draw_step(self, label, value)

    def end_epoch(self, started: float) -> None:
        """Average the epoch's values, check its losses, show the validation values."""
        measured = self.history.end_epoch(self.processes.merge)
        self.history.seconds.append(time.perf_counter() - started)
        check_epoch(self, measured)
        _draw_epoch(self)
        if self.checkpoint and self.processes.rank == 0:
            save_checkpoint(self)


def _optimizer(trainer: Trainer) -> tuple[Any, Any]:
    """The model's optimizer, and its schedule if there is one."""
    model, schedule = trainer.model, trainer.schedule
    with uninterrupted():  # PyTorch's first optimizer imports for seconds
        optim = model.configure_optimizers()
    check_made(optim, model.configure_optimizers, "an optimizer")
    if not schedule:
        return optim, None
    scheduler = schedule(optim, trainer.max_epochs * trainer.num_train_batches)
    check_made(scheduler, schedule, "a scheduler")
    return optim, scheduler


def _draw_step(trainer: Trainer, label: str, value: Any) -> None:
    """Draw a value of the training step at hand."""
    model, step, batches = trainer.model, trainer.train_batch_idx, trainer.num_train_batches
    every_n = batches / model.plot_train_per_epoch
    model.board.until = _group_end(step, every_n) / batches
    model.board.draw(step / batches, value, label, every_n=every_n)


def _draw_epoch(trainer: Trainer) -> None:
    """Draw the newest validation values; outside notebooks, print all that are newest."""
    model, ended, newest = trainer.model, trainer.epoch + 1, trainer.history.newest()
    every_n = 1 / model.plot_valid_per_epoch if model.plot_valid_per_epoch > 0 else None
    for label, value in newest.items():
        if label.startswith("val_") and every_n:
            model.board.until = _group_end(trainer.epoch, every_n)
            model.board.draw(ended, value, label, every_n=every_n)
    tell(model.board, ended, newest, last=ended == trainer.max_epochs)


def _group_end(step: int, every_n: float) -> int:
    """The step that comes after the group of `every_n` steps to which `step` belongs."""
    size = max(1, round(every_n))
    return (step // size + 1) * size


def _weight(trainer: Trainer) -> float | torch.Tensor:
    """How many examples the values of the batch at hand are means over."""
    if trainer.processes.idle:
        return 0
    if trainer.num_rows is None:
        trainer.num_rows = 1
        warnings.warn(
            "prepare_batch did not set self.num_rows = len(batch[-1]): batches count alike in every"
            " mean, whatever their size",
            stacklevel=4,
        )
    return trainer.num_rows

"""What every training shares: the model's frame (Module, Classifier) and the loop (Trainer)."""

import inspect
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from d2lib.board import ProgressBoard
from d2lib.history import History, about, check_finite


def add_to_class(Class: type) -> Callable:
    """Make the decorated function a method of `Class`, also for its living instances.

    Taught in `linear_regression/object_oriented_design`.
    """

    def wrapper(obj):
        setattr(Class, obj.__name__, obj)
        return obj

    return wrapper


class HyperParameters:
    """Keep the arguments of `__init__` as attributes and in the dictionary `hparams`.

    Taught in `linear_regression/object_oriented_design`.
    """

    def save_hyperparameters(self, ignore: str | Sequence[str] = ()) -> None:
        """Call this in `__init__`, after `super().__init__()`: stores the arguments of `__init__`,
        except those named in `ignore` and those that begin with an underscore."""
        frame = inspect.currentframe().f_back
        code, values = frame.f_code, frame.f_locals
        names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        ignore = {names[0], *([ignore] if isinstance(ignore, str) else ignore)}
        kept = {k: values[k] for k in names if k not in ignore and not k.startswith("_")}
        self.hparams = {**getattr(self, "hparams", {}), **kept}
        for name, value in kept.items():
            setattr(self, name, value)

    def __repr__(self) -> str:
        shown = ", ".join(f"{k}={v!r}" for k, v in getattr(self, "hparams", {}).items())
        return f"{type(self).__name__}({shown})"


class Module(nn.Module, HyperParameters):
    """A model that knows its loss and its optimizer; the Trainer knows the rest.

    Taught in `linear_regression/object_oriented_design`.
    """

    def __init__(self, plot_train_per_epoch: float = 2, plot_valid_per_epoch: float = 1):
        super().__init__()
        self.save_hyperparameters()
        self.board = ProgressBoard(xlabel="epoch")
        self.trainer = None

    def loss(self, y_hat: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """The number to be made small, for predictions and labels of a batch."""
        raise NotImplementedError(f"{type(self).__name__} needs a method loss(y_hat, y)")

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """The prediction for a batch of inputs."""
        if not hasattr(self, "net"):
            raise NotImplementedError(f"{type(self).__name__} needs an attribute net, or forward")
        return self.net(X)

    def training_step(self, batch: Sequence[torch.Tensor]) -> torch.Tensor:
        """The loss of one batch, which is all inputs and, last, the labels."""
        loss = self.loss(self(*batch[:-1]), batch[-1])
        self.plot("loss", loss, train=True)
        return loss

    def validation_step(self, batch: Sequence[torch.Tensor]) -> None:
        """Measure one batch, without learning from it."""
        loss = self.loss(self(*batch[:-1]), batch[-1])
        self.plot("loss", loss, train=False)

    def configure_optimizers(self):
        """What updates the parameters: SGD with learning rate `lr`, unless a model says otherwise.

        Taught in `linear_classification/classifier`.
        """
        if not any(True for _ in self.parameters()):
            raise ValueError(
                f"{type(self).__name__} has no parameters to train: assign nn.Parameter"
                " or layers to attributes in __init__, after super().__init__()"
            )
        return torch.optim.SGD(self.parameters(), lr=self.lr)

    def plot(self, key: str, value: Any, train: bool) -> None:
        """Record `value`, a mean over the batch, as `train_{key}` or `val_{key}`, and draw it."""
        if self.trainer is None:
            raise RuntimeError(f"{type(self).__name__}.plot needs a trainer: call Trainer.fit")
        self.trainer.record(key, value, train)


class Classifier(Module):
    """A model whose outputs are scores (logits) for classes, `(n, q)`, and its labels integers.

    Taught in `linear_classification/classifier`.
    """

    def validation_step(self, batch: Sequence[torch.Tensor]) -> None:
        """Measure loss and accuracy of one batch."""
        Y_hat = self(*batch[:-1])
        self.plot("loss", self.loss(Y_hat, batch[-1]), train=False)
        self.plot("acc", self.accuracy(Y_hat, batch[-1]), train=False)

    def accuracy(self, Y_hat: torch.Tensor, Y: torch.Tensor, averaged: bool = True) -> torch.Tensor:
        """The fraction of rows of `Y_hat` (scores, `(..., q)`) whose largest score is at the label.

        With `averaged=False` one number per row, 1.0 where right and 0.0 where wrong: `(n,)`.
        """
        Y_hat = Y_hat.reshape(-1, Y_hat.shape[-1])
        right = (Y_hat.argmax(dim=1) == Y.reshape(-1)).float()
        return right.mean() if averaged else right

    def loss(self, Y_hat: torch.Tensor, Y: torch.Tensor, averaged: bool = True) -> torch.Tensor:
        """The cross-entropy of the logits `(..., q)` against the labels, in nats.

        With `averaged=False` one number per row: `(n,)`.
        Taught in `linear_classification/softmax_regression_concise`.
        """
        Y_hat = Y_hat.reshape(-1, Y_hat.shape[-1])
        reduction = "mean" if averaged else "none"
        return F.cross_entropy(Y_hat, Y.reshape(-1), reduction=reduction)


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
        check_finite(self)
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

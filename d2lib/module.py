"""The model's frame: hyperparameters, Module, Classifier."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn import UninitializedParameter
from torch.nn import functional as F

from d2lib.board import ProgressBoard
from d2lib.values import snapshot


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

    An attribute is the argument itself. `hparams` is a record of what came: lists, dictionaries,
    sets and tensors of up to 100 items are copies, which stay as they were.

    Taught in `linear_regression/object_oriented_design`.
    """

    @property
    def hparams(self) -> dict[str, Any]:
        """The saved arguments, by name."""
        if "hparams" not in vars(self):
            raise AttributeError(f"{type(self).__name__} has no hparams: none were saved")
        return vars(self)["hparams"]

    @hparams.setter
    def hparams(self, saved: dict[str, Any]) -> None:
        vars(self)["hparams"] = {name: snapshot(value) for name, value in saved.items()}

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

    def apply_init(self, inputs: Sequence[Any], init: Callable | None = None) -> None:
        """Run the model on `inputs` once, so that lazy layers learn their shapes; then apply `init`
        to each module of `net`, or of the model where it has no `net`.

        The dry run is `self(*inputs)`, in evaluation mode and without a graph; every module gets
        its mode back. Raises TypeError for a bare tensor, ValueError where a layer of the model did
        not take part and still has no shape.
        Taught in `builders_guide/lazy_initialization`.
        """
        if isinstance(inputs, torch.Tensor):
            raise TypeError("apply_init takes all inputs in a list: apply_init([X], init)")
        with torch.no_grad(), evaluating(self):
            self(*inputs)
        lazy = [k for k, p in self.named_parameters() if isinstance(p, UninitializedParameter)]
        if lazy:
            raise ValueError(f"{', '.join(lazy)}: forward did not use what still has no shape")
        if init is not None:
            getattr(self, "net", self).apply(init)

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
        """Record `value`, a mean over the batch, as `train_{key}` or `val_{key}`, and draw it.

        A batch weighs as its rows; for a mean over another number of examples, set
        `self.trainer.num_rows` to that number (a tensor will do) before.
        """
        if self.trainer is None:
            raise RuntimeError(f"{type(self).__name__}.plot needs a trainer: call Trainer.fit")
        self.trainer.record(key, value, train)

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute; under a method's name, a function or a module acts in its place."""
        taken = hasattr(type(self), name)
        if taken:
            _check_taken(type(self), name, value)
        if taken and name in vars(self).get("_modules", ()):
            delattr(self, name)
        super().__setattr__(name, value)
        if taken and isinstance(value, nn.Module):
            vars(self)[name] = value  # PyTorch registers it only, and the class's own would win

    def __delattr__(self, name: str) -> None:
        """Delete an attribute; the method whose place it took acts again."""
        if name in vars(self).get("_modules", ()):
            vars(self).pop(name, None)
        super().__delattr__(name)


def _check_taken(Class: type, name: str, value: Any) -> None:
    held, kind = getattr(Class, name), type(value).__name__
    ours = held is not getattr(nn.Module, name, None)
    if ours and inspect.isroutine(held) and not callable(value):
        raise TypeError(
            f"{Class.__name__}.{name} is a method, and its place can be taken only by what can be"
            f" called, not by a {kind}: choose another name"
        )
    if isinstance(value, nn.Module) and inspect.isdatadescriptor(held):
        raise TypeError(
            f"{Class.__name__}.{name} is a property, and would win over the {kind}: choose another"
            " name"
        )


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """The model in evaluation mode; afterwards every module of it has its mode back."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training


class Classifier(Module):
    """A model whose outputs are scores (logits) for classes, `(n, q)`, and its labels integers.

    Taught in `linear_classification/classifier`.
    """

    def validation_step(self, batch: Sequence[torch.Tensor]) -> None:
        """Measure loss and accuracy of one batch."""
        Y_hat = self(*batch[:-1])
        self.plot("loss", self.loss(Y_hat, batch[-1]), train=False)
        self.plot("acc", self.accuracy(Y_hat, batch[-1]), train=False)

    def batch_weight(self, batch: Sequence[torch.Tensor]) -> int | torch.Tensor:
        """How many labels of the batch count, for the Trainer's means: those that are not -100."""
        Y = batch[-1]
        return (Y != -100).sum() if Y.dtype == torch.int64 else len(Y)

    def accuracy(self, Y_hat: torch.Tensor, Y: torch.Tensor, averaged: bool = True) -> torch.Tensor:
        """The fraction of rows of `Y_hat` (scores, `(..., q)`) whose largest score is at the label.

        Rows labeled -100, PyTorch's mark for "no label", do not count. With `averaged=False` one
        number per row, 1.0 where right and 0.0 where wrong or not labeled: `(n,)`.
        Raises as `check_labels` does.
        """
        check_labels(Y_hat, Y)
        Y_hat, Y = Y_hat.reshape(-1, Y_hat.shape[-1]), Y.reshape(-1)
        right = (Y_hat.argmax(dim=1) == Y).float()
        return right.sum() / (Y != -100).sum() if averaged else right

    def loss(self, Y_hat: torch.Tensor, Y: torch.Tensor, averaged: bool = True) -> torch.Tensor:
        """The cross-entropy of the logits `(..., q)` against the labels, in nats.

        Rows labeled -100 do not count. With `averaged=False` one number per row: `(n,)`.
        Raises as `check_labels` does.
        Taught in `linear_classification/softmax_regression_concise`.
        """
        check_labels(Y_hat, Y)
        Y_hat = Y_hat.reshape(-1, Y_hat.shape[-1])
        reduction = "mean" if averaged else "none"
        return F.cross_entropy(Y_hat, Y.reshape(-1), reduction=reduction)

    def layer_summary(self, X_shape: Sequence[int]) -> None:
        """Print each layer of `net` with the shape of its output and its number of parameters.

        A batch of zeros of shape `X_shape` passes through, in evaluation mode and without a graph;
        lazy layers learn their shapes. Raises TypeError where `net` is not an `nn.Sequential`.
        Taught in `convolutional_networks/lenet`.
        """
        if not isinstance(self.net, nn.Sequential):
            kind = type(self.net).__name__
            raise TypeError(f"layer_summary walks through an nn.Sequential, and net is a {kind}")
        device = next((p.device for p in self.parameters()), None)
        X = torch.zeros(tuple(X_shape), device=device)
        self.apply_init([X])
        with torch.no_grad(), evaluating(self):
            for layer in self.net:
                X = layer(X)
                name, size = type(layer).__name__, sum(p.numel() for p in layer.parameters())
                print(f"{name:<18} output {tuple(X.shape)!s:<20} parameters {size:,}")


def check_labels(Y_hat: torch.Tensor, Y: torch.Tensor) -> None:
    """Labels are class numbers, int64 or uint8, one for each row of scores `(..., q)`, q > 1.

    Raises ValueError for other shapes, TypeError for other types; a column, `(n, 1)`, is a shape.
    """
    rows, scores = tuple(Y_hat.shape[:-1]), tuple(Y_hat.shape)
    if Y_hat.ndim == 0 or Y_hat.shape[-1] < 2:
        raise ValueError(
            f"scores have shape {scores}: give each row one score per class, (n, q), two scores"
            " for two classes"
        )
    if tuple(Y.shape) not in (rows, (*rows, 1)):
        raise ValueError(
            f"scores have shape {scores} but labels {tuple(Y.shape)}: give one class number per"
            f" row of scores, {rows}; the classes are the last axis of the scores"
        )
    if Y.dtype not in (torch.int64, torch.uint8):
        raise TypeError(f"labels are {Y.dtype}: give class numbers as int64, y.long()")

"""What a Trainer relies on, checked: each error says what came, from where, and what to do."""

import itertools
import math
import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import nn

Measured = dict[str, list[tuple[float, float]]]


def check_epochs(max_epochs: Any) -> None:
    """A number of epochs is an integer, 1 or more."""
    try:
        enough = operator.index(max_epochs) >= 1
    except TypeError:
        enough = False
    if not enough:
        raise ValueError(f"max_epochs is {max_epochs!r}: give a whole number of epochs, 1 or more")


def check_resume(trainer: Any, resume: bool) -> None:
    """What is resumed, or kept, has a file."""
    if resume and not trainer.checkpoint:
        raise ValueError("resume=True needs a file: Trainer(max_epochs, checkpoint='run.pt')")


def check_parts(trainer: Any, model: Any, data: Any) -> None:
    """What `fit` works with is made, by the constructors that it needs, and in its place."""
    _check_has(
        trainer, "max_epochs device seed schedule gradient_clip_val checkpoint", "max_epochs"
    )
    check_epochs(trainer.max_epochs)
    for part, kind, methods in (
        (model, "model", "training_step validation_step configure_optimizers parameters"),
        (data, "data", "train_dataloader val_dataloader"),
    ):
        lacking = [name for name in methods.split() if not hasattr(part, name)]
        if isinstance(part, type) or lacking:
            came = f"the class {part.__name__}" if isinstance(part, type) else f"a {_kind(part)}"
            raise TypeError(
                f"fit(model, data) got {came} as {kind}: give an object of a class derived from"
                f" {'Module' if kind == 'model' else 'DataModule'}"
            )
    _check_has(model, "board plot_train_per_epoch plot_valid_per_epoch")


def _check_has(part: Any, names: str, arguments: str = "") -> None:
    lacking = [name for name in names.split() if not hasattr(part, name)]
    if lacking:
        raise AttributeError(
            f"{_kind(part)} has no {lacking[0]!r}: its __init__ must call"
            f" super().__init__({arguments}), before all else"
        )


def check_kept(trainer: Any) -> None:
    """A run whose checkpoints are kept has an optimizer whose state can be."""
    if trainer.checkpoint and not hasattr(trainer.optim, "state_dict"):
        raise TypeError(
            f"{_kind(trainer.optim)} has no state_dict(): a checkpoint needs an optimizer whose"
            " state can be kept, such as torch.optim.SGD"
        )


def check_loaders(train: Iterable | None, val: Iterable | None, data: Any) -> tuple[int, int]:
    """How many batches the loaders promise: 1 or more, or 0 where there is no validation."""
    if train is None:
        raise ValueError(f"{_kind(data)}.train_dataloader() returned None: nothing to learn from")
    batches = _length(train, f"{_kind(data)}.train_dataloader()")
    none = "; for no validation, return None"
    return batches, 0 if val is None else _length(val, f"{_kind(data)}.val_dataloader()", none)


def _length(loader: Iterable, name: str, remedy: str = "") -> int:
    try:
        length = len(loader)
    except TypeError as error:
        raise TypeError(
            f"{name} returned a {_kind(loader)}, which has no length: return what can be read in"
            " each epoch anew, such as a TensorLoader"
        ) from error
    if length == 0:
        rows = len(getattr(loader, "dataset", ()))
        few = rows and getattr(loader, "drop_last", False)
        why = f": drop_last drops its {rows} rows, less than a batch" if few else ""
        raise ValueError(f"{name} returned a loader without batches{why}{remedy}")
    return length


def check_batch(batch: Any) -> None:
    """A batch is a tuple or list of tensors, with one row for each example in every part."""
    if not isinstance(batch, list | tuple) or not batch:
        shape = f" of shape {tuple(batch.shape)}" if hasattr(batch, "shape") else ""
        _refuse_batch(TypeError, f"a {_kind(batch)}{shape}")
    rows = set()
    for number, part in enumerate(batch):
        if isinstance(part, torch.Tensor):
            rows.update(part.shape[:1])
        elif not hasattr(part, "to"):
            _refuse_batch(TypeError, f"a {_kind(batch)} whose part {number} is a {_kind(part)}")
    if isinstance(batch[-1], torch.Tensor) and not batch[-1].ndim:
        _refuse_batch(ValueError, "one whose labels are a single number, without rows")
    if len(rows) > 1:
        all_rows = [len(part) for part in batch if isinstance(part, torch.Tensor) and part.ndim]
        _refuse_batch(ValueError, f"one whose parts have {', '.join(map(str, all_rows))} rows")
    if 0 in rows:
        _refuse_batch(ValueError, "one without rows")


def _refuse_batch(error: type[Exception], came: str) -> None:
    raise error(
        f"a batch is a tuple of tensors, the inputs and, last, the labels, a row for each example;"
        f" the loader gave {came}: load tuples, as TensorDataset(X, y) does, or override"
        " Trainer.prepare_batch"
    )


def check_weight(trainer: Any, batch: Sequence[Any]) -> None:
    """Whether the model counts examples otherwise than by rows: then its count is `num_rows`."""
    model = getattr(trainer, "model", None)
    weight = getattr(type(model), "batch_weight", None)
    if weight is not None:
        trainer.num_rows = weight(model, batch)


def check_made(made: Any, maker: Callable, what: str) -> None:
    """What is asked for an object returns one."""
    if made is None:
        name = getattr(maker, "__qualname__", type(maker).__name__)
        raise TypeError(f"{name} returned None: it must return {what}")


def check_step(trainer: Any, loss: Any) -> None:
    """A training step gives a loss that an optimizer can make smaller."""
    check_more(trainer, train=True)
    if not (hasattr(trainer.optim, "zero_grad") and hasattr(trainer.optim, "step")):
        raise TypeError(
            f"configure_optimizers returned a {_kind(trainer.optim)}: return one object with"
            " zero_grad() and step(), or override Trainer.fit_epoch, which uses it"
        )
    if isinstance(loss, torch.Tensor) and loss.numel() == 1 and loss.requires_grad:
        return
    name = f"{_kind(trainer.model)}.training_step returned"
    if loss is None:
        raise TypeError(f"{name} None: it must return the loss")
    if not isinstance(loss, torch.Tensor):
        raise TypeError(f"{name} a {_kind(loss)}: return the loss as a tensor, without item()")
    if loss.numel() != 1:
        raise ValueError(f"{name} shape {tuple(loss.shape)}: return one number, such as the mean")
    raise ValueError(
        f"{name} a loss that depends on no parameter: compute it from parameters that require"
        " gradients, without detach(), no_grad(), item() or NumPy"
    )


def check_more(trainer: Any, train: bool) -> None:
    """A loader gives no more batches than its length has promised."""
    number, promised, _ = _batches(trainer, train)
    if number >= promised:
        _refuse_loader(trainer, train, f"more than {promised}")


def check_read(trainer: Any, train: bool) -> None:
    """A loader gave in this epoch as many batches as its length has promised."""
    number, promised, _ = _batches(trainer, train)
    if number < promised:
        _refuse_loader(trainer, train, str(number))


def check_epoch(trainer: Any, measured: Measured) -> None:
    """The newest epoch has trained, and its losses are finite numbers."""
    _check_trained(trainer, measured)
    _check_finite(trainer, measured)


def _check_trained(trainer: Any, measured: Measured) -> None:
    """An epoch after others that trained has trained too, whoever wrote `fit_epoch`."""
    idle = trainer.train_batch_idx == trainer.batches_before
    trainer.batches_before = trainer.train_batch_idx
    recorded = any(label.startswith("train_") for label in measured)
    if idle and not recorded and any(trainer.history.steps.values()):
        _refuse_loader(trainer, True, "0")


def _batches(trainer: Any, train: bool) -> tuple[int, int, str]:
    """How many batches of the epoch are done, how many were promised, and by whom."""
    if train:
        count, promised, name = trainer.train_batch_idx, trainer.num_train_batches, "train"
    else:
        count, promised, name = trainer.val_batch_idx, trainer.num_val_batches, "val"
    return count - trainer.epoch * promised, promised, f"{name}_dataloader"


def _refuse_loader(trainer: Any, train: bool, came: str) -> None:
    _, promised, name = _batches(trainer, train)
    raise ValueError(
        f"{name}() promised {promised} batches by its length, but gave {came} in epoch"
        f" {trainer.epoch + 1}: return what gives len(loader) batches each time that it is read,"
        " not an iterator, which can be read once"
    )


def _check_finite(trainer: Any, measured: Measured) -> None:
    """Raise FloatingPointError where a loss of the newest epoch is not a finite number.

    What is no loss, by its name, may be nan, as long as the parameters are finite.
    """
    for label, pairs in measured.items():
        train = label.startswith("train_")
        bad = [k for k, (value, _) in enumerate(pairs) if not math.isfinite(value)]
        mean = trainer.history.epochs[label][-1]
        broken = bad if train else not math.isfinite(mean)
        loss = "loss" in label.lower()
        if broken and (loss or not _finite(trainer.model.parameters())):
            value = pairs[bad[0]][0] if train else mean
            where = "epoch"
            if train and len(pairs) == trainer.num_train_batches:
                where = f"batch {bad[0] + 1} of epoch"
            raise FloatingPointError(
                f"{label} is {value} from {where} {trainer.epoch + 1} on,"
                f" {_reason(trainer, label, pairs, bad[0] if bad else 0)}"
            )


def _reason(trainer: Any, label: str, pairs: list[tuple[float, float]], bad: int) -> str:
    """Where a bad value comes from, as far as data, parameters and earlier values tell."""
    train, parameters = label.startswith("train_"), list(trainer.model.parameters())
    loader = trainer.train_dataloader if train else trainer.val_dataloader
    promised, name = _batches(trainer, train)[1:]
    losses = "look at what the loss does with such predictions, as log(0) or 0/0"
    if pairs[bad][1] == 0:
        return "and no example of that batch counts: leave such batches out"
    if not _finite(_parts(itertools.islice(loader, promised))):
        return f"and batches of {name}() hold values that are not finite: fix the data"
    if not train and parameters and _finite(parameters):
        return f"though the parameters are finite: {losses}"
    before = trainer.history.steps[label][: bad - len(pairs)] if train else [1, math.inf]
    if not before:
        return f"before any step: look at the parameters' start, or {losses}"
    advice = "try a smaller one, gradient_clip_val"
    if before[-1] <= 10 * abs(before[0]) and not math.isinf(pairs[bad][0]):  # it did not grow
        advice += f", or {losses}"
    return f"at learning rate {_learning_rate(trainer.optim)}: {advice}"


def _parts(batches: Iterable) -> Iterable[torch.Tensor]:
    for batch in batches:
        yield from batch if isinstance(batch, list | tuple) else (batch,)


def _finite(tensors: Iterable) -> bool:
    """Whether no tensor of floats holds inf or nan."""
    return all(
        bool(tensor.isfinite().all())
        for tensor in tensors
        if isinstance(tensor, torch.Tensor)
        and not isinstance(tensor, nn.UninitializedParameter)
        and tensor.is_floating_point()
    )


def _learning_rate(optim: Any) -> Any:
    groups = getattr(optim, "param_groups", None)
    return groups[0]["lr"] if groups else getattr(optim, "lr", "unknown")


def _kind(thing: Any) -> str:
    return type(thing).__name__

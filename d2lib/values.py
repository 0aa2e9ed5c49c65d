"""Values as a record keeps them: copies without their graphs, plain numbers, JSON."""

import dataclasses
import datetime
import enum
import functools
import math
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

import numpy as np
import torch

SHORT = 100  # what holds more is recorded by the name of its kind
NAMED = (PurePath, enum.Enum, torch.device, torch.dtype, datetime.date, complex)


def recorded(value: Any, label: str) -> float | torch.Tensor:
    """One real number to keep: a float, or a copy of a tensor on its device, without its graph.

    Raises ValueError for several numbers, TypeError for what is none.
    """
    if isinstance(value, torch.Tensor):
        if value.numel() == 1 and not value.dtype.is_complex:
            return value.detach().clone()
    elif isinstance(value, np.ndarray) and value.size == 1:
        value = value.item()
    if math.prod(getattr(value, "shape", ())) != 1:
        raise ValueError(f"{label} has shape {tuple(value.shape)}: record one number")
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"{label} is a {type(value).__name__}: record one number") from error


def numbers(values: Sequence[Any]) -> list[float]:
    """The values as Python floats; tensors of one device and type cross to the host together."""
    tensors = [value for value in values if isinstance(value, torch.Tensor)]
    if len(tensors) == len(values) and len({(t.device, t.dtype) for t in tensors}) == 1:
        return torch.stack([t.reshape(()) for t in tensors]).cpu().double().tolist()
    return [float(value) for value in values]


def snapshot(value: Any, depth: int = 8) -> Any:
    """The value as it is now: short containers and tensors as copies, anything else itself."""
    if type(value) in (torch.Tensor, torch.nn.Parameter) and value.numel() <= SHORT:
        return value.detach().clone()
    if isinstance(value, np.ndarray) and value.size <= SHORT:
        return value.copy()
    if depth and type(value) is dict and len(value) <= SHORT:
        return {key: snapshot(item, depth - 1) for key, item in value.items()}
    if depth and type(value) in (list, tuple, set) and len(value) <= SHORT:
        return type(value)(snapshot(item, depth - 1) for item in value)
    return value


def plain(value: Any, depth: int = 8) -> Any:
    """A value as JSON can hold it: a number, a text, a short list, or else the name of its kind."""
    if isinstance(value, torch.Tensor | np.ndarray | np.generic):
        return _listed(value)
    if isinstance(value, NAMED):
        return str(value)
    if isinstance(value, str):
        return str(value)  # torch.__version__ is of a class of its own
    if isinstance(value, bool | int | float | None):
        return value
    if isinstance(value, functools.partial):
        value = {"partial": value.func, "args": value.args} | value.keywords
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if depth and isinstance(value, Mapping) and len(value) <= SHORT:
        return {str(key): plain(item, depth - 1) for key, item in value.items()}
    if depth and isinstance(value, list | tuple | set | frozenset | range) and len(value) <= SHORT:
        return [plain(item, depth - 1) for item in value]
    return getattr(value, "__name__", type(value).__name__)


def _listed(value: Any) -> Any:
    """A short array as a list of its numbers, each with as few digits as its type allows."""
    try:
        if math.prod(value.shape) > SHORT:
            return type(value).__name__
        array = _array(value)
    except (TypeError, ValueError, RuntimeError):  # sparse, lazy, on no device, of a rare type
        return type(value).__name__
    if array.dtype.kind == "f" and array.dtype.itemsize < 8:
        array = array.astype(str).astype(float)
    kept = array.tolist()
    return kept if array.dtype.kind in "biufU" else str(kept)


def _array(value: Any) -> np.ndarray:
    if not isinstance(value, torch.Tensor):
        return np.asarray(value)
    host = value.detach().cpu()
    short = host.is_floating_point() and host.dtype != torch.float64
    return (host.float() if short else host).numpy()

"""Values as a record keeps them: free of their graphs, as plain numbers, as JSON."""

from collections.abc import Sequence
from typing import Any

import torch


def detached(value: Any) -> Any:
    """A tensor without its graph, on its device; any other value as it is."""
    return value.detach() if isinstance(value, torch.Tensor) else value


def numbers(values: Sequence[Any]) -> list[float]:
    """The values as Python floats; tensors cross to the host together."""
    if all(isinstance(value, torch.Tensor) for value in values):
        stacked = torch.stack([value.reshape(()) for value in values])
        return stacked.cpu().double().tolist()
    return [float(value) for value in values]


def plain(value: Any) -> Any:
    """A value as JSON can hold it: a number, a text, a short list, or else the name of its kind."""
    if isinstance(value, torch.Tensor) and value.numel() <= 100:
        return value.tolist()
    if isinstance(value, list | tuple) and len(value) <= 100:
        return [plain(item) for item in value]
    if isinstance(value, bool | int | float | str | None):
        return value
    return getattr(value, "__name__", type(value).__name__)

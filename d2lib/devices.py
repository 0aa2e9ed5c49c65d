"""The device on which a run computes."""

import os
import warnings

import torch


def cpu() -> torch.device:
    """The CPU: all cores, and main memory. Taught in `builders_guide/devices`."""
    return torch.device("cpu")


def gpu(i: int = 0) -> torch.device:
    """CUDA's device number `i`, whether it exists or not. Taught in `builders_guide/devices`."""
    return torch.device(f"cuda:{i}")


def num_gpus() -> int:
    """How many CUDA devices PyTorch sees. Taught in `builders_guide/devices`."""
    return torch.cuda.device_count()


def try_gpu(i: int = 0) -> torch.device:
    """`gpu(i)` if it exists, else the CPU. Taught in `builders_guide/devices`."""
    return gpu(i) if num_gpus() >= i + 1 else cpu()


def try_all_gpus() -> list[torch.device]:
    """All CUDA devices, or the CPU if there is none. Taught in `builders_guide/devices`."""
    return [gpu(i) for i in range(num_gpus())] or [cpu()]


def chosen(device: str | torch.device | None, num_gpus: int) -> torch.device:
    """`device` if it is named, else the CPU, or with `num_gpus` the accelerator if there is one.

    Under torchrun each process of a machine gets an accelerator of its own. Raises ValueError for
    what is not there.
    """
    on_cpu = num_gpus == 0 if device is None else str(device) == "cpu"
    if not on_cpu and torch.accelerator.is_available() and "LOCAL_RANK" in os.environ:
        _claim(int(os.environ["LOCAL_RANK"]))
    if device is None and num_gpus > 0:
        if torch.accelerator.is_available():
            device = torch.accelerator.current_accelerator()
        else:
            message = f"num_gpus={num_gpus}, but PyTorch finds none: using the CPU"
            warnings.warn(message, stacklevel=3)
    try:
        return torch.empty(0, device="cpu" if device is None else device).device
    except (RuntimeError, AssertionError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"device {str(device)!r} is not there ({reason}); say 'cpu'") from error


def _claim(number: int) -> None:
    """Make accelerator `number` the current one of this process."""
    count = torch.accelerator.device_count()
    if number >= count:
        raise ValueError(
            f"torchrun started process {number} of this machine, which has {count} accelerators:"
            f" say --nproc-per-node={count}"
        )
    torch.accelerator.set_device_index(number)

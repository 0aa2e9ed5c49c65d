"""The processes of one run: those that torchrun started, or this one alone."""

import atexit
import os
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DistributedSampler


class Processes:
    """The `size` processes that train one model together; this one is number `rank`.

    Each learns from its own rows of every batch; gradients and measured values are the means over
    all rows, as one process with the whole batch has them.

    Taught in `builders_guide/data_parallel`.
    """

    def __init__(self, device: torch.device):
        launched = int(os.environ.get("WORLD_SIZE", "1")) > 1
        if launched and not distributed.is_initialized():
            distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
            atexit.register(_leave)
        together = distributed.is_available() and distributed.is_initialized()
        self.device, self.idle, self.compared = device, False, False
        self.rank = distributed.get_rank() if together else 0
        self.size = distributed.get_world_size() if together else 1

    def agreed(self, seed: int | None) -> int | None:
        """The seed; where none is given, several processes take one from the first."""
        if self.size == 1 or seed is not None:
            return seed
        drawn = torch.randint(2**62, (1,)).to(self.device)
        distributed.broadcast(drawn, 0)
        return int(drawn)

    def divide(self, trainer: Any) -> None:
        """Give this process its part of each batch and step of a trainer that is ready to start."""
        if self.size == 1:
            return
        trainer.train_dataloader = Shard(trainer.train_dataloader, trainer)
        if trainer.val_dataloader is not None:
            trainer.val_dataloader = Shard(trainer.val_dataloader, trainer)
        model = trainer.model
        replica = DistributedDataParallel(_Step(model, self))
        model.training_step = lambda batch: replica(batch)
        model.board.display = model.board.display and self.rank == 0

    def release(self, model: nn.Module) -> None:
        """Give the model its own training step back."""
        if self.size > 1:
            vars(model).pop("training_step", None)

    def share(self, batch: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """This process's rows of a batch.

        Where a batch has fewer rows than there are processes, the last ones get its first row, to
        be counted as none: `idle`. Raises ValueError where the processes read different batches.
        """
        if not self.compared:
            self._compare(batch)
        self.idle = self.rank >= len(batch[-1])
        rows = slice(0, 1) if self.idle else slice(self.rank, None, self.size)
        return [part[rows] for part in batch]

    def weight(self, rows: float | torch.Tensor) -> torch.Tensor:
        """What this process's mean counts in DDP's mean, to make that a mean over all rows."""
        rows = torch.as_tensor(rows, dtype=torch.float32, device=self.device).clone()
        total = rows.clone()
        distributed.all_reduce(total)
        return rows * self.size / total

    def merge(self, values: list[float], rows: list[float]) -> tuple[list[float], list[float]]:
        """Means over this process's rows, one a batch, made means over the rows of all."""
        if self.size == 1:
            return values, rows
        sums = [v * n if n else 0.0 for v, n in zip(values, rows, strict=True)]
        pair = torch.tensor([sums, rows], dtype=torch.float64, device=self.device)
        distributed.all_reduce(pair)
        return (pair[0] / pair[1]).tolist(), pair[1].tolist()

    def explain(self, error: RuntimeError) -> None:
        """Add to an error of the connection what it means for the run."""
        if self.size > 1 and any(name in str(error) for name in ("gloo", "NCCL", "onnection")):
            error.add_note(
                f"process {self.rank} of {self.size} waited for another one, which has ended or"
                " hangs: torchrun's summary, below, names it under Root Cause"
            )

    def _compare(self, batch: Sequence[torch.Tensor]) -> None:
        """Raise ValueError where the first process read another batch than this one."""
        sums = torch.stack([part.detach().double().sum().cpu() for part in batch]).to(self.device)
        first = sums.clone()
        distributed.broadcast(first, 0)
        if not torch.equal(first, sums):
            raise ValueError(
                f"process {self.rank} reads other data than process 0, so that their rows are not"
                " parts of one batch: make the data from a seed, and shuffle from PyTorch's"
                " global generator or one that all seed alike"
            )
        self.compared = True


class Shard:
    """The part of a loader's batches that is this process's; its length and data are the loader's.

    Where the loader has a DistributedSampler, that has divided already, and is told the epoch. At
    an epoch's end all processes get the buffers of the first, as a batch norm's running means.
    """

    def __init__(self, loader: Any, trainer: Any):
        self.loader, self.trainer = loader, trainer

    def __len__(self) -> int:
        return len(self.loader)

    def __getattr__(self, name: str) -> Any:
        if name == "loader":  # while it is being copied
            raise AttributeError(name)
        return getattr(self.loader, name)

    def __iter__(self) -> Iterator:
        processes, sampler = self.trainer.processes, getattr(self.loader, "sampler", None)
        divided = isinstance(sampler, DistributedSampler)
        if divided:
            sampler.set_epoch(self.trainer.epoch)
        for batch in self.loader:
            yield processes.share(batch) if not divided and _is_tuple(batch) else batch
        processes.idle = False
        for buffer in self.trainer.model.buffers():
            distributed.broadcast(buffer, 0)


def _is_tuple(batch: Any) -> bool:
    return isinstance(batch, list | tuple) and all(hasattr(part, "shape") for part in batch)


class _Step(nn.Module):
    """A training step as a forward pass, which is what DistributedDataParallel wraps.

    What it draws, such as dropout's masks, each process draws for itself; the global generator of
    the CPU, from which orders come, stays the same for all.
    """

    def __init__(self, model: nn.Module, processes: Processes):
        super().__init__()
        self.model, self.processes = model, processes

    def forward(self, batch: list[torch.Tensor]) -> Any:
        trainer = self.model.trainer
        seed = hash((torch.initial_seed(), trainer.train_batch_idx, self.processes.rank))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed % 2**63)
            loss = type(self.model).training_step(self.model, batch)
        rows = 0 if self.processes.idle else trainer.num_rows
        return loss * self.processes.weight(rows) if isinstance(loss, torch.Tensor) else loss


def _leave() -> None:
    if distributed.is_initialized():
        distributed.destroy_process_group()

"""A training run on disk, so that it can go on where it was killed."""

import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch

from d2lib.history import History

SAME = ("seed", "model", "data", "optimizer", "schedule")  # of what `History.about` knows


def save_checkpoint(trainer: Any) -> None:
    """Write all that the epochs to come depend on to `trainer.checkpoint`, whole or not at all."""
    state = {
        "model": trainer.model.state_dict(),
        "optimizer": trainer.optim.state_dict(),
        "scheduler": trainer.scheduler.state_dict() if trainer.scheduler else None,
        "random": random_state(trainer.device),
        "generators": [g.get_state() for g in _generators(trainer)],
        "history": {name: getattr(trainer.history, name) for name in History.SAVED},
        "epochs": trainer.epoch + 1,
        "max_epochs": trainer.max_epochs,
        "batches": [trainer.train_batch_idx, trainer.val_batch_idx],
    }
    part = Path(f"{trainer.checkpoint}.part")
    try:
        with open(part, "wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())  # or a power failure could leave the new name without content
        if trainer.epoch == 0:
            torch.load(part, weights_only=True)  # what cannot be read is found now, not in need
        os.replace(part, trainer.checkpoint)
    finally:
        part.unlink(missing_ok=True)


def load_checkpoint(trainer: Any) -> int:
    """Bring a trainer that is ready to start to where its checkpoint ended.

    Returns how many epochs are done: 0 where there is no file yet. Raises ValueError where the file
    is of another run, or no checkpoint.
    """
    path = Path(trainer.checkpoint)
    if not path.exists():
        return 0
    state = _read(path)
    _check_same(path, state, trainer)
    trainer.model.load_state_dict(state["model"])
    trainer.optim.load_state_dict(state["optimizer"])
    if trainer.scheduler:
        trainer.scheduler.load_state_dict(state["scheduler"])
    vars(trainer.history).update(state["history"])
    trainer.train_batch_idx, trainer.val_batch_idx = state["batches"]
    trainer.batches_before = trainer.train_batch_idx
    trainer.epoch = state["epochs"] - 1
    for generator, saved in zip(_generators(trainer), state["generators"], strict=True):
        generator.set_state(saved)
    set_random_state(state["random"], trainer.device)
    return state["epochs"]


def random_state(device: torch.device) -> dict[str, Any]:
    """The states of the global generators: Python's, NumPy's, PyTorch's on CPU and `device`."""
    numpy = np.random.get_state(legacy=False)
    key = torch.from_numpy(numpy["state"]["key"].astype(np.int64))
    state = {"python": random.getstate(), "cpu": torch.get_rng_state()}
    state["numpy"] = numpy | {"state": numpy["state"] | {"key": key}}
    if device.type != "cpu":
        module, where = _device_module(device)
        state["device"] = module.get_rng_state(*where)
    return state


def set_random_state(state: dict[str, Any], device: torch.device) -> None:
    """Put the global generators into the states that `random_state` returned."""
    numpy = state["numpy"]
    key = numpy["state"]["key"].numpy().astype(np.uint32)
    random.setstate(state["python"])
    np.random.set_state(numpy | {"state": numpy["state"] | {"key": key}})
    torch.set_rng_state(state["cpu"])
    if device.type != "cpu" and "device" in state:
        module, where = _device_module(device)
        module.set_rng_state(state["device"], *where)


def _device_module(device: torch.device) -> tuple[Any, tuple]:
    return torch.get_device_module(device), (device,) if device.type == "cuda" else ()


def _generators(trainer: Any) -> list[torch.Generator]:
    """The generators that the loaders draw their orders from, if they have their own."""
    loaders = [trainer.train_dataloader, trainer.val_dataloader]
    parts = [p for loader in loaders for p in (loader, getattr(loader, "sampler", None))]
    found = [getattr(part, "generator", None) for part in parts]
    return list({id(g): g for g in found if g is not None}.values())


def _read(path: Path) -> dict[str, Any]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a cut zip, a foreign pickle, any text: PyTorch raises many kinds
        reason = str(error).splitlines()[0]
        raise ValueError(f"{path} cannot be read as a checkpoint ({reason}); delete it") from error
    if not isinstance(state, dict) or "history" not in state:
        raise ValueError(f"{path} holds no checkpoint of a Trainer: give another path")
    return state


def _check_same(path: Path, state: dict[str, Any], trainer: Any) -> None:
    """Raise ValueError where the file is of another run than the trainer's."""
    was, now = state["history"]["about"], trainer.history.about
    for name in SAME:
        if was.get(name) != now.get(name):
            raise ValueError(
                f"{path} is of another run, with {name} {was.get(name)}, not {now.get(name)}: go"
                " on with the same, or delete the file to start anew"
            )
    if trainer.scheduler and state["max_epochs"] != trainer.max_epochs:
        raise ValueError(
            f"{path} is of a run of {state['max_epochs']} epochs, for which its schedule was made:"
            f" max_epochs={trainer.max_epochs} is another run"
        )

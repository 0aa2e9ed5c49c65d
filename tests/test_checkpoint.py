"""A run that is killed goes on to the same numbers and weights as one without a break."""

import os
import random
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from long_run import Data, Net, run

import d2lib as d2l
from d2lib.checkpoint import random_state, set_random_state


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    monkeypatch.setattr("d2lib.board.LIVE", False)


def same_weights(one, other):
    one, other = one.state_dict(), other.state_dict()
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


def long_run(folder, *options, **settings):
    """`long_run.py` in a process of its own, where no other test has set threads or modes."""
    script = str(Path(__file__).with_name("long_run.py"))
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    command = [sys.executable, script, str(folder), *options]
    return subprocess.run(command, env=environment, capture_output=True, **settings)


def test_a_killed_run_resumes_to_the_bit(tmp_path):
    broken, whole = tmp_path / "broken", tmp_path / "whole"
    for folder in (broken, whole):
        folder.mkdir()
    killed = long_run(broken, "--die", "3", check=False)
    assert killed.returncode == -signal.SIGKILL
    assert {path.name for path in broken.iterdir()} == {"run.pt"}
    long_run(broken, "--resume", check=True)
    long_run(whole, check=True)
    nets = [Net(), Net()]
    for net, folder in zip(nets, (broken, whole), strict=True):
        net.load_state_dict(torch.load(folder / "weights.pt"))
    assert same_weights(*nets)
    histories = [d2l.History.load(folder / "history.json") for folder in (broken, whole)]
    assert histories[0] == histories[1]
    assert len(histories[0]["val_acc"]) == 6


class Stopped(Exception):
    pass


def broken_off(folder, monkeypatch, epochs=2):
    """A run that ended after `epochs` epochs by an error, its checkpoint in `folder`."""

    def fit_epoch(trainer):
        if trainer.epoch == epochs:
            raise Stopped
        whole(trainer)

    whole = d2l.Trainer.fit_epoch
    with monkeypatch.context() as patch:
        patch.setattr(d2l.Trainer, "fit_epoch", fit_epoch)
        with pytest.raises(Stopped):
            run(folder)


LOST = {
    "optimizer": lambda was: was | {"state": {}},
    "scheduler": lambda was: was | {"last_epoch": 0, "_step_count": 1},
    "random": lambda was: was | {"cpu": torch.Generator().manual_seed(9).get_state()},
    "generators": lambda was: [torch.Generator().manual_seed(9).get_state()],
}


@pytest.mark.parametrize("part", LOST)
def test_each_part_of_a_checkpoint_is_needed(tmp_path, monkeypatch, part):
    broken_off(tmp_path, monkeypatch)
    state = torch.load(tmp_path / "run.pt")
    torch.save(state | {part: LOST[part](state[part])}, tmp_path / "run.pt")
    net, history = run(tmp_path, resume=True)
    whole, whole_history = run(None)
    assert (same_weights(net, whole), history == whole_history) == (False, False)
    assert history["val_loss"][:2] == whole_history["val_loss"][:2]


def test_without_a_file_a_resumed_run_starts(tmp_path):
    net, history = run(tmp_path, resume=True, max_epochs=1)
    assert (len(history.seconds), same_weights(net, run(None, max_epochs=1)[0])) == (1, True)


def test_a_finished_run_resumes_to_itself(tmp_path):
    net, history = run(tmp_path)
    again, same = run(tmp_path, resume=True)
    assert (same_weights(net, again), history == same) == (True, True)
    assert history.seconds == same.seconds


def test_without_a_schedule_a_run_may_be_made_longer(tmp_path):
    run(tmp_path, plain=True, max_epochs=2)
    net, history = run(tmp_path, plain=True, max_epochs=3, resume=True)
    assert same_weights(net, run(None, plain=True, max_epochs=3)[0])
    assert len(history["train_loss"]) == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lr": 0.03}, r"run\.pt is of another run, with model .*0\.02.*, not .*0\.03"),
        ({"plain": True}, "is of another run, with model"),
        ({"max_epochs": 7}, r"a run of 6 epochs, .* schedule was made: max_epochs=7 is another"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(tmp_path, change, message):
    run(tmp_path)
    before = (tmp_path / "run.pt").read_bytes()
    with pytest.raises(ValueError, match=message):
        run(tmp_path, resume=True, **change)
    assert (tmp_path / "run.pt").read_bytes() == before


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no checkpoint", r"run\.pt cannot be read as a checkpoint \(.*\); delete it"),
        (None, r"run\.pt holds no checkpoint of a Trainer"),
    ],
)
def test_a_file_that_is_no_checkpoint_is_named(tmp_path, content, message):
    torch.save({"weights": torch.ones(2)}, tmp_path / "run.pt")
    if content:
        (tmp_path / "run.pt").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        run(tmp_path, resume=True)


def test_a_cut_file_is_named(tmp_path):
    run(tmp_path, max_epochs=1)
    whole = (tmp_path / "run.pt").read_bytes()
    (tmp_path / "run.pt").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=re.escape("cannot be read as a checkpoint")):
        run(tmp_path, resume=True, max_epochs=1)


def test_a_write_that_fails_leaves_the_last_checkpoint(tmp_path, monkeypatch):
    broken_off(tmp_path, monkeypatch)
    before = (tmp_path / "run.pt").read_bytes()

    def save(state, path):
        path.write(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(torch, "save", save)
    with pytest.raises(OSError, match="no space left"):
        run(tmp_path, resume=True)
    assert (tmp_path / "run.pt").read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"run.pt"}


def test_to_resume_needs_a_file_and_an_optimizer_that_can_be_kept(tmp_path):
    with pytest.raises(
        ValueError, match=r"resume=True needs a file: Trainer\(max_epochs, checkpoint="
    ):
        run(None, resume=True)
    data = d2l.SyntheticRegressionData(torch.ones(2), 1.0, seed=0)
    model = d2l.LinearRegressionScratch(2, lr=0.03)  # its SGD has no state_dict
    with pytest.raises(TypeError, match=r"SGD has no state_dict\(\): a checkpoint needs an opt"):
        d2l.Trainer(1, checkpoint=tmp_path / "run.pt").fit(model, data)


def test_the_global_generators_come_back():
    def draws():
        return random.random(), np.random.rand(), np.random.randn(), torch.rand(1).item()

    np.random.randn()  # NumPy keeps the second of a pair of normal numbers
    state = random_state(torch.device("cpu"))
    first = draws()
    assert draws() != first
    set_random_state(state, torch.device("cpu"))
    assert draws() == first


def test_pytorchs_loader_with_a_generator_of_its_own_resumes_too(tmp_path, monkeypatch):
    def loader(data, train):
        rows = slice(0, 110) if train else slice(110, None)
        dataset = torch.utils.data.TensorDataset(data.X[rows], data.y[rows])
        return torch.utils.data.DataLoader(dataset, 25, train, generator=data.generator)

    monkeypatch.setattr(Data, "get_dataloader", loader)
    broken_off(tmp_path, monkeypatch)
    net, history = run(tmp_path, resume=True)
    whole, whole_history = run(None)
    assert (same_weights(net, whole), history == whole_history) == (True, True)

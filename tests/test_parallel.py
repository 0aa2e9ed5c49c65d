"""Several processes train one model: the same numbers as one process, and clear ends."""

import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from long_run import Data, Net, run
from torch import nn
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

import d2lib as d2l
from d2lib.parallel import Processes, Shard

SCRIPT = str(Path(__file__).with_name("long_run.py"))
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
CPU = torch.device("cpu")


def torchrun(*arguments):
    return subprocess.run(
        [*TORCHRUN, SCRIPT, *map(str, arguments)], check=False, capture_output=True, text=True
    )


def test_two_processes_compute_what_one_does_with_the_whole_batch(tmp_path):
    """Uneven shares too: of 25 rows one process has 13; in the last batch, of 1 row, one has 0."""
    ended = torchrun(tmp_path, "--plain")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("epoch 6: train_loss") == 1  # the first process alone prints
    net, history = run(None, plain=True)
    for name, value in torch.load(tmp_path / "weights.pt").items():
        assert torch.allclose(value, net.state_dict()[name], atol=1e-5), name
    parallel = d2l.History.load(tmp_path / "history.json")
    assert parallel.about["processes"] == 2
    for label, values in history.epochs.items():
        assert parallel.epochs[label] == pytest.approx(values, abs=1e-5), label
    assert parallel.steps["train_loss"] == pytest.approx(history.steps["train_loss"], abs=1e-5)


def test_a_killed_process_ends_the_run_in_seconds_and_a_resumed_one_equals_a_whole_one(tmp_path):
    """With dropout, whose masks each process draws for itself, and batch norm."""
    ended = torchrun(tmp_path, "--die", 3)
    died = (tmp_path / "run.pt").stat().st_mtime
    assert ended.returncode != 0
    assert time.time() - died < 30
    assert "exitcode  : -9" in ended.stderr
    assert "waited for another one, which has ended or hangs" in ended.stderr
    assert torchrun(tmp_path, "--resume").returncode == 0
    resumed = d2l.History.load(tmp_path / "history.json")
    (tmp_path / "whole").mkdir()
    assert torchrun(tmp_path / "whole").returncode == 0
    assert d2l.History.load(tmp_path / "whole/history.json") == resumed


def process(rank, size):
    """Process `rank` of `size`, without the others; its batches count as compared."""
    processes = Processes(CPU)
    processes.rank, processes.size, processes.compared = rank, size, True
    return processes


def shards(loader, size, epoch=0):
    """What each of `size` processes reads of a loader in an epoch."""
    for rank in range(size):
        trainer = SimpleNamespace(processes=process(rank, size), epoch=epoch, model=nn.ReLU())
        yield trainer.processes, Shard(loader, trainer)


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_the_shares_of_a_batch_are_its_rows_without_overlap(size):
    data = Data(101)
    whole = list(d2l.TensorLoader(TensorDataset(data.X[:101], data.y[:101]), 25))
    found = [[] for _ in whole]
    for one, shard in shards(d2l.TensorLoader(TensorDataset(data.X[:101], data.y[:101]), 25), size):
        assert len(shard) == len(whole) == 5
        for rows, (X, y) in zip(found, shard, strict=True):
            assert len(X) == len(y) > 0
            rows.append(X[:0] if one.idle else X)
        assert not one.idle
    for shares, (X, _) in zip(found, whole, strict=True):
        assert sorted(torch.cat(shares).tolist()) == sorted(X.tolist())
        assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_a_distributed_sampler_divides_once_and_orders_each_epoch_anew():
    seen = []
    for epoch in range(2):
        rows = []
        for rank in range(2):
            sampler = DistributedSampler(range(100), num_replicas=2, rank=rank)
            loader = DataLoader(TensorDataset(torch.arange(100)), 10, sampler=sampler)
            _, shard = list(shards(loader, 2, epoch))[rank]
            assert shard.sampler is sampler
            rows.append([int(row) for batch in shard for row in batch[0]])
        assert sorted(rows[0] + rows[1]) == list(range(100))
        seen.append(rows[0])
    assert seen[0] != seen[1]


def test_alone_a_process_changes_nothing():
    alone = Processes(CPU)
    trainer = SimpleNamespace(train_dataloader=[1], val_dataloader=None, model=Net())
    alone.divide(trainer)
    alone.release(trainer.model)
    assert trainer.train_dataloader == [1]
    assert "training_step" not in vars(trainer.model)
    assert (alone.agreed(None), alone.agreed(4)) == (None, 4)
    assert alone.merge([1.0], [2.0]) == ([1.0], [2.0])
    assert not torch.distributed.is_initialized()


def test_processes_that_read_different_data_are_told(monkeypatch):
    other = process(1, 2)
    other.compared = False
    monkeypatch.setattr(torch.distributed, "broadcast", lambda sums, source: sums.add_(1))
    with pytest.raises(ValueError, match=r"process 1 reads other data than process 0.* a seed"):
        other.share(next(iter(Data(101).train_dataloader())))


def test_an_error_of_the_connection_says_what_it_means():
    error = RuntimeError("[gloo/transport/tcp/pair.cc:545] Connection reset by peer")
    process(0, 2).explain(error)
    assert "process 0 of 2 waited for another one" in error.__notes__[0]
    for alone, other in ((process(0, 1), error), (process(0, 2), RuntimeError("mat1 and mat2"))):
        notes = len(getattr(other, "__notes__", []))
        alone.explain(other)
        assert len(getattr(other, "__notes__", [])) == notes

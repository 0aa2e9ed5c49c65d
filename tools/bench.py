"""Measure what must stay small: `python -m tools.bench`. Nothing here is asserted.

Ratios are medians over pairs of runs that follow one another, so that the machine's load cancels.
"""

import io
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torch import nn
from torch.nn import functional as F

import d2lib as d2l
from d2lib import fetch
from d2lib.board import ProgressBoard
from tools import book
from tools.execute import old_records

IMPORT = """
import time; start = time.perf_counter()
import torch; between = time.perf_counter()
import d2lib; print(time.perf_counter() - between, between - start)
"""


def main() -> None:
    console = Console()
    runs = [_import_seconds() for _ in range(5)]
    ours, torchs = (statistics.median(column) for column in zip(*runs, strict=True))
    console.print(f"import d2lib: {1000 * ours:.0f} ms over torch's {torchs:.1f} s (median of 5)")
    ProgressBoard._update = ProgressBoard._print = draw  # as in a live notebook
    d2l.board.LIVE = True
    d2l.trainer.tell = lambda *_, **__: None  # the lines of a run outside notebooks
    table = Table("measured", "against", "ratio", "bound", title="time, medians of pairs")
    with tempfile.TemporaryDirectory() as scratch:
        for what, against, bound, pairs, measure in comparisons(scratch):
            ratio = statistics.median(measure() for _ in range(pairs))
            table.add_row(what, against, f"{ratio:.2f}", bound)
    console.print(table)
    table = Table("notebook", "seconds", "memory (MB)", title="notebooks, as last executed")
    records = old_records()
    for path in map(str, book.notebooks()):
        if records.get(path, {}).get("status") == "ok":
            name = path.removeprefix("chapters/").removesuffix(".ipynb")
            table.add_row(name, f"{records[path]['seconds']:.1f}", str(records[path]["peak_mb"]))
    console.print(table)


def comparisons(scratch: str):
    """What is compared with what: names, the bound on the ratio, pairs, and one pair's ratio."""
    images = d2l.FashionMNIST(batch_size=256, holdout=0)
    points = d2l.SyntheticRegressionData([2.0, -3.4], 4.2)
    slow = {side: per_sample(scratch, side) for side in (28, 96)}
    fed = PerSample(per_sample(scratch, 28))

    def trainer_or_bare(make: Callable, data, epochs: int) -> Callable:
        return lambda: (
            seconds(lambda: train(make(), data, epochs))
            / seconds(lambda: bare(make(), data, epochs))
        )

    def board(make: Callable, data, epochs: int) -> Callable:
        return lambda: (
            seconds(lambda: train(make(), data, epochs, display=True))
            / seconds(lambda: train(make(), data, epochs))
        )

    def pipelines(side: int) -> Callable:
        fast = d2l.FashionMNIST(batch_size=128, resize=(side, side), holdout=0).train
        rows = torch.randperm(len(fast))[:6000]
        return lambda: (
            seconds(lambda: [slow[side][int(row)] for row in rows])
            / seconds(lambda: [fast[part] for part in rows.split(128)])
        )

    def feeding(make: Callable) -> Callable:
        return lambda: (
            seconds(lambda: train(make(), fed, 1)) / seconds(lambda: train(make(), images, 1))
        )

    epoch, bare_loop = "an epoch through Trainer", "a bare tensor loop"
    yield f"{epoch}, linear regression", bare_loop, "1.6", 9, trainer_or_bare(linear, points, 10)
    yield f"{epoch}, softmax regression", bare_loop, "1.15", 9, trainer_or_bare(softmax, images, 1)
    yield f"{epoch}, MLP-256", bare_loop, "1.10", 5, trainer_or_bare(mlp, images, 1)
    yield f"{epoch}, LeNet", bare_loop, "1.05", 3, trainer_or_bare(d2l.LeNet, images, 1)
    yield "the live board, linear regression", "no board", "1.05", 5, board(linear, points, 800)
    yield "the live board, softmax regression", "no board", "1.05", 3, board(softmax, images, 40)
    yield "torchvision, per sample, 28 px", "tensors by batch", ">= 50", 5, pipelines(28)
    yield "torchvision, per sample, 96 px", "tensors by batch", ">= 5", 5, pipelines(96)
    workers = "the same through d2lib"
    yield "softmax epoch, per sample, 2 workers", workers, ">= 15", 3, feeding(softmax)
    yield "MLP-256 epoch, per sample, 2 workers", workers, ">= 8", 3, feeding(mlp)
    yield "LeNet epoch, per sample, 2 workers", workers, ">= 2", 3, feeding(d2l.LeNet)


def linear() -> d2l.Module:
    return d2l.LinearRegression(0.03)


def softmax() -> d2l.Module:
    return d2l.SoftmaxRegression(10, 0.1)


def mlp() -> d2l.Module:
    model = d2l.SoftmaxRegression(10, 0.1)
    model.net = nn.Sequential(nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10))
    return model


def train(model: d2l.Module, data, epochs: int, display: bool = False) -> None:
    model.board.display = display
    d2l.Trainer(epochs).fit(model, data)


def bare(model: d2l.Module, data, epochs: int) -> None:
    """What `train` does, written for these two data sets, and nothing recorded."""
    if isinstance(data, d2l.FashionMNIST):
        train, val = ((part.images, part.labels) for part in (data.train, data.val))
        loss, read = F.cross_entropy, lambda X: X.unsqueeze(1).float() / 255
    else:
        train, val = (data.X[:1000], data.y[:1000]), (data.X[1000:], data.y[1000:])
        loss, read = F.mse_loss, lambda X: X
    optim = torch.optim.SGD(model.parameters(), lr=model.lr)
    for _ in range(epochs):
        order = torch.randperm(len(train[0])).split(data.batch_size)
        for X, y in ((read(train[0][rows]), train[1][rows]) for rows in order):
            optim.zero_grad()
            loss(model(X), y).backward()
            optim.step()
        with torch.no_grad():
            parts = zip(*(part.split(data.batch_size) for part in val), strict=True)
            sum(loss(model(read(X)), y) * len(y) for X, y in parts).item()


def per_sample(scratch: str, side: int):
    """torchvision's data set: each image decoded, resized and converted when it is asked for."""
    from torchvision import transforms
    from torchvision.datasets import FashionMNIST

    raw = Path(scratch, "FashionMNIST", "raw")
    raw.mkdir(parents=True, exist_ok=True)
    for name in fetch.FILES:
        (raw / name).write_bytes(fetch.fashion_mnist(name))
    steps = [transforms.Resize((side, side)), transforms.ToTensor()]
    return FashionMNIST(scratch, train=True, transform=transforms.Compose(steps))


class PerSample(d2l.DataModule):
    """A per-sample data set behind PyTorch's DataLoader with two worker processes."""

    def __init__(self, dataset):
        super().__init__()
        self.dataset = dataset
        self.val = d2l.FashionMNIST(batch_size=256)

    def get_dataloader(self, train: bool):
        if not train:
            return self.val.test_dataloader()
        return torch.utils.data.DataLoader(self.dataset, 256, shuffle=True, num_workers=2)


def draw(board: ProgressBoard) -> None:
    board.render().savefig(io.BytesIO(), format="svg")


def seconds(run: Callable) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def _import_seconds() -> list[float]:
    return [float(s) for s in subprocess.check_output([sys.executable, "-c", IMPORT]).split()]


if __name__ == "__main__":
    book.command(main)

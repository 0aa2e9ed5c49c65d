"""Data in tensors, in batches: the frame (DataModule), the loader, and the book's data sets."""

import copy
from collections.abc import Iterable, Iterator, Sequence
from numbers import Integral
from typing import Any

import torch
from torch.nn import functional as F
from torch.utils.data import TensorDataset

from d2lib import fetch
from d2lib.fetch import data_folder
from d2lib.module import HyperParameters
from d2lib.plotting import show_images


class TensorLoader:
    """Batches of a data set whose rows are indexed many at a time, anew on each `iter`.

    `dataset[rows]` gives a tuple of tensors for a tensor of row numbers or a slice, as PyTorch's
    `TensorDataset` does; `len(loader)` counts batches, the last of which may be smaller. The order
    of a shuffle comes from `generator`, or from PyTorch's global one.

    Taught in `linear_regression/synthetic_data`.
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int,
        shuffle: bool = False,
        *,
        drop_last: bool = False,
        generator: torch.Generator | None = None,
    ):
        if not isinstance(batch_size, Integral) or batch_size < 1:
            raise ValueError(f"batch_size is {batch_size!r}: give a number of rows, 1 or more")
        if isinstance(dataset, torch.Tensor | list | tuple):
            kind = type(dataset).__name__
            raise TypeError(
                f"a {kind} is no data set: give TensorDataset(X, y), from torch.utils.data"
            )
        self.dataset, self.batch_size, self.shuffle = dataset, batch_size, shuffle
        self.drop_last, self.generator = drop_last, generator
        self.device = torch.device("cpu")

    def __len__(self) -> int:
        full, rest = divmod(len(self.dataset), self.batch_size)
        return full if self.drop_last or rest == 0 else full + 1

    def __iter__(self) -> Iterator:
        n, size = len(self.dataset), self.batch_size
        if self.shuffle:
            order = torch.randperm(n, generator=self.generator, device="cpu").to(self.device)
        for start in range(0, len(self) * size, size):
            rows = slice(start, start + size)
            yield self.dataset[order[rows] if self.shuffle else rows]

    def to(self, device: torch.device | str) -> "TensorLoader":
        """The same loader, its data on `device`; orders are drawn on the CPU, the same for each."""
        moved = copy.copy(self)
        moved.device = torch.device(device)
        if isinstance(self.dataset, TensorDataset):
            moved.dataset = copy.copy(self.dataset)  # a subclass stays one
            moved.dataset.tensors = tuple(t.to(device) for t in self.dataset.tensors)
        elif hasattr(self.dataset, "to"):
            moved.dataset = self.dataset.to(device)
        else:
            moved.device = self.device  # the trainer moves its batches, one by one
        return moved


class DataModule(HyperParameters):
    """Training data, and validation data if there is any, in batches.

    `root` is the folder for data that must be fetched: by default the user's cache, in which
    torchvision's classes find Fashion-MNIST as well as d2lib's. `num_workers` is there for readers
    of D2L; data in tensors need no workers, so nothing uses it.

    Taught in `linear_regression/object_oriented_design`.
    """

    def __init__(self, root: str | None = None, num_workers: int = 4):
        self.save_hyperparameters()
        self.root = str(data_folder(root))

    def get_dataloader(self, train: bool) -> Iterable:
        """An iterable with a length that yields batches, of training or of validation data."""
        raise NotImplementedError(f"{type(self).__name__} needs a method get_dataloader(train)")

    def train_dataloader(self) -> Iterable:
        """Batches to learn from."""
        return self.get_dataloader(train=True)

    def val_dataloader(self) -> Iterable | None:
        """Batches to be judged by; None for no validation."""
        return self.get_dataloader(train=False)

    def get_tensorloader(
        self, tensors: Sequence[torch.Tensor], train: bool, indices: slice = slice(0, None)
    ) -> TensorLoader:
        """Batches of `self.batch_size` from the rows `indices` of the tensors, shuffled to train.

        Raises TypeError for what are no tensors, ValueError where their numbers of rows differ.
        Taught in `linear_regression/synthetic_data`.
        """
        _check_tensors(tensors)
        tensors = [tensor[indices] for tensor in tensors]
        if len({len(tensor) for tensor in tensors}) > 1:
            lengths = ", ".join(str(len(tensor)) for tensor in tensors)
            raise ValueError(f"tensors of one data set have equally many rows, not {lengths}")
        return TensorLoader(TensorDataset(*tensors), self.batch_size, shuffle=train)


class SyntheticRegressionData(DataModule):
    """Labels that are a linear function of normal features, plus normal noise.

    `X` is `(num_train + num_val, d)`, `y` is `(num_train + num_val, 1)`; the first `num_train` rows
    are for training. `w` has `d` numbers, `noise` is the standard deviation. With a `seed` the data
    come from a generator of their own, else from PyTorch's global one.

    Raises ValueError where `w` is no vector or `b` not one number.
    Taught in `linear_regression/synthetic_data`.
    """

    def __init__(
        self,
        w: Sequence[float] | torch.Tensor,
        b: float,
        noise: float = 0.01,
        num_train: int = 1000,
        num_val: int = 1000,
        batch_size: int = 32,
        *,
        seed: int | None = None,
    ):
        super().__init__()
        self.save_hyperparameters()
        _check_truth(w, b)
        self.w = torch.as_tensor(w, dtype=torch.float32)
        generator = None  # the global one; a seed gets another stream than torch.manual_seed(seed)
        if seed is not None:
            generator = torch.Generator().manual_seed(seed + 1_000_000)
        n = num_train + num_val
        self.X = torch.randn(n, len(self.w), generator=generator)
        errors = noise * torch.randn(n, 1, generator=generator)
        self.y = self.X @ self.w.reshape(-1, 1) + b + errors

    def get_dataloader(self, train: bool) -> TensorLoader | None:
        """Batches of the first `num_train` rows, or of the rest (None where there is no rest)."""
        if not train and self.num_val == 0:
            return None
        rows = slice(0, self.num_train) if train else slice(self.num_train, None)
        return self.get_tensorloader((self.X, self.y), train, rows)


class LabelledImages:
    """Gray images kept as bytes, `(n, h, w)`, and their labels, `(n,)` int64.

    `images[5]` is a pair: the image `(1, h, w)` as floats in [0, 1], resized, and its label as a
    number. For a slice or a tensor of row numbers it is a batch: `(n, 1, h, w)` and `(n,)`.

    Taught in `linear_classification/fashion_mnist`.
    """

    def __init__(self, images: torch.Tensor, labels: torch.Tensor, resize: Sequence[int]):
        self.images, self.labels, self.resize = images, labels, tuple(resize)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, rows: Any) -> tuple:
        if isinstance(rows, int) or getattr(rows, "ndim", 1) == 0:
            X, y = self[[int(rows)]]
            return X[0], int(y[0])
        X = _taken(self.images, rows).unsqueeze(1).float() / 255  # (n, 1, h, w)
        if X.shape[-2:] != self.resize:
            X = F.interpolate(X, self.resize, mode="bilinear", antialias=True)
        return X, self.labels[rows]

    def to(self, device: torch.device | str) -> "LabelledImages":
        """The same data set on `device`."""
        moved = copy.copy(self)  # a subclass stays one
        moved.images, moved.labels = self.images.to(device), self.labels.to(device)
        return moved


def _taken(images: torch.Tensor, rows: Any) -> torch.Tensor:
    """`images[rows]`; three times as fast where rows are numbers from 0 on, on the CPU."""
    numbers = isinstance(rows, torch.Tensor) and rows.dtype == torch.int64 and rows.ndim == 1
    if numbers and len(rows) and images.device.type == "cpu" and rows.min() >= 0:
        return images.index_select(0, rows)
    return images[rows]


class FashionMNIST(DataModule):
    """70,000 gray pictures of 10 kinds of clothing, 28 x 28 pixels, resized to `resize`.

    `train`, `val` and `test` are LabelledImages. `val` is `holdout` of the 60,000 training images,
    equally many of each kind, chosen by `seed`; with `holdout=0` it is the official test set, as in
    D2L, and all 60,000 are for training. `test` always is that set, of 10,000.

    Raises FileNotFoundError, with what to do, where the data can neither be found nor fetched.
    Taught in `linear_classification/fashion_mnist`.
    """

    labels = ("t-shirt", "trouser", "pullover", "dress", "coat")
    labels += ("sandal", "shirt", "sneaker", "bag", "ankle boot")

    def __init__(
        self,
        batch_size: int = 64,
        resize: Sequence[int] = (28, 28),
        root: str | None = None,
        num_workers: int = 4,
        *,
        holdout: int = 10_000,
        seed: int = 0,
    ):
        super().__init__(root, num_workers)
        self.save_hyperparameters(ignore=["root", "num_workers"])  # DataModule has kept them
        if not isinstance(resize, Sequence) or len(resize) != 2:
            raise ValueError(f"resize is {resize!r}: give height and width, as in (28, 28)")
        images, labels = _read_idx("train", root)
        self.test = LabelledImages(*_read_idx("t10k", root), resize)
        kept, held = _stratified(labels, holdout, seed)
        self.train = LabelledImages(images[kept], labels[kept], resize)
        self.val = LabelledImages(images[held], labels[held], resize) if holdout else self.test

    def text_labels(self, indices: Iterable) -> list[str]:
        """The names of the classes numbered `indices`."""
        return [self.labels[int(i)] for i in indices]

    def get_dataloader(self, train: bool) -> TensorLoader:
        """Batches `(X, y)` of shapes `(batch_size, 1, h, w)` and `(batch_size,)`."""
        return TensorLoader(self.train if train else self.val, self.batch_size, shuffle=train)

    def test_dataloader(self) -> TensorLoader:
        """Batches of the official test images: for one reading, when all choices are made."""
        return TensorLoader(self.test, self.batch_size)

    def visualize(
        self,
        batch: Sequence[torch.Tensor],
        nrows: int = 1,
        ncols: int = 8,
        labels: Sequence[str] | None = None,
    ):
        """Show the first images of a batch, with `labels` or their classes' names as titles."""
        X, y = batch
        return show_images(
            X.squeeze(1), nrows, ncols, titles=self.text_labels(y) if labels is None else labels
        )


def _check_tensors(tensors: Sequence[torch.Tensor]) -> None:
    if isinstance(tensors, torch.Tensor):
        raise TypeError("get_tensorloader got one tensor: give a tuple of them, such as (X, y)")
    for value in tensors:
        if not isinstance(value, torch.Tensor):
            kind = type(value).__name__
            cure = "torch.tensor(values, dtype=torch.float32)"
            raise TypeError(f"get_tensorloader got a {kind}: make it a tensor first, {cure}")


def _check_truth(w: Any, b: Any) -> None:
    w, b = torch.as_tensor(w), torch.as_tensor(b)
    if w.ndim == 0 or w.numel() != len(w):
        raise ValueError(f"w has shape {tuple(w.shape)}: give one number per feature, (d,)")
    if b.numel() != 1:
        raise ValueError(f"b has shape {tuple(b.shape)}: give one number")


def _read_idx(part: str, root: str | None) -> tuple[torch.Tensor, torch.Tensor]:
    """Images `(n, 28, 28)` uint8 and labels `(n,)` int64 of "train" or "t10k"."""
    images = bytearray(fetch.fashion_mnist(f"{part}-images-idx3-ubyte", root))
    labels = bytearray(fetch.fashion_mnist(f"{part}-labels-idx1-ubyte", root))
    pixels = torch.frombuffer(images, dtype=torch.uint8, offset=16)
    return pixels.reshape(-1, 28, 28), torch.frombuffer(labels, dtype=torch.uint8, offset=8).long()


def _stratified(labels: torch.Tensor, holdout: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Row numbers to keep and to hold out, with equally many of each of the 10 classes held out."""
    if holdout % 10 or not 0 <= holdout < len(labels):
        raise ValueError(f"holdout is {holdout}: hold out a multiple of 10 below {len(labels)}")
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    by_class = order[labels[order].argsort(stable=True)].reshape(10, -1)  # (10, 6000)
    held, kept = by_class[:, : holdout // 10], by_class[:, holdout // 10 :]
    return kept.flatten().sort().values, held.flatten().sort().values

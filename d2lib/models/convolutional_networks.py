"""The models of the chapter `convolutional_networks`, and what belongs to them."""

import warnings

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from d2lib.module import Classifier


def corr2d(X: torch.Tensor, K: torch.Tensor) -> torch.Tensor:
    """The cross-correlation of `X` `(h, w)` with the kernel `K` `(p, q)`, by loops.

    Returns `(h - p + 1, w - q + 1)`, on the device of `X`; gradients flow to both. Raises
    ValueError for another number of axes or a kernel larger than `X`.
    Taught in `convolutional_networks/convolution`.
    """
    _check_kernel(X, K)
    h, w = K.shape
    Y = (X[:1, :1] * K[:1, :1]).new_zeros(X.shape[0] - h + 1, X.shape[1] - w + 1)
    for i in range(Y.shape[0]):
        for j in range(Y.shape[1]):
            Y[i, j] = (X[i : i + h, j : j + w] * K).sum()
    return Y


def _check_kernel(X: torch.Tensor, K: torch.Tensor) -> None:
    shapes = f"the input has shape {tuple(X.shape)} and the kernel {tuple(K.shape)}"
    if X.ndim != 2 or K.ndim != 2:
        raise ValueError(f"{shapes}: corr2d takes two matrices; for batches, F.conv2d")
    if not all(0 < k <= n for k, n in zip(K.shape, X.shape, strict=True)):
        raise ValueError(f"{shapes}: the kernel must have elements and fit into the input")


def init_cnn(module: nn.Module) -> None:
    """Xavier's uniform weights for a linear or convolutional layer; other modules stay.

    Use it as `net.apply(init_cnn)` once the shapes are known, or `model.apply_init([X], init_cnn)`.
    Warns of a lazy layer, which has no weights yet, and leaves it.
    Taught in `convolutional_networks/lenet`.
    """
    _check_not_lazy(module)
    if isinstance(module, nn.Linear | nn.Conv2d) and not is_lazy(module.weight):
        nn.init.xavier_uniform_(module.weight)


def _check_not_lazy(module: nn.Module) -> None:
    if is_lazy(getattr(module, "weight", None)):
        warnings.warn(
            f"init_cnn left {type(module).__name__} as it is, since its shape is not known yet:"
            " call model.apply_init([X], init_cnn) with a batch X",
            stacklevel=3,
        )


class LeNet(Classifier):
    """LeNet-5 as it is built today, for images `(n, 1, 28, 28)`.

    Its layers are lazy: the first batch, or `apply_init`, tells their shapes. Keyword-only
    `activation` and `pool` are classes of layers; the pooling halves height and width.
    Taught in `convolutional_networks/lenet`.
    """

    def __init__(
        self,
        lr: float = 0.1,
        num_classes: int = 10,
        *,
        activation: type[nn.Module] = nn.Sigmoid,
        pool: type[nn.Module] = nn.AvgPool2d,
    ):
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(
            nn.LazyConv2d(6, kernel_size=5, padding=2),
            activation(),
            pool(kernel_size=2, stride=2),
            nn.LazyConv2d(16, kernel_size=5),
            activation(),
            pool(kernel_size=2, stride=2),
            nn.Flatten(),
            nn.LazyLinear(120),
            activation(),
            nn.LazyLinear(84),
            activation(),
            nn.LazyLinear(num_classes),
        )

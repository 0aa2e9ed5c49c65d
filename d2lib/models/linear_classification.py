"""The models of the chapter `linear_classification`, and what belongs to them."""

import torch
from torch import nn

from d2lib.module import Classifier, check_labels


def softmax(X: torch.Tensor) -> torch.Tensor:
    """Each row of scores `(n, q)` as probabilities: positive, with sum 1.

    Raises ValueError for scores of another number of axes.
    Taught in `linear_classification/softmax_regression_scratch`.
    """
    _check_rows(X)
    X_exp = torch.exp(X - X.max(dim=1, keepdim=True).values)
    return X_exp / X_exp.sum(dim=1, keepdim=True)


def cross_entropy(y_hat: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The mean of -ln of the probability, in `y_hat` `(n, q)`, of the label, in `y` `(n,)`.

    Raises ValueError or TypeError where labels do not fit the probabilities.
    Taught in `linear_classification/softmax_regression_scratch`.
    """
    _check_rows(y_hat)
    _check_one_axis(y)
    check_labels(y_hat, y)
    rows = torch.arange(len(y), device=y.device)
    return -torch.log(y_hat[rows, y]).mean()


def confusion_matrix(y_hat: torch.Tensor, y: torch.Tensor, num_classes: int) -> torch.Tensor:
    """How often the classes of a row (true) were called those of a column (predicted).

    `y_hat` and `y` are predicted and true classes, `(n,)`, integers of any type; the result is
    `(q, q)` int64.
    Raises ValueError for another shape or a class outside 0 to `num_classes - 1`.
    Taught in `linear_classification/classifier`.
    """
    _check_classes(y_hat, y, num_classes)
    pairs = num_classes * y.long() + y_hat
    return torch.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)


def _check_rows(X: torch.Tensor) -> None:
    if X.ndim != 2:
        raise ValueError(f"shape {tuple(X.shape)} is not (n, q): give one row per example")


def _check_one_axis(y: torch.Tensor) -> None:
    if y.ndim != 1:
        raise ValueError(f"labels have shape {tuple(y.shape)}: give one class number per row, (n,)")


def _check_classes(y_hat: torch.Tensor, y: torch.Tensor, num_classes: int) -> None:
    for name, classes in (("y_hat", y_hat), ("y", y)):
        if classes.is_floating_point() or classes.ndim != 1 or len(y_hat) != len(y):
            raise ValueError(
                f"{name} is {classes.dtype} of shape {tuple(classes.shape)}: give decided and true"
                " classes as integers, (n,) each; for scores, scores.argmax(dim=1)"
            )
        if len(classes) and not 0 <= classes.min() <= classes.max() < num_classes:
            worst = classes.min() if classes.min() < 0 else classes.max()
            raise ValueError(
                f"{name} holds class {worst}: with {num_classes} classes, 0 to {num_classes - 1}"
            )


class SoftmaxRegressionScratch(Classifier):
    """Softmax regression with nothing but tensors; its outputs are probabilities `(n, q)`.

    `W` is `(num_inputs, num_outputs)`, `b` `(num_outputs,)`; images are flattened.
    Taught in `linear_classification/softmax_regression_scratch`.
    """

    def __init__(self, num_inputs: int, num_outputs: int, lr: float, sigma: float = 0.01):
        super().__init__()
        self.save_hyperparameters()
        self.W = nn.Parameter(sigma * torch.randn(num_inputs, num_outputs))
        self.b = nn.Parameter(torch.zeros(num_outputs))

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Probabilities `(n, q)` for inputs `(n, ...)` of `num_inputs` numbers each."""
        return softmax(X.reshape(len(X), -1) @ self.W + self.b)

    def loss(self, y_hat: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """The cross-entropy of the probabilities."""
        return cross_entropy(y_hat, y)


class SoftmaxRegression(Classifier):
    """Softmax regression with PyTorch's parts; its outputs are logits `(n, num_outputs)`.

    Taught in `linear_classification/softmax_regression_concise`.
    """

    def __init__(self, num_outputs: int, lr: float):
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(nn.Flatten(), nn.LazyLinear(num_outputs))

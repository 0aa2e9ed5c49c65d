"""The models of the chapter `linear_classification`, and what belongs to them."""

import torch
from torch import nn

from d2lib.module import Classifier


def softmax(X: torch.Tensor) -> torch.Tensor:
    """Each row of scores `(n, q)` as probabilities: positive, with sum 1.

    Taught in `linear_classification/softmax_regression_scratch`.
    """
    X_exp = torch.exp(X - X.max(dim=1, keepdim=True).values)
    return X_exp / X_exp.sum(dim=1, keepdim=True)


def cross_entropy(y_hat: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The mean of -ln of the probability, in `y_hat` `(n, q)`, of the label, in `y` `(n,)`.

    Taught in `linear_classification/softmax_regression_scratch`.
    """
    rows = torch.arange(len(y), device=y.device)
    return -torch.log(y_hat[rows, y]).mean()


def confusion_matrix(y_hat: torch.Tensor, y: torch.Tensor, num_classes: int) -> torch.Tensor:
    """How often the classes of a row (true) were called those of a column (predicted).

    `y_hat` and `y` are predicted and true classes, `(n,)`; the result is `(q, q)` int64.
    Taught in `linear_classification/classifier`.
    """
    pairs = num_classes * y + y_hat
    return torch.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)


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

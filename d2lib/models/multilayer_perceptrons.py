"""The models of the chapter `multilayer_perceptrons`, and what belongs to them."""

import torch
from torch import nn

from d2lib.module import Classifier


def relu(X: torch.Tensor) -> torch.Tensor:
    """Each number of `X`, of any shape, or 0 where it is negative.

    Taught in `multilayer_perceptrons/mlp_implementation`.
    """
    return torch.where(X <= 0, 0, X)


class MLPScratch(Classifier):
    """A network with one hidden layer and nothing but tensors; its outputs are logits `(n, q)`.

    `W1` is `(num_inputs, num_hiddens)`, `b1` `(num_hiddens,)`, `W2` `(num_hiddens, num_outputs)`,
    `b2` `(num_outputs,)`; images are flattened.
    Taught in `multilayer_perceptrons/mlp_implementation`.
    """

    def __init__(
        self, num_inputs: int, num_outputs: int, num_hiddens: int, lr: float, sigma: float = 0.01
    ):
        super().__init__()
        self.save_hyperparameters()
        self.W1 = nn.Parameter(sigma * torch.randn(num_inputs, num_hiddens))
        self.b1 = nn.Parameter(torch.zeros(num_hiddens))
        self.W2 = nn.Parameter(sigma * torch.randn(num_hiddens, num_outputs))
        self.b2 = nn.Parameter(torch.zeros(num_outputs))

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Logits `(n, q)` for inputs `(n, ...)` of `num_inputs` numbers each."""
        X = X.reshape(len(X), -1)
        return relu(X @ self.W1 + self.b1) @ self.W2 + self.b2


class MLP(Classifier):
    """A network with one hidden layer of PyTorch's parts; its outputs are logits `(n, q)`.

    Taught in `multilayer_perceptrons/mlp_implementation`.
    """

    def __init__(self, num_outputs: int, num_hiddens: int, lr: float):
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(
            nn.Flatten(), nn.LazyLinear(num_hiddens), nn.ReLU(), nn.LazyLinear(num_outputs)
        )


def dropout_layer(X: torch.Tensor, dropout: float) -> torch.Tensor:
    """`X`, of any shape, each number set to 0 with probability `dropout`, or else scaled up.

    The scale, `1 / (1 - dropout)`, keeps the mean. Raises ValueError outside 0 to 1.
    Taught in `multilayer_perceptrons/dropout`.
    """
    _check_probability(dropout)
    if dropout == 1:
        return torch.zeros_like(X)
    mask = (torch.rand_like(X) >= dropout).to(X.dtype)
    return mask * X / (1 - dropout)


def _check_probability(dropout: float) -> None:
    if not 0 <= dropout <= 1:
        raise ValueError(f"dropout is {dropout!r}: give a probability, 0 to 1")


class DropoutMLPScratch(Classifier):
    """A network with two hidden layers, and our own dropout behind each while it trains.

    Taught in `multilayer_perceptrons/dropout`.
    """

    def __init__(
        self,
        num_outputs: int,
        num_hiddens_1: int,
        num_hiddens_2: int,
        dropout_1: float,
        dropout_2: float,
        lr: float,
    ):
        super().__init__()
        self.save_hyperparameters()
        self.lin1 = nn.LazyLinear(num_hiddens_1)
        self.lin2 = nn.LazyLinear(num_hiddens_2)
        self.lin3 = nn.LazyLinear(num_outputs)
        self.relu = nn.ReLU()

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Logits `(n, q)` for inputs `(n, ...)`."""
        H = self.relu(self.lin1(X.reshape(len(X), -1)))
        if self.training:
            H = dropout_layer(H, self.dropout_1)
        H = self.relu(self.lin2(H))
        if self.training:
            H = dropout_layer(H, self.dropout_2)
        return self.lin3(H)


class DropoutMLP(Classifier):
    """The same network of PyTorch's parts.

    Taught in `multilayer_perceptrons/dropout`.
    """

    def __init__(
        self,
        num_outputs: int,
        num_hiddens_1: int,
        num_hiddens_2: int,
        dropout_1: float,
        dropout_2: float,
        lr: float,
    ):
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(
            nn.Flatten(),
            nn.LazyLinear(num_hiddens_1),
            nn.ReLU(),
            nn.Dropout(dropout_1),
            nn.LazyLinear(num_hiddens_2),
            nn.ReLU(),
            nn.Dropout(dropout_2),
            nn.LazyLinear(num_outputs),
        )

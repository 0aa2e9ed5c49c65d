"""The models of the chapter `linear_regression`, and the optimizer that it builds."""

from collections.abc import Iterable, Sequence

import torch
from torch import nn

from d2lib.module import HyperParameters, Module


class SGD(HyperParameters):
    """Stochastic gradient descent: each step moves the parameters against their gradients.

    `params` are tensors that require gradients, `lr` is the learning rate.

    Taught in `linear_regression/linear_regression_scratch`.
    """

    def __init__(self, params: Iterable[torch.Tensor], lr: float):
        self.save_hyperparameters()
        self.params = list(params)
        if not self.params:
            raise ValueError("SGD got no parameters to update")

    @torch.no_grad()
    def step(self) -> None:
        """Update every parameter that has a gradient."""
        for param in self.params:
            if param.grad is not None:
                param -= self.lr * param.grad

    def zero_grad(self) -> None:
        """Forget the gradients of the last step; PyTorch would add the next ones to them."""
        for param in self.params:
            param.grad = None


def _check_shapes(y_hat: torch.Tensor, y: torch.Tensor) -> None:
    if y_hat.shape != y.shape:
        raise ValueError(
            f"predictions have shape {tuple(y_hat.shape)} but labels {tuple(y.shape)}: their"
            " difference would be broadcast; give labels the shape of the predictions, (n, 1)"
        )


class LinearRegressionScratch(Module):
    """Linear regression with nothing but tensors: `X @ w + b`, `w` `(num_inputs, 1)`, `b` `(1,)`.

    Raises ValueError where labels have not the shape of the predictions, `(n, 1)`.
    Taught in `linear_regression/linear_regression_scratch`.
    """

    def __init__(self, num_inputs: int, lr: float, sigma: float = 0.01):
        super().__init__()
        self.save_hyperparameters()
        self.w = nn.Parameter(sigma * torch.randn(num_inputs, 1))
        self.b = nn.Parameter(torch.zeros(1))

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Predictions `(n, 1)` for inputs `(n, num_inputs)`."""
        return X @ self.w + self.b

    def loss(self, y_hat: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """The mean of half the squared errors."""
        _check_shapes(y_hat, y)
        return ((y_hat - y) ** 2 / 2).mean()

    def configure_optimizers(self) -> SGD:
        """Plain SGD on `w` and `b`."""
        return SGD([self.w, self.b], self.lr)


class LinearRegression(Module):
    """Linear regression with PyTorch's parts; the first batch tells how many inputs there are.

    Weights start normal with standard deviation 0.01, the bias at 0. Raises ValueError where
    labels have not the shape of the predictions, `(n, 1)`.
    Taught in `linear_regression/linear_regression_concise`.
    """

    def __init__(self, lr: float):
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.LazyLinear(1)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Predictions `(n, 1)` for inputs `(n, d)`."""
        if isinstance(self.net.weight, nn.UninitializedParameter):
            self.net.initialize_parameters(X)
            nn.init.normal_(self.net.weight, 0, 0.01)
            nn.init.zeros_(self.net.bias)
        return self.net(X)

    def loss(self, y_hat: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """The mean squared error, without the half of `LinearRegressionScratch`."""
        _check_shapes(y_hat, y)
        return nn.functional.mse_loss(y_hat, y)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """PyTorch's SGD on all parameters."""
        return torch.optim.SGD(self.parameters(), self.lr)

    def get_w_b(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The weight `(1, d)` and the bias `(1,)`, detached.

        Raises RuntimeError before the first batch, when there are none.
        """
        if isinstance(self.net.weight, nn.UninitializedParameter):
            raise RuntimeError("the weights do not exist yet: the first batch fixes their number")
        return self.net.weight.detach(), self.net.bias.detach()


def l2_penalty(w: torch.Tensor) -> torch.Tensor:
    """Half the sum of the squares of `w`. Taught in `linear_regression/weight_decay`."""
    return (w**2).sum() / 2


class WeightDecayScratch(LinearRegressionScratch):
    """Linear regression whose training objective adds `lambd * l2_penalty(w)` to the loss.

    What is recorded, in training and in validation, is the loss without the penalty.
    Taught in `linear_regression/weight_decay`.
    """

    def __init__(self, num_inputs: int, lambd: float, lr: float, sigma: float = 0.01):
        super().__init__(num_inputs, lr, sigma)
        self.save_hyperparameters()

    def training_step(self, batch: Sequence[torch.Tensor]) -> torch.Tensor:
        """The loss of a batch plus the penalty."""
        return super().training_step(batch) + self.lambd * l2_penalty(self.w)


class WeightDecay(LinearRegression):
    """Linear regression whose optimizer decays the weight, not the bias, by `wd`.

    Taught in `linear_regression/weight_decay`.
    """

    def __init__(self, wd: float, lr: float):
        super().__init__(lr)
        self.save_hyperparameters()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """PyTorch's SGD with two groups of parameters."""
        decayed = {"params": [self.net.weight], "weight_decay": self.wd}
        return torch.optim.SGD([decayed, {"params": [self.net.bias]}], lr=self.lr)

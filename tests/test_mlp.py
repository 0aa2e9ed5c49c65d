"""The models of the chapter on multilayer perceptrons against PyTorch's parts."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import d2lib as d2l


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    monkeypatch.setattr("d2lib.board.LIVE", False)


def images(n: int = 16) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.rand(n, 1, 28, 28), torch.randint(10, (n,))


def copied(scratch: d2l.MLPScratch) -> d2l.MLP:
    """The concise model with the weights of the one from scratch."""
    concise = d2l.MLP(10, scratch.num_hiddens, scratch.lr)
    concise(images(2)[0])
    layers = concise.net[1], concise.net[3]
    pairs = ((scratch.W1, scratch.b1), (scratch.W2, scratch.b2))
    with torch.no_grad():
        for layer, (W, b) in zip(layers, pairs, strict=True):
            layer.weight.copy_(W.T)
            layer.bias.copy_(b)
    return concise


@pytest.mark.parametrize("shape", [(), (7,), (2, 3, 4), (0, 5)])
def test_relu_equals_pytorchs(shape):
    X = torch.randn(shape)
    assert torch.equal(d2l.relu(X), F.relu(X))


def test_relu_at_its_corner_and_beyond_numbers():
    values = [-2.0, -0.0, 0.0, 3.0, math.inf, -math.inf, math.nan]
    for function in (d2l.relu, F.relu):
        X = torch.tensor(values, requires_grad=True)
        Y = function(X)
        Y[:4].sum().backward()
        assert Y.tolist()[:6] == [0, 0, 0, 3, math.inf, 0]
        assert Y[6].isnan()
        assert X.grad.tolist()[:4] == [0, 0, 0, 1]
    assert d2l.relu(torch.tensor([-1, 2])).tolist() == [0, 2]


def test_from_scratch_and_concise_agree_at_each_step():
    torch.manual_seed(0)
    scratch = d2l.MLPScratch(784, 10, 32, lr=0.5, sigma=0.1)
    concise = copied(scratch)
    pairs = [(model, model.configure_optimizers()) for model in (scratch, concise)]
    for _ in range(10):
        X, y = images()
        losses = []
        for model, optim in pairs:
            losses.append(model.loss(model(X), y))
            optim.zero_grad()
            losses[-1].backward()
            optim.step()
        assert torch.allclose(*losses, atol=1e-6)
    assert torch.allclose(scratch.W1, concise.net[1].weight.T, atol=1e-5)


def test_parameters_are_counted_and_begin_as_said():
    torch.manual_seed(0)
    model = d2l.MLPScratch(784, 10, 256, lr=0.1)
    assert sum(p.numel() for p in model.parameters()) == 784 * 256 + 256 + 256 * 10 + 10 == 203_530
    assert model.W1.std().item() == pytest.approx(0.01, rel=0.02)
    assert not model.b1.any()
    assert not model.b2.any()
    X, y = images(512)
    assert model.loss(model(X), y).item() == pytest.approx(math.log(10), abs=0.01)
    assert d2l.MLPScratch(784, 10, 4, lr=0.1, sigma=0).W1.abs().max() == 0


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_dropout_equals_pytorchs_but_for_the_mask(p):
    torch.manual_seed(0)
    X = torch.rand(400, 250) + 1
    Y = d2l.dropout_layer(X, p)
    kept = Y != 0
    assert torch.allclose(Y[kept], X[kept] / (1 - p))
    share, error = kept.float().mean().item(), math.sqrt(p * (1 - p) / X.numel())
    assert abs(share - (1 - p)) < 4 * error
    theirs = F.dropout(X, p)
    both = kept & (theirs != 0)
    assert torch.allclose(Y[both], theirs[both])


def test_dropout_of_nothing_and_of_everything():
    X = torch.tensor([1.0, -2.0, math.inf])
    assert torch.equal(d2l.dropout_layer(X, 0), X)
    assert torch.equal(d2l.dropout_layer(X, 1), torch.zeros(3))
    assert d2l.dropout_layer(X.half(), 0.5).dtype == torch.float16
    for wrong in (-0.1, 1.5, math.nan):
        with pytest.raises(ValueError, match=r"dropout is .*: give a probability, 0 to 1"):
            d2l.dropout_layer(X, wrong)


@pytest.mark.parametrize("Model", [d2l.DropoutMLPScratch, d2l.DropoutMLP])
def test_dropout_acts_in_training_alone(Model):
    torch.manual_seed(0)
    model, (X, _) = Model(10, 32, 16, 0.5, 0.25, lr=0.1), images()
    assert not torch.equal(model(X), model(X))
    assert torch.equal(model.eval()(X), model(X))
    assert model(X).shape == (16, 10)


def test_both_dropout_networks_are_one_function():
    ours, theirs = (
        Model(10, 32, 16, 0.5, 0.25, lr=0.1) for Model in (d2l.DropoutMLPScratch, d2l.DropoutMLP)
    )
    X, _ = images()
    ours(X), theirs(X)
    linear = [layer for layer in theirs.net if isinstance(layer, nn.Linear)]
    for layer, name in zip(linear, ("lin1", "lin2", "lin3"), strict=True):
        layer.load_state_dict(getattr(ours, name).state_dict())
    assert torch.allclose(ours.eval()(X), theirs.eval()(X), atol=1e-6)
    assert [layer.p for layer in theirs.net if isinstance(layer, nn.Dropout)] == [0.5, 0.25]


@pytest.mark.parametrize(
    "make",
    [
        lambda: d2l.MLPScratch(784, 10, 64, lr=0.3),
        lambda: d2l.MLP(10, 64, lr=0.3),
        lambda: d2l.DropoutMLPScratch(10, 64, 64, 0.2, 0.2, lr=0.3),
        lambda: d2l.DropoutMLP(10, 64, 64, 0.2, 0.2, lr=0.3),
    ],
)
def test_each_network_learns(make):
    history = d2l.Trainer(2, seed=0).fit(make(), d2l.FashionMNIST(batch_size=256))
    assert history["val_acc"][-1] > 0.7
    assert history["train_loss"][-1] < history["train_loss"][0] < math.log(10)

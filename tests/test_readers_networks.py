"""What readers of D2L write with networks, after one changed import line: notebooks of our own."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import d2lib as d2l


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    monkeypatch.setattr("d2lib.board.LIVE", False)


def test_a_notebook_with_its_own_network_from_scratch():
    class TwoLayers(d2l.Classifier):
        def __init__(self, num_inputs, num_outputs, num_hiddens, lr, sigma=0.05):
            super().__init__()
            self.save_hyperparameters()
            self.into = nn.Parameter(torch.randn(num_inputs, num_hiddens) * sigma)
            self.out = nn.Parameter(torch.randn(num_hiddens, num_outputs) * sigma)

    @d2l.add_to_class(TwoLayers)
    def forward(self, X):
        X = X.reshape((-1, self.num_inputs))
        return torch.matmul(d2l.relu(torch.matmul(X, self.into)), self.out)

    model = TwoLayers(num_inputs=784, num_outputs=10, num_hiddens=32, lr=0.2)
    data = d2l.FashionMNIST(batch_size=256)
    trainer = d2l.Trainer(max_epochs=1)
    trainer.fit(model, data)
    assert model.board.data["val_acc"][-1].y > 0.6


def test_a_notebook_on_activations():
    x = torch.arange(-4.0, 4.0, 0.25, requires_grad=True)
    y = torch.tanh(x)
    d2l.plot(x.detach(), y.detach(), "x", "tanh(x)", figsize=(4, 2))
    y.backward(torch.ones_like(x), retain_graph=True)
    x.grad.data.zero_()
    y.backward(torch.ones_like(x))
    d2l.plot(x.detach(), x.grad, "x", "its derivative", figsize=(4, 2))
    assert torch.allclose(x.grad, 1 - y.detach() ** 2, atol=1e-6)
    d2l.plt.close("all")


def test_a_notebook_that_drops_units_out():
    X = torch.ones(3, 8)
    assert set(d2l.dropout_layer(X, 0.5).unique().tolist()) <= {0.0, 2.0}
    settings = {"num_outputs": 10, "num_hiddens_1": 32, "num_hiddens_2": 32}
    settings |= {"dropout_1": 0.3, "dropout_2": 0.1, "lr": 0.2}
    data = d2l.FashionMNIST(batch_size=512)
    for Model in (d2l.DropoutMLPScratch, d2l.DropoutMLP):
        model = Model(**settings)
        d2l.Trainer(max_epochs=1).fit(model, data)
        assert model.dropout_1 == 0.3
    assert isinstance(d2l.DropoutMLPScratch(**settings).lin1, nn.LazyLinear)


def test_a_notebook_that_clips_and_starts_its_own_way():
    def start(layer):
        if type(layer) is nn.Linear:
            nn.init.normal_(layer.weight, std=0.02)

    model = d2l.MLP(num_outputs=10, num_hiddens=16, lr=0.1)
    model.net(torch.rand(2, 784))
    model.net.apply(start)
    assert model.net[1].weight.std().item() == pytest.approx(0.02, rel=0.05)
    d2l.Trainer(max_epochs=1, gradient_clip_val=1).fit(model, d2l.FashionMNIST(batch_size=512))


def test_a_notebook_with_its_own_table_and_folds():
    class Flats(d2l.DataModule):
        """Prepares two tables together, and folds the first, as readers' classes do."""

        def __init__(self, batch_size, train=None, val=None):
            super().__init__()
            self.save_hyperparameters()
            if self.train is None:
                size = np.linspace(20, 120, 60)
                rows = {"size": size, "street": ["Elm", "Oak"] * 30, "rent": 200 + 9 * size}
                self.raw_train, self.raw_val = pd.DataFrame(rows), pd.DataFrame(rows)[:7]
                self.raw_val = self.raw_val.drop(columns="rent")

        def preprocess(self):
            both = pd.concat([self.raw_train.drop(columns="rent"), self.raw_val])
            both["size"] = (both["size"] - both["size"].mean()) / both["size"].std()
            both = pd.get_dummies(both, dtype=float)
            self.train, self.val = both[: len(self.raw_train)].copy(), both[len(self.raw_train) :]
            self.train["rent"] = self.raw_train["rent"]

        def get_dataloader(self, train):
            table = self.train if train else self.val
            if "rent" not in table:
                return None
            X = torch.tensor(table.drop(columns="rent").values, dtype=torch.float32)
            y = torch.tensor(table["rent"].values, dtype=torch.float32).log().reshape((-1, 1))
            return self.get_tensorloader((X, y), train)

    data = Flats(batch_size=8)
    data.preprocess()
    size, models, losses = len(data.train) // 3, [], []
    for k in range(3):
        held = data.train.iloc[k * size : (k + 1) * size]
        model = d2l.LinearRegression(0.05)
        model.board.display = False
        trainer = d2l.Trainer(max_epochs=10)
        trainer.fit(model, Flats(8, data.train.drop(index=held.index), held))
        losses.append(float(model.board.data["val_loss"][-1].y))
        models.append(model)
    assert max(losses) < 1
    logs = [model(torch.tensor(data.val.values, dtype=torch.float32)) for model in models]
    prices = torch.cat([log.exp() for log in logs], 1).mean(1)
    assert prices.shape == (7,)


def test_a_notebook_on_our_houses():
    data = d2l.KaggleHouse(batch_size=64)
    assert data.raw_train.shape[0] == 1465
    data.preprocess()
    models = d2l.k_fold(d2l.Trainer(max_epochs=2), data, k=2, lr=0.01)
    assert len(models) == 2


def test_a_notebook_on_lazy_layers():
    """A dry run, then the start that the reader wants: in D2L's order of arguments."""

    class Lazy(d2l.Classifier):
        def __init__(self, lr=0.1):
            super().__init__()
            self.save_hyperparameters()
            self.net = nn.Sequential(nn.LazyLinear(16), nn.ReLU(), nn.LazyLinear(10))

    def init(module):
        if type(module) is nn.Linear:
            nn.init.constant_(module.weight, 0.5)

    model = Lazy()
    assert model.apply_init([torch.rand(2, 20)], init) is None
    assert model.net[0].weight.shape == (16, 20)
    assert model.net[2].weight.unique().tolist() == [0.5]
    assert model.net(torch.rand(2, 20)).shape == (2, 10)


def test_a_notebook_on_devices():
    assert d2l.cpu() == torch.device("cpu")
    assert d2l.gpu(1) == torch.device("cuda:1")
    X = torch.ones(2, 3, device=d2l.try_gpu())
    Y = torch.rand(2, 3, device=d2l.try_gpu(1)).to(X.device)
    assert (X + Y).device == X.device
    net = nn.Sequential(nn.LazyLinear(1)).to(device=d2l.try_all_gpus()[0])
    assert net(X).device == net[0].weight.data.device
    trainer = d2l.Trainer(max_epochs=1, num_gpus=d2l.num_gpus())
    assert len(trainer.gpus) == d2l.num_gpus()
    batch = trainer.prepare_batch((torch.ones(2, 3), torch.ones(2)))
    assert {part.device.type for part in batch} == {trainer.device.type}
    trainer.fit(d2l.LinearRegression(lr=0.03), d2l.SyntheticRegressionData(torch.ones(2), 1.0))


def test_a_notebook_on_convolutions():
    """Edges found by a kernel, then the kernel learned: `corr2d` in a layer of the reader's own."""

    class Layer(nn.Module):
        def __init__(self, kernel_size):
            super().__init__()
            self.weight = nn.Parameter(torch.rand(kernel_size))
            self.bias = nn.Parameter(torch.zeros(1))

        def forward(self, x):
            return d2l.corr2d(x, self.weight) + self.bias

    X = torch.ones((5, 9))
    X[:, 3:6] = 0
    K = torch.tensor([[1.0, -1.0]])
    Y = d2l.corr2d(X, K)
    assert Y.unique().tolist() == [-1, 0, 1]
    assert d2l.corr2d(X.t(), K).abs().sum() == 0
    assert Layer((2, 3))(X).shape == (4, 7)
    lazy = nn.LazyConv2d(1, kernel_size=(1, 2), bias=False)
    for _ in range(200):
        loss = ((lazy(X.reshape((1, 1, 5, 9))) - Y.reshape((1, 1, 5, 8))) ** 2).sum()
        lazy.zero_grad()
        loss.backward()
        lazy.weight.data[:] -= 0.02 * lazy.weight.grad
    assert torch.allclose(lazy.weight.data.reshape((1, 2)), K, atol=1e-2)


def test_a_notebook_on_channels():
    X, K = torch.rand(2, 4, 4), torch.rand(3, 2, 2, 2)
    one = [sum(d2l.corr2d(x, k) for x, k in zip(X, kernels, strict=True)) for kernels in K]
    assert torch.allclose(torch.stack(one, 0), nn.functional.conv2d(X[None], K)[0], atol=1e-6)


def test_a_notebook_with_lenet(capsys):
    """The reader's own convolutional class, then LeNet: summary, initial weights, an epoch."""

    class Net(d2l.Classifier):
        def __init__(self, lr=0.1, num_classes=10):
            super().__init__()
            self.save_hyperparameters()
            self.net = nn.Sequential(
                nn.LazyConv2d(4, kernel_size=5), nn.Flatten(), nn.LazyLinear(num_classes)
            )
            self.net.apply(d2l.init_cnn)  # on lazy layers, as readers do: it must not fail

    with pytest.warns(UserWarning, match="shape is not known yet"):
        model = Net()
    model.layer_summary((1, 1, 28, 28))
    assert len(capsys.readouterr().out.splitlines()) == 3
    data = d2l.FashionMNIST(batch_size=256)
    trainer = d2l.Trainer(max_epochs=1, num_gpus=d2l.num_gpus())
    model = d2l.LeNet(lr=0.1)
    model.apply_init([next(iter(data.get_dataloader(True)))[0]], d2l.init_cnn)
    trainer.fit(model, data)
    assert model.board.data["train_loss"][-1].y < 2.5
    assert model.layer_summary((1, 1, 28, 28)) is None

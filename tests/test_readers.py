"""What readers of D2L know and may go on writing: names, signatures, attributes, order of calls.

The notebooks here are our own, each using the interface in the way its readers do, after their
one import line was changed.
"""

import inspect

import numpy as np
import pytest
import torch
from torch import nn

import d2lib as d2l


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    monkeypatch.setattr("d2lib.board.LIVE", False)


BOARD = """xlabel=None ylabel=None xlim=None ylim=None xscale='linear' yscale='linear'
    ls=('-', '--', '-.', ':') colors=('C0', 'C1', 'C2', 'C3') fig=None axes=None
    figsize=(3.5, 2.5) display=True"""
SIGNATURES = {
    "add_to_class": "Class",
    "HyperParameters.save_hyperparameters": "self ignore=()",
    "ProgressBoard.__init__": f"self {BOARD}",
    "ProgressBoard.draw": "self x y label every_n=1",
    "Module.__init__": "self plot_train_per_epoch=2 plot_valid_per_epoch=1",
    "Module.loss": "self y_hat y",
    "Module.forward": "self X",
    "Module.plot": "self key value train",
    "Module.training_step": "self batch",
    "Module.validation_step": "self batch",
    "Module.configure_optimizers": "self",
    "DataModule.__init__": "self root=None num_workers=4",
    "DataModule.get_dataloader": "self train",
    "DataModule.train_dataloader": "self",
    "DataModule.val_dataloader": "self",
    "DataModule.get_tensorloader": "self tensors train indices=slice(0, None, None)",
    "Trainer.__init__": "self max_epochs num_gpus=0 gradient_clip_val=0",
    "Trainer.prepare_data": "self data",
    "Trainer.prepare_model": "self model",
    "Trainer.prepare_batch": "self batch",
    "Trainer.fit": "self model data",
    "Trainer.fit_epoch": "self",
    "Trainer.clip_gradients": "self grad_clip_val model",
    "SyntheticRegressionData.__init__": """self w b noise=0.01 num_train=1000 num_val=1000
    batch_size=32""",
    "SyntheticRegressionData.get_dataloader": "self train",
    "LinearRegressionScratch.__init__": "self num_inputs lr sigma=0.01",
    "SGD.__init__": "self params lr",
    "SGD.step": "self",
    "SGD.zero_grad": "self",
    "LinearRegression.__init__": "self lr",
    "LinearRegression.get_w_b": "self",
    "l2_penalty": "w",
    "WeightDecayScratch.__init__": "self num_inputs lambd lr sigma=0.01",
    "WeightDecay.__init__": "self wd lr",
    "FashionMNIST.__init__": "self batch_size=64 resize=(28, 28)",
    "FashionMNIST.text_labels": "self indices",
    "FashionMNIST.get_dataloader": "self train",
    "FashionMNIST.visualize": "self batch nrows=1 ncols=8 labels=None",
    "show_images": "imgs num_rows num_cols titles=None scale=1.5",
    "Classifier.validation_step": "self batch",
    "Classifier.accuracy": "self Y_hat Y averaged=True",
    "Classifier.loss": "self Y_hat Y averaged=True",
    "softmax": "X",
    "cross_entropy": "y_hat y",
    "SoftmaxRegressionScratch.__init__": "self num_inputs num_outputs lr sigma=0.01",
    "SoftmaxRegression.__init__": "self num_outputs lr",
}


@pytest.mark.parametrize(("name", "signature"), SIGNATURES.items())
def test_signatures_begin_as_readers_know_them(name, signature):
    thing = d2l
    for part in name.split("."):
        thing = getattr(thing, part)
    found = []
    for parameter in inspect.signature(thing).parameters.values():
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
            break
        default = parameter.default
        given = "" if default is inspect.Parameter.empty else f"={default!r}"
        found.append(parameter.name + given)
    begun = " ".join(found)
    assert begun == " ".join(signature.split()) or begun.startswith(f"{signature} ")


def test_both_ways_to_import_read_well():
    names = {}
    exec("from d2lib import SGD, Module, Trainer, add_to_class, plot", names)
    assert names["Trainer"] is d2l.Trainer


def test_a_notebook_on_the_frame():
    """As in a section on object-oriented design: a method attached later, the board, defaults."""

    class A:
        def __init__(self):
            self.b = 1

    a = A()

    @d2l.add_to_class(A)
    def shout(self):
        return f"b is {self.b}"

    assert a.shout() == "b is 1"

    class B(d2l.HyperParameters):
        def __init__(self, a, b, c):
            self.save_hyperparameters(ignore=["c"])

    b = B(a=1, b=2, c=3)
    assert (b.a, b.b, hasattr(b, "c")) == (1, 2, False)
    board = d2l.ProgressBoard("x", display=False)
    for x in np.arange(0, 10, 0.1):
        board.draw(x, np.sin(x), "sin", every_n=2)
        board.draw(x, np.cos(x), "cos", every_n=10)
    assert len(board.data["cos"]) == 10


class OwnModel(d2l.Module):
    """A scratch model in the way of D2L's readers: plain tensors, an update without no_grad."""

    def __init__(self, num_inputs, lr, sigma=0.01):
        super().__init__()
        self.save_hyperparameters()
        self.w = torch.normal(0, sigma, (num_inputs, 1), requires_grad=True)
        self.b = torch.zeros(1, requires_grad=True)

    def forward(self, X):
        return torch.matmul(X, self.w) + self.b

    def loss(self, y_hat, y):
        return ((y_hat - y) ** 2 / 2).mean()

    def configure_optimizers(self):
        return OwnSGD([self.w, self.b], self.lr)


class OwnSGD(d2l.HyperParameters):
    def __init__(self, params, lr):
        self.save_hyperparameters()

    def step(self):
        for param in self.params:
            param -= self.lr * param.grad

    def zero_grad(self):
        for param in self.params:
            if param.grad is not None:
                param.grad.zero_()


def test_a_notebook_that_writes_its_own_model_and_optimizer():
    model = OwnModel(2, lr=0.03)
    data = d2l.SyntheticRegressionData(w=torch.tensor([2, -3.4]), b=4.2)
    trainer = d2l.Trainer(max_epochs=5)
    trainer.fit(model, data)
    with torch.no_grad():
        assert (data.w - model.w.reshape(data.w.shape)).abs().max() < 0.1
        assert (data.b - model.b).abs() < 0.1


def test_a_notebook_that_writes_its_own_loop(monkeypatch):
    for name in ("prepare_batch", "fit_epoch"):
        monkeypatch.setattr(d2l.Trainer, name, getattr(d2l.Trainer, name))  # restored at the end

    @d2l.add_to_class(d2l.Trainer)
    def prepare_batch(self, batch):
        return batch

    @d2l.add_to_class(d2l.Trainer)
    def fit_epoch(self):
        self.model.train()
        for batch in self.train_dataloader:
            loss = self.model.training_step(self.prepare_batch(batch))
            self.optim.zero_grad()
            with torch.no_grad():
                loss.backward()
                self.optim.step()
            self.train_batch_idx += 1
        self.model.eval()
        for batch in self.val_dataloader:
            with torch.no_grad():
                self.model.validation_step(self.prepare_batch(batch))
            self.val_batch_idx += 1

    history = d2l.Trainer(max_epochs=3).fit(
        OwnModel(2, lr=0.1), d2l.SyntheticRegressionData(torch.tensor([2, -3.4]), 4.2)
    )
    assert history["val_loss"][-1] < 0.01
    assert len(history.steps["train_loss"]) == 96


def test_a_notebook_that_reads_data_by_hand():
    data = d2l.SyntheticRegressionData(w=torch.tensor([2, -3.4]), b=4.2)
    X, y = next(iter(data.train_dataloader()))
    assert (X.shape, y.shape) == ((32, 2), (32, 1))
    assert len(data.train_dataloader()) == 32

    class HighDimensional(d2l.DataModule):
        """Calls no super().__init__(), as readers' classes do not."""

        def __init__(self, num_train, num_val, num_inputs, batch_size):
            self.save_hyperparameters()
            n = num_train + num_val
            self.X = torch.randn(n, num_inputs)
            self.y = torch.matmul(self.X, torch.ones((num_inputs, 1)) * 0.01) + 0.05

        def get_dataloader(self, train):
            i = slice(0, self.num_train) if train else slice(self.num_train, None)
            return self.get_tensorloader([self.X, self.y], train, i)

    class Penalised(d2l.LinearRegressionScratch):
        def __init__(self, num_inputs, lambd, lr, sigma=0.01):
            super().__init__(num_inputs, lr, sigma)
            self.save_hyperparameters()

        def loss(self, y_hat, y):
            return super().loss(y_hat, y) + self.lambd * (self.w**2).sum() / 2

    model = Penalised(num_inputs=20, lambd=3, lr=0.01)
    model.board.yscale = "log"
    d2l.Trainer(max_epochs=3).fit(model, HighDimensional(20, 100, 20, 5))
    assert model.board.yscale == "log"
    assert model.w.norm() < 1


def test_a_notebook_that_uses_pytorchs_parts():
    class Decayed(d2l.LinearRegression):
        def __init__(self, wd, lr):
            super().__init__(lr)
            self.save_hyperparameters()
            self.wd = wd

        def configure_optimizers(self):
            groups = [
                {"params": self.net.weight, "weight_decay": self.wd},
                {"params": self.net.bias},
            ]
            return torch.optim.SGD(groups, lr=self.lr)

    data = d2l.SyntheticRegressionData(w=torch.tensor([2, -3.4]), b=4.2)
    for model in (d2l.LinearRegression(lr=0.03), Decayed(wd=0.0, lr=0.03)):
        d2l.Trainer(max_epochs=3).fit(model, data)
        w, b = model.get_w_b()
        assert (data.w - w.reshape(data.w.shape)).abs().max() < 0.1
        assert (data.b - b).abs() < 0.1


def test_a_notebook_that_classifies():
    class Own(d2l.Classifier):
        def __init__(self, num_outputs, lr):
            super().__init__()
            self.save_hyperparameters()
            self.net = nn.Sequential(nn.Flatten(), nn.LazyLinear(num_outputs))

        def forward(self, X):
            return self.net(X)

    data = d2l.FashionMNIST(batch_size=256)
    model = Own(num_outputs=10, lr=0.1)
    d2l.Trainer(max_epochs=1).fit(model, data)
    X, y = next(iter(data.val_dataloader()))
    preds = model(X).argmax(axis=1)
    wrong = preds.type(y.dtype) != y
    X, y, preds = X[wrong], y[wrong], preds[wrong]
    pairs = zip(data.text_labels(y), data.text_labels(preds), strict=True)
    labels = [f"{true}\n{predicted}" for true, predicted in pairs]
    data.visualize([X, y], labels=labels)
    d2l.plt.close("all")
    assert len(data.train) == 50_000
    assert data.train[0][0].shape == (1, 28, 28)


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("train_ch3", r"Trainer\(max_epochs\)\.fit\(model, data\)"),
        ("train_ch6", r"Trainer\(max_epochs\)\.fit\(model, data\)"),
        ("load_data_fashion_mnist", r"FashionMNIST\(batch_size, resize\)"),
        ("Animator", "ProgressBoard"),
        ("Accumulator", "History"),
        ("evaluate_accuracy", r"history\['val_acc'\]"),
        ("cpu", r"torch\.device\('cpu'\)"),
    ],
)
def test_old_names_are_redirected(name, advice):
    with pytest.raises(AttributeError, match=advice):
        getattr(d2l, name)

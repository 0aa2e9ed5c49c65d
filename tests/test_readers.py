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
DROPOUT = "num_outputs num_hiddens_1 num_hiddens_2 dropout_1 dropout_2 lr"
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
    "Module.apply_init": "self inputs init=None",
    "cpu": "",
    "gpu": "i=0",
    "num_gpus": "",
    "try_gpu": "i=0",
    "try_all_gpus": "",
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
    "relu": "X",
    "MLPScratch.__init__": "self num_inputs num_outputs num_hiddens lr sigma=0.01",
    "MLP.__init__": "self num_outputs num_hiddens lr",
    "dropout_layer": "X dropout",
    "DropoutMLPScratch.__init__": f"self {DROPOUT}",
    "DropoutMLP.__init__": f"self {DROPOUT}",
    "KaggleHouse.__init__": "self batch_size train=None val=None",
    "KaggleHouse.preprocess": "self",
    "KaggleHouse.get_dataloader": "self train",
    "k_fold_data": "data k",
    "k_fold": "trainer data k lr",
    "download": "url folder='../data' sha1_hash=None",
    "extract": "filename folder=None",
    "download_extract": "name folder=None",
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
    """A method attached later, arguments that keep themselves, a board fed by hand."""

    class Kettle:
        liters = 2

    kettle = Kettle()

    @d2l.add_to_class(Kettle)
    def pour(self, cups):
        self.liters -= cups / 4
        return self.liters

    assert kettle.pour(4) == 1

    class Recipe(d2l.HyperParameters):
        def __init__(self, tea, minutes, secret):
            self.save_hyperparameters(ignore=["secret"])

    recipe = Recipe("green", minutes=3, secret="jasmine")
    assert (recipe.tea, recipe.minutes, hasattr(recipe, "secret")) == ("green", 3, False)
    board = d2l.ProgressBoard("minutes", display=False)
    for minute in range(60):
        board.draw(minute / 2, 20 + 80 * np.exp(-minute / 20), "cup", every_n=4)
    assert len(board.data["cup"]) == 15


class Spring(d2l.Module):
    """A scratch model in the way of D2L's readers: plain tensors, an update without no_grad."""

    def __init__(self, axes, lr):
        super().__init__()
        self.save_hyperparameters()
        self.stiffness = torch.full((axes, 1), 0.1, requires_grad=True)
        self.rest = torch.zeros(1, requires_grad=True)

    def forward(self, pull):
        return pull @ self.stiffness + self.rest

    def loss(self, y_hat, y):
        return (y_hat - y).square().mean()

    def configure_optimizers(self):
        return Hammer(self.lr, self.stiffness, self.rest)


class Hammer:
    """An optimizer that knows of no Trainer, and updates in place without asking."""

    def __init__(self, lr, *tensors):
        self.lr, self.tensors = lr, tensors

    def zero_grad(self):
        for tensor in self.tensors:
            tensor.grad = None

    def step(self):
        for tensor in self.tensors:
            tensor.sub_(self.lr * tensor.grad)


def springs(**options) -> d2l.SyntheticRegressionData:
    return d2l.SyntheticRegressionData(w=torch.tensor([0.7, -1.1]), b=2.5, **options)


def distance(data, w, b) -> float:
    """How far parameters are from the data's truth."""
    return max((data.w - w.reshape(data.w.shape)).abs().max().item(), abs(data.b - float(b)))


def test_a_notebook_that_writes_its_own_model_and_optimizer():
    model, data = Spring(2, lr=0.05), springs()
    trainer = d2l.Trainer(max_epochs=4)
    trainer.fit(model, data)
    assert distance(data, model.stiffness.detach(), model.rest.detach()) < 0.05


def test_a_notebook_that_writes_its_own_loop(monkeypatch):
    for name in ("prepare_batch", "fit_epoch"):
        monkeypatch.setattr(d2l.Trainer, name, getattr(d2l.Trainer, name))  # restored at the end

    @d2l.add_to_class(d2l.Trainer)
    def prepare_batch(self, batch):
        return batch

    @d2l.add_to_class(d2l.Trainer)
    def fit_epoch(self):
        """Backward and step share one no_grad, and there is no clipping."""
        for X, y in self.train_dataloader:
            loss = self.model.training_step(self.prepare_batch((X, y)))
            self.optim.zero_grad()
            with torch.no_grad():
                loss.backward()
                self.optim.step()
            self.train_batch_idx += 1
        with torch.no_grad():
            for batch in self.val_dataloader:
                self.model.validation_step(batch)
                self.val_batch_idx += 1

    with pytest.warns(UserWarning, match="batches count alike"):
        history = d2l.Trainer(max_epochs=3).fit(Spring(2, lr=0.1), springs())
    assert history["val_loss"][-1] < 0.01
    assert len(history.steps["train_loss"]) == 96


def test_a_notebook_with_its_own_data_and_penalty():
    batch = next(iter(springs().train_dataloader()))
    assert [tuple(part.shape) for part in batch] == [(32, 2), (32, 1)]

    class Wide(d2l.DataModule):
        """Calls no super().__init__(), as readers' classes do not."""

        def __init__(self, rows, features, batch_size):
            self.save_hyperparameters()
            self.table = torch.randn(rows, features), torch.randn(rows, 1)

        def get_dataloader(self, train):
            half = self.rows // 2
            return self.get_tensorloader(
                self.table, train, slice(half) if train else slice(half, None)
            )

    class Tied(d2l.LinearRegressionScratch):
        def __init__(self, num_inputs, pull, lr):
            super().__init__(num_inputs, lr)
            self.save_hyperparameters()

        def loss(self, y_hat, y):
            return super().loss(y_hat, y) + self.pull * d2l.l2_penalty(self.w)

    model = Tied(num_inputs=20, pull=9, lr=0.01)
    model.board.yscale = "log"
    d2l.Trainer(max_epochs=3).fit(model, Wide(80, 20, batch_size=5))
    assert model.board.yscale == "log"
    assert model.w.norm() < 0.5


def test_a_notebook_that_uses_pytorchs_parts():
    class Careful(d2l.LinearRegression):
        def configure_optimizers(self):
            fast = {"params": self.net.bias, "lr": 2 * self.lr}
            return torch.optim.SGD([fast, {"params": self.net.weight}], lr=self.lr)

    for model in (d2l.LinearRegression(lr=0.04), Careful(lr=0.04)):
        data = springs()
        d2l.Trainer(max_epochs=4).fit(model, data)
        assert distance(data, *model.get_w_b()) < 0.05


def test_a_notebook_that_classifies():
    class Brightness(d2l.Classifier):
        """Classifies by the mean of each row of pixels."""

        def __init__(self, lr):
            super().__init__()
            self.save_hyperparameters()
            self.net = nn.LazyLinear(10)

        def forward(self, X):
            return self.net(X.mean(dim=-1).flatten(start_dim=1))

    data = d2l.FashionMNIST(batch_size=512)
    model = Brightness(lr=0.5)
    d2l.Trainer(max_epochs=1).fit(model, data)
    X, y = next(iter(data.val_dataloader()))
    guessed = model(X).argmax(dim=1)
    missed = (guessed != y).nonzero().flatten()[:4]
    names = data.text_labels(guessed[missed])
    axes = data.visualize([X[missed], y[missed]], 1, 4, labels=names)
    assert [axis.get_title() for axis in axes] == names
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
        ("Timer", r"History\.seconds"),
    ],
)
def test_old_names_are_redirected(name, advice):
    with pytest.raises(AttributeError, match=advice):
        getattr(d2l, name)

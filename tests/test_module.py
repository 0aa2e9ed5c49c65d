"""What a model keeps: its arguments, what takes a method's place, and what its labels weigh."""

import copy

import pytest
import torch
from made_runs import Table, linear_data
from torch import nn
from torch.nn import functional as F

import d2lib as d2l


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    monkeypatch.setattr("d2lib.board.LIVE", False)


# arguments


class Kept(d2l.HyperParameters):
    def __init__(self, value):
        self.save_hyperparameters()


@pytest.mark.parametrize(
    ("value", "change", "kept"),
    [
        ([1, [2]], lambda value: value[1].append(3), [1, [2]]),
        ({"a": {"b": 1}}, lambda value: value["a"].clear(), {"a": {"b": 1}}),
        (([1], 2), lambda value: value[0].append(3), ([1], 2)),
        ({1}, lambda value: value.add(2), {1}),
        (torch.ones(()), lambda value: value.add_(1), torch.ones(())),
        (nn.Parameter(torch.ones(())), lambda value: value.data.add_(1), torch.ones(())),
        (torch.ones(()).numpy(), lambda value: value.fill(2), 1.0),
    ],
)
def test_kept_arguments_stay_as_they_were_and_attributes_are_themselves(value, change, kept):
    holder = Kept(value)
    change(value)
    assert holder.value is value
    assert holder.hparams == {"value": kept}
    assert holder.value != kept


def test_what_is_large_or_no_container_is_kept_itself():
    for value in (torch.zeros(101), [0] * 101, nn.Linear(1, 1), object(), len):
        assert Kept(value).hparams["value"] is value
    lazy = nn.LazyLinear(1).weight
    assert Kept(lazy).hparams["value"] is lazy


def test_arguments_that_were_not_kept_are_not_there():
    class Own(d2l.Module):
        def __init__(self):
            nn.Module.__init__(self)

    for thing in (d2l.HyperParameters(), Own()):
        with pytest.raises(AttributeError, match="hparams"):
            _ = thing.hparams
    assert repr(d2l.HyperParameters()) == "HyperParameters()"


# names that a class has


Z = torch.tensor([[2.0, 0.0], [0.0, 1.0]])
LABELS = torch.tensor([0, 0])


def smoothed(y_hat, y):
    return F.cross_entropy(y_hat, y, label_smoothing=0.5)


class TakesLoss(d2l.Classifier):
    def __init__(self, loss):
        super().__init__()
        self.save_hyperparameters()


class SetsLoss(d2l.Classifier):
    def __init__(self, loss):
        super().__init__()
        self.loss = loss


def assigned(loss) -> d2l.Classifier:
    model = d2l.Classifier()
    model.loss = loss
    return model


@pytest.mark.parametrize("make", [assigned, TakesLoss, SetsLoss])
@pytest.mark.parametrize("loss", [smoothed, nn.CrossEntropyLoss(label_smoothing=0.5)])
def test_a_function_or_a_module_acts_in_a_methods_place(make, loss):
    model = make(loss)
    assert model.loss(Z, LABELS) == smoothed(Z, LABELS) != d2l.Classifier().loss(Z, LABELS)
    assert copy.deepcopy(model).loss(Z, LABELS) == smoothed(Z, LABELS)


@pytest.mark.parametrize("name", ["forward", "accuracy", "plot", "training_step", "layer"])
def test_a_module_in_a_methods_place_is_registered_and_found(name):
    class Holder(d2l.Classifier):
        layer = None  # to be filled in

    model, part = Holder(), nn.Linear(2, 2)
    setattr(model, name, part)
    assert getattr(model, name) is part
    assert list(model.parameters()) == list(part.parameters())
    assert set(model.state_dict()) == {f"{name}.weight", f"{name}.bias"}
    model.to("meta")
    assert getattr(model, name).weight.device.type == "meta"
    twin = copy.deepcopy(model)
    assert getattr(twin, name) is twin._modules[name] is not part


def test_a_training_uses_what_took_the_methods_place():
    X, y = torch.randn(40, 5), torch.randint(3, (40,))
    model = d2l.SoftmaxRegression(3, lr=0.0)
    model.loss = nn.CrossEntropyLoss(label_smoothing=0.5)
    history = d2l.Trainer(1).fit(model, Table((X, y), (X, y), batch_size=7))
    expected = smoothed(model(X), y).item()
    assert history["train_loss"][0] == pytest.approx(expected, rel=1e-5)
    assert history["val_loss"][0] == pytest.approx(expected, rel=1e-5)


def test_a_place_may_be_taken_again_and_given_back():
    model = d2l.Classifier()
    model.loss = nn.CrossEntropyLoss(label_smoothing=0.5)
    model.loss = nn.CrossEntropyLoss(reduction="sum")
    assert model.loss(Z, LABELS) == F.cross_entropy(Z, LABELS, reduction="sum")
    model.loss = smoothed
    assert model.loss(Z, LABELS) == smoothed(Z, LABELS)
    assert not model._modules
    model.loss = nn.CrossEntropyLoss(label_smoothing=0.5)
    del model.loss
    assert model.loss(Z, LABELS) == F.cross_entropy(Z, LABELS)
    assert not model._modules


@pytest.mark.parametrize("value", ["mse", 0.5, None, True, torch.ones(1), nn.Parameter(Z)])
def test_what_cannot_be_called_takes_no_methods_place(value):
    for name in ("loss", "accuracy", "plot", "training_step", "forward"):
        with pytest.raises(TypeError, match=rf"Classifier.{name} is a method, .*another name"):
            setattr(d2l.Classifier(), name, value)
    with pytest.raises(TypeError, match=r"TakesLoss.loss is a method"):
        TakesLoss(value)


def test_a_property_is_not_passed_over():
    class Computed(d2l.Module):
        @property
        def net(self):
            return None

    with pytest.raises(TypeError, match=r"Computed.net is a property, and would win over"):
        Computed().net = nn.Linear(1, 1)


def test_names_of_pytorchs_own_methods_are_free_as_before():
    class Named(d2l.Module):
        def __init__(self, type="small", half=True):
            super().__init__()
            self.save_hyperparameters()

    assert (Named().type, Named().half) == ("small", True)


# what a batch weighs


@pytest.fixture(scope="module")
def masked() -> tuple[torch.Tensor, torch.Tensor]:
    """Sequences of scores' inputs, with labels of which the later are more and more masked."""
    generator = torch.Generator().manual_seed(0)
    X = torch.randn(24, 6, 5, generator=generator)
    y = torch.randint(3, (24, 6), generator=generator)
    for row in range(24):
        y[row, 6 - row // 4 :] = -100
    y[12:18] = -100  # some have no label at all
    return X, y


class Tagger(d2l.Classifier):
    """One class for each place of a sequence."""

    def __init__(self, lr):
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Linear(5, 3)


@pytest.mark.parametrize("batch_size", [3, 7, 24])
def test_masked_labels_weigh_nothing_whatever_the_batches(masked, batch_size):
    X, y = masked
    torch.manual_seed(0)
    model, there = Tagger(0.0), y != -100
    train = X[:12], y[:12]
    history = d2l.Trainer(1).fit(model, Table(train, masked, batch_size=batch_size))
    scores = model(X)[there]
    right = (scores.argmax(dim=1) == y[there]).float().mean().item()
    assert history["val_acc"][0] == pytest.approx(right)
    loss = F.cross_entropy(scores, y[there]).item()
    assert history["val_loss"][0] == pytest.approx(loss, rel=1e-5)
    scores, labels = model(X[:12])[there[:12]], y[:12][there[:12]]
    loss = F.cross_entropy(scores, labels).item()
    assert history["train_loss"][0] == pytest.approx(loss, rel=1e-5)


def test_a_step_may_state_what_its_value_is_a_mean_over():
    class Rated(d2l.LinearRegression):
        def validation_step(self, batch):
            X, y, weight = batch[0], batch[1], batch[1].exp()
            self.trainer.num_rows = weight.sum()
            self.plot("loss", (weight * (self(X) - y) ** 2).sum() / weight.sum(), train=False)

    data = linear_data(num_val=50)
    data.y.sub_(data.y.max())
    model = Rated(0.03)
    history = d2l.Trainer(1).fit(model, data)
    X, y = data.X[1000:], data.y[1000:]
    expected = (y.exp() * (model(X) - y) ** 2).sum() / y.exp().sum()
    assert history["val_loss"][0] == pytest.approx(expected.item(), rel=1e-5)


def test_a_weight_makes_nobody_wait(masked):
    batch = [part.to("meta") for part in masked]
    assert Tagger(0.1).batch_weight(batch).device.type == "meta"
    assert Tagger(0.1).batch_weight([masked[0], masked[1].clamp(min=0).byte()]) == 24


class LazyNet(d2l.Classifier):
    """Lazy layers between what a dry run must leave as it was."""

    def __init__(self):
        super().__init__()
        layers = [nn.LazyLinear(16), nn.BatchNorm1d(16), nn.Dropout(0.5), nn.LazyLinear(3)]
        self.net = nn.Sequential(*layers)
        self.net[2].eval()


def set_to_half(module):
    if isinstance(module, nn.Linear):
        nn.init.constant_(module.weight, 0.5)


def test_a_dry_run_gives_shapes_and_changes_nothing_else():
    model = LazyNet()
    model.apply_init([torch.randn(4, 8)], set_to_half)
    assert [tuple(model.net[k].weight.shape) for k in (0, 3)] == [(16, 8), (3, 16)]
    assert {w for k in (0, 3) for w in model.net[k].weight.unique().tolist()} == {0.5}
    assert int(model.net[1].num_batches_tracked) == 0
    assert torch.equal(model.net[1].running_mean, torch.zeros(16))
    assert [module.training for module in model.net] == [True, True, False, True]
    assert model.training
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_dry_run_draws_no_more_than_the_layers_do():
    torch.manual_seed(0)
    model = LazyNet()
    model.apply_init([torch.ones(4, 8)])
    after = torch.rand(1)
    torch.manual_seed(0)
    nn.Linear(8, 16), nn.BatchNorm1d(16), nn.Linear(16, 3)
    assert torch.equal(torch.rand(1), after)


def test_a_model_without_net_is_initialized_whole_and_modes_come_back_after_an_error():
    class Own(d2l.Module):
        def __init__(self):
            super().__init__()
            self.lazy, self.idle = nn.LazyLinear(2), nn.Linear(2, 2)

        def forward(self, X, scale):
            return self.lazy(X) * scale

    model = Own()
    with pytest.raises(TypeError, match=r"takes all inputs in a list: apply_init\(\[X\], init\)"):
        model.apply_init(torch.ones(1, 3))
    with pytest.raises(TypeError, match="scale"):
        model.apply_init([torch.ones(1, 3)])
    assert model.training
    model.apply_init([torch.ones(1, 3), 2.0], set_to_half)
    assert set(model.idle.weight.flatten().tolist()) == {0.5}


def test_a_layer_without_shape_after_the_dry_run_is_named():
    model = LazyNet()
    model.extra = nn.LazyLinear(2)
    with pytest.raises(ValueError, match=r"extra\.weight, extra\.bias: forward did not use"):
        model.apply_init([torch.ones(2, 8)])

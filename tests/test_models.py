"""Every scratch piece against PyTorch, NumPy or a formula."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import d2lib as d2l


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    monkeypatch.setattr("d2lib.board.LIVE", False)


def data(**options) -> d2l.SyntheticRegressionData:
    return d2l.SyntheticRegressionData([1.5, -2.0, 0.8], 3.0, **{"seed": 0} | options)


def trained(model, epochs=3, **options):
    d2l.Trainer(epochs, seed=0).fit(model, data(**options))
    return model


def test_prediction_loss_and_gradient_equal_pytorchs():
    model = d2l.LinearRegressionScratch(3, 0.1, sigma=1)
    X, y = torch.randn(16, 3), torch.randn(16, 1)
    loss = model.loss(model(X), y)
    assert torch.allclose(model(X), F.linear(X, model.w.T, model.b), atol=1e-6)
    assert loss.item() == pytest.approx(F.mse_loss(model(X), y).item() / 2, rel=1e-6)
    loss.backward()
    error = (model(X) - y).detach()
    assert torch.allclose(model.w.grad, X.T @ error / 16, atol=1e-6)
    assert torch.allclose(model.b.grad, error.mean(0), atol=1e-6)


def test_the_trajectory_of_sgd_equals_pytorchs():
    ours, theirs = (nn.Parameter(torch.tensor([3.0, -1.0])) for _ in range(2))
    pairs = [(ours, d2l.SGD([ours], 0.1)), (theirs, torch.optim.SGD([theirs], 0.1))]
    for _ in range(50):
        for param, optim in pairs:
            optim.zero_grad()
            (param**4).sum().mul(0.01).backward()
            optim.step()
        assert torch.allclose(ours, theirs, atol=1e-6)


def test_sgd_takes_a_generator_and_skips_what_has_no_gradient():
    layer = nn.Linear(2, 1)
    optim = d2l.SGD(layer.parameters(), 0.1)
    before = layer.bias.detach().clone()
    layer.weight.sum().backward()
    optim.step()
    assert torch.equal(layer.bias, before)
    assert len(optim.params) == 2
    optim.zero_grad()
    assert layer.weight.grad is None


def test_parameters_of_scratch_models_are_seen():
    assert set(d2l.LinearRegressionScratch(3, 0.1).state_dict()) == {"w", "b"}
    assert set(d2l.SoftmaxRegressionScratch(4, 3, 0.1).state_dict()) == {"W", "b"}


def test_the_start_has_the_told_spread():
    w = d2l.LinearRegressionScratch(100_000, 0.1).w
    assert w.std().item() == pytest.approx(0.01, rel=0.02)


def test_lazy_weights_really_start_small():
    weights = []
    for seed in range(200):
        torch.manual_seed(seed)
        model = d2l.LinearRegression(0.1)
        model(torch.randn(4, 2))
        weight, bias = model.get_w_b()
        assert torch.equal(bias, torch.zeros(1))
        weights.append(weight)
    spread = torch.cat(weights).std().item()
    assert spread == pytest.approx(0.01, rel=0.15)
    assert not weight.requires_grad
    assert weight.shape == (1, 2)


def test_weights_before_the_first_batch_are_told():
    with pytest.raises(RuntimeError, match="the first batch fixes their number"):
        d2l.LinearRegression(0.1).get_w_b()


def test_concise_at_a_rate_equals_scratch_at_twice_the_rate():
    concise, scratch = d2l.LinearRegression(0.03), d2l.LinearRegressionScratch(3, 0.06)
    concise(torch.zeros(1, 3))
    with torch.no_grad():
        concise.net.weight.copy_(scratch.w.T)
    trained(concise)
    trained(scratch)
    weight, bias = concise.get_w_b()
    assert torch.allclose(weight.T, scratch.w, atol=1e-5)
    assert torch.allclose(bias, scratch.b, atol=1e-5)


def test_descent_ends_where_least_squares_and_numpy_do():
    settings = {"num_train": 64, "batch_size": 64, "noise": 0.5}
    model = trained(d2l.LinearRegressionScratch(3, 0.5), epochs=150, **settings)
    X, y = data(**settings).X[:64].numpy(), data(**settings).y[:64].numpy()
    ones = np.hstack([X, np.ones((64, 1), dtype=np.float32)])
    [*w, b] = np.linalg.lstsq(ones, y, rcond=None)[0].ravel()
    np.testing.assert_allclose(model.w.detach().numpy().ravel(), w, atol=1e-5)
    assert model.b.item() == pytest.approx(b, abs=1e-5)


def test_decayed_descent_ends_where_ridge_does():
    settings, lambd = {"num_train": 64, "batch_size": 64, "noise": 0.5}, 0.7
    model = trained(d2l.WeightDecayScratch(3, lambd, 0.5), epochs=150, **settings)
    X, y = data(**settings).X[:64].double(), data(**settings).y[:64].double()
    centered, mean = X - X.mean(0), y.mean()
    gram = centered.T @ centered + 64 * lambd * torch.eye(3)
    w = torch.linalg.solve(gram, centered.T @ (y - mean))
    assert torch.allclose(model.w.double(), w, atol=1e-5)
    assert model.b.item() == pytest.approx((mean - X.mean(0) @ w).item(), abs=1e-5)


def test_penalty_and_decay_are_one_under_sgd():
    scratch, concise = d2l.WeightDecayScratch(3, 0.5, 0.06), d2l.WeightDecay(1.0, 0.03)
    concise(torch.zeros(1, 3))
    with torch.no_grad():
        concise.net.weight.copy_(scratch.w.T)
    trained(scratch)
    trained(concise)
    assert torch.allclose(concise.get_w_b()[0].T, scratch.w, atol=1e-5)
    groups = concise.configure_optimizers().param_groups
    assert [group["weight_decay"] for group in groups] == [1.0, 0]


def test_the_penalty_is_half_the_squared_length_and_is_not_recorded():
    assert d2l.l2_penalty(torch.tensor([3.0, 4.0])) == 12.5
    model = d2l.WeightDecayScratch(3, lambd=100.0, lr=0.0, sigma=1.0)
    history = d2l.Trainer(1).fit(model, data())
    X, y = data().X[:1000], data().y[:1000]
    assert history["train_loss"][0] == pytest.approx(model.loss(model(X), y).item(), rel=1e-5)


# classification


@pytest.mark.parametrize("scale", [1.0, 100.0, 1e4])
def test_softmax_equals_pytorchs_also_at_huge_scores(scale):
    X = scale * torch.randn(50, 7)
    assert torch.allclose(d2l.softmax(X), torch.softmax(X, dim=1), atol=1e-6)
    assert torch.allclose(d2l.softmax(X).sum(1), torch.ones(50), atol=1e-6)


def test_cross_entropy_of_probabilities_equals_pytorchs():
    p, y = torch.softmax(torch.randn(50, 7), 1), torch.randint(7, (50,))
    assert d2l.cross_entropy(p, y).item() == pytest.approx(F.nll_loss(p.log(), y).item(), rel=1e-6)


@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_loss_of_logits_and_its_gradient_equal_the_formula(scale):
    logits = (scale * torch.randn(50, 7)).double().requires_grad_()
    y = torch.randint(7, (50,))
    model = d2l.Classifier()
    loss = model.loss(logits, y)
    expected = (torch.logsumexp(logits, 1) - logits[torch.arange(50), y]).mean()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    loss.backward()
    one_hot = F.one_hot(y, 7)
    assert torch.allclose(
        logits.grad, (torch.softmax(logits.detach(), 1) - one_hot) / 50, atol=1e-6
    )


def test_losses_of_single_rows_average_to_the_loss():
    logits, y = torch.randn(2, 5, 3), torch.randint(3, (2, 5))
    model = d2l.Classifier()
    rows = model.loss(logits, y, averaged=False)
    assert rows.shape == (10,)
    assert rows.mean().item() == pytest.approx(model.loss(logits, y).item(), rel=1e-6)


def test_accuracy_by_hand():
    scores = torch.tensor([[2.0, 1, 0], [0, 1, 2], [5, 0, 1], [0, 1, 0]])
    y = torch.tensor([0, 2, 1, 1])
    model = d2l.Classifier()
    assert model.accuracy(scores, y) == 0.75
    assert model.accuracy(scores, y, averaged=False).tolist() == [1, 1, 0, 1]
    assert model.accuracy(torch.randn(2, 5, 3), torch.zeros(2, 5).long(), averaged=False).shape == (
        10,
    )


MASK = torch.tensor([0, -100, 1, -100])


def test_rows_without_a_label_count_in_no_mean():
    scores, kept = torch.randn(4, 3), MASK >= 0
    model = d2l.Classifier()
    for measure in (model.accuracy, model.loss):
        assert torch.allclose(measure(scores, MASK), measure(scores[kept], MASK[kept]))
        assert (measure(scores, MASK, averaged=False)[~kept] == 0).all()


@pytest.mark.parametrize("measure", ["accuracy", "loss"])
@pytest.mark.parametrize(
    ("scores", "labels", "error", "message"),
    [
        ((2, 1), torch.tensor([[1.0], [0.0]]), ValueError, r"\(2, 1\): give each row one score"),
        ((4,), torch.zeros(4).long(), ValueError, r"\(4,\) but labels \(4,\)"),
        ((4, 3), torch.zeros(5).long(), ValueError, r"\(4, 3\) but labels \(5,\)"),
        ((4, 3), torch.zeros(4, 3), ValueError, r"give one class number per row of scores, \(4,\)"),
        ((2, 3, 5), torch.zeros(3, 2).long(), ValueError, r"labels \(3, 2\)"),
        ((2, 10, 4, 4), torch.zeros(2, 4, 4).long(), ValueError, "classes are the last axis"),
        ((4, 3), torch.zeros(4), TypeError, "torch.float32: give class numbers as int64"),
        ((4, 3), torch.zeros(4).bool(), TypeError, "torch.bool: give class numbers as int64"),
        ((4, 3), torch.zeros(4).int(), TypeError, "torch.int32: give class numbers as int64"),
    ],
)
def test_labels_that_do_not_fit_the_scores_are_refused(measure, scores, labels, error, message):
    with pytest.raises(error, match=message):
        getattr(d2l.Classifier(), measure)(torch.randn(scores), labels)


@pytest.mark.parametrize("shape", [(4,), (4, 1)])
@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8])
def test_labels_may_be_a_column_and_bytes(shape, dtype):
    scores, y, model = torch.randn(4, 3), torch.tensor([0, 1, 2, 1]), d2l.Classifier()
    given = y.reshape(shape).to(dtype)
    assert model.accuracy(scores, given) == model.accuracy(scores, y)
    assert model.loss(scores, given) == F.cross_entropy(scores, y)


@pytest.mark.parametrize(
    ("p", "y", "message"),
    [
        (torch.full((2, 2), 0.5), torch.zeros(2, 1).long(), r"labels have shape \(2, 1\)"),
        (torch.full((2, 2), 0.5), torch.zeros(3).long(), r"\(2, 2\) but labels \(3,\)"),
        (torch.full((2,), 0.5), torch.zeros(2).long(), r"shape \(2,\) is not \(n, q\)"),
        (torch.full((2, 3, 2), 0.5), torch.zeros(2).long(), r"\(2, 3, 2\) is not \(n, q\)"),
    ],
)
def test_probabilities_and_labels_that_do_not_pair_up_are_refused(p, y, message):
    with pytest.raises(ValueError, match=message):
        d2l.cross_entropy(p, y)


@pytest.mark.parametrize("shape", [(3,), (2, 3, 4)])
def test_softmax_takes_rows_alone(shape):
    with pytest.raises(ValueError, match="give one row per example"):
        d2l.softmax(torch.zeros(shape))


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.uint8, torch.int8])
def test_confusion_matrix_equals_scikit_learns(dtype):
    from sklearn.metrics import confusion_matrix

    y, y_hat = torch.randint(20, (300,)), torch.randint(20, (300,))
    found = d2l.confusion_matrix(y_hat.to(dtype), y.to(dtype), 20)
    assert found.dtype == torch.int64
    assert found.tolist() == confusion_matrix(y, y_hat, labels=range(20)).tolist()


@pytest.mark.parametrize(
    ("y_hat", "y", "message"),
    [
        ([0, 3], [0, 1], "y_hat holds class 3: with 3 classes, 0 to 2"),
        ([0, 1], [0, -100], "y holds class -100: with 3 classes"),
        ([0, 1], [0, 1, 2], r"y_hat is torch.int64 of shape \(2,\)"),
        ([[0.9, 0.1], [0.2, 0.8]], [0, 1], r"float32 of shape \(2, 2\).*scores.argmax"),
    ],
)
def test_classes_out_of_range_or_of_another_kind_are_refused(y_hat, y, message):
    with pytest.raises(ValueError, match=message):
        d2l.confusion_matrix(torch.tensor(y_hat), torch.tensor(y), 3)


class Blobs(d2l.DataModule):
    """Three clouds in the plane; 250 rows to learn from, 150 to be judged by."""

    def __init__(self, batch_size=64):
        super().__init__()
        self.save_hyperparameters()
        generator = torch.Generator().manual_seed(0)
        self.y = torch.arange(400) % 3
        centers = torch.tensor([[0.0, 2], [2, -1], [-2, -1]])
        self.X = centers[self.y] + torch.randn(400, 2, generator=generator)

    def get_dataloader(self, train):
        rows = slice(0, 250) if train else slice(250, None)
        return self.get_tensorloader((self.X, self.y), train, rows)


@pytest.mark.parametrize("batch_size", [64, 100])
def test_the_recorded_accuracy_is_exact(batch_size):
    blobs, model = Blobs(batch_size), d2l.SoftmaxRegression(3, lr=0.1)
    history = d2l.Trainer(3, seed=0).fit(model, blobs)
    right = model.accuracy(model(blobs.X[250:]), blobs.y[250:]).item()
    assert history["val_acc"][-1] == pytest.approx(right, rel=1e-6)
    assert right > 0.8


def test_scratch_and_concise_softmax_regression_train_alike():
    scratch, concise = d2l.SoftmaxRegressionScratch(2, 3, 0.1), d2l.SoftmaxRegression(3, 0.1)
    concise(torch.zeros(1, 2))
    with torch.no_grad():
        concise.net[1].weight.copy_(scratch.W.T)
        concise.net[1].bias.zero_()
    histories = [d2l.Trainer(25, seed=0).fit(model, Blobs()) for model in (scratch, concise)]
    assert torch.allclose(concise.net[1].weight.T, scratch.W, atol=1e-5)
    assert histories[0]["val_loss"] == pytest.approx(histories[1]["val_loss"], rel=1e-5)
    assert histories[0]["val_acc"] == histories[1]["val_acc"]


# the frame


def test_add_to_class_reaches_living_instances_and_returns_the_function():
    class A:
        pass

    a = A()

    @d2l.add_to_class(A)
    def twice(self, x):
        return 2 * x

    assert a.twice(3) == 6
    assert twice(None, 3) == 6


def test_hyperparameters_are_the_arguments_alone_and_merge_along_inheritance():
    class Parent(d2l.HyperParameters):
        def __init__(self, a, b=2):
            self.save_hyperparameters()

    class Child(Parent):
        def __init__(self, a, c, _d=0, *, e=5):
            super().__init__(a, b=7)
            temporary = 1  # noqa: F841
            self.save_hyperparameters(ignore="c")

    child = Child(1, 3, e=6)
    assert child.hparams == {"a": 1, "b": 7, "e": 6}
    assert (child.a, child.b, child.e) == (1, 7, 6)
    assert not any(hasattr(child, name) for name in ("c", "_d", "temporary"))
    assert repr(child) == "Child(a=1, b=7, e=6)"
    assert repr(d2l.HyperParameters()) == "HyperParameters()"


def test_ignoring_several_names():
    class A(d2l.HyperParameters):
        def __init__(self, a, b, c):
            self.save_hyperparameters(ignore=["a", "b"])

    assert A(1, 2, 3).hparams == {"c": 3}

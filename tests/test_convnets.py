"""What the chapter on convolutional networks adds to d2lib, against PyTorch's own."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import d2lib as d2l


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    monkeypatch.setattr("d2lib.board.LIVE", False)


def reference(X, K):
    return F.conv2d(X[None, None], K[None, None])[0, 0]


@pytest.mark.parametrize("shapes", [((4, 5), (2, 3)), ((7, 7), (7, 7)), ((3, 9), (1, 4))])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_corr2d_and_its_gradients_equal_pytorchs(shapes, dtype):
    torch.manual_seed(0)
    ours, theirs = [], []
    X, K = (torch.randn(shape, dtype=dtype, requires_grad=True) for shape in shapes)
    for function, found in ((d2l.corr2d, ours), (reference, theirs)):
        Y = function(X, K)
        found += [Y, *torch.autograd.grad((Y**3).sum(), (X, K))]
    for one, other in zip(ours, theirs, strict=True):
        assert one.dtype == dtype
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-4)


def test_corr2d_of_integers_is_exact_and_takes_the_wider_type():
    X = torch.tensor([[1, 2, 3], [4, 5, 6]])
    assert d2l.corr2d(X, torch.tensor([[1, -1]])).tolist() == [[-1, -1], [-1, -1]]
    assert d2l.corr2d(X, torch.tensor([[0.5, 0.5]])).tolist() == [[1.5, 2.5], [4.5, 5.5]]


@pytest.mark.parametrize("shapes", [((3, 3), (4, 1)), ((3, 3), (1, 4)), ((3, 3), (0, 2))])
def test_corr2d_names_both_shapes_where_the_kernel_does_not_fit(shapes):
    message = r"\(3, 3\) and the kernel \({}, {}\).*fit".format(*shapes[1])
    with pytest.raises(ValueError, match=message):
        d2l.corr2d(torch.ones(shapes[0]), torch.ones(shapes[1]))


def test_corr2d_refuses_batches():
    with pytest.raises(ValueError, match=r"\(1, 3, 3\).*two matrices.*F.conv2d"):
        d2l.corr2d(torch.ones(1, 3, 3), torch.ones(2, 2))


def test_lenet_has_the_sizes_that_are_counted_by_hand():
    model = d2l.LeNet()
    logits = model(torch.rand(2, 1, 28, 28))
    assert logits.shape == (2, 10)
    assert sum(p.numel() for p in model.parameters()) == 156 + 2416 + 48_120 + 10_164 + 850
    assert (model.lr, model.num_classes) == (0.1, 10)
    assert [type(layer) for layer in model.net if not hasattr(layer, "weight")] == [
        *[nn.Sigmoid, nn.AvgPool2d] * 2,
        *[nn.Flatten, nn.Sigmoid, nn.Sigmoid],
    ]


def test_lenet_with_other_parts():
    model = d2l.LeNet(num_classes=3, activation=nn.ReLU, pool=nn.MaxPool2d)
    assert model(torch.rand(2, 1, 28, 28)).shape == (2, 3)
    assert sum(isinstance(layer, nn.ReLU) for layer in model.net) == 4
    assert sum(isinstance(layer, nn.MaxPool2d) for layer in model.net) == 2


def test_lenet_learns():
    torch.manual_seed(0)
    data = d2l.FashionMNIST(batch_size=64)
    data.train.images, data.train.labels = data.train.images[:3000], data.train.labels[:3000]
    model = d2l.LeNet(lr=0.1, activation=nn.ReLU, pool=nn.MaxPool2d)
    model.apply_init([data.train[:2][0]], d2l.init_cnn)
    history = d2l.Trainer(max_epochs=2, seed=0).fit(model, data)
    assert history["val_acc"][-1] > 0.6


def test_init_cnn_is_xaviers_for_dense_and_convolutional_layers_only():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(32, 64, 5), nn.BatchNorm2d(64), nn.Flatten(), nn.Linear(400, 300))
    bias = net[0].bias.detach().clone()
    net.apply(d2l.init_cnn)
    for layer, fans in ((net[0], 32 * 25 + 64 * 25), (net[3], 400 + 300)):
        bound = math.sqrt(6 / fans)
        assert 0.99 * bound < layer.weight.abs().max() <= bound
        assert abs(layer.weight.std() / (bound / math.sqrt(3)) - 1) < 0.02
    assert torch.equal(net[0].bias, bias)
    assert torch.equal(net[1].weight, torch.ones(64))


def test_init_cnn_warns_of_lazy_layers_and_leaves_them():
    """Readers of D2L write `net.apply(init_cnn)` in `__init__`, where it did nothing, silently."""
    net = nn.Sequential(nn.LazyConv2d(4, 3), nn.ReLU(), nn.Linear(4, 2))
    with pytest.warns(UserWarning, match=r"left LazyConv2d.*apply_init\(\[X\], init_cnn\)") as told:
        net.apply(d2l.init_cnn)
    assert len(told) == 1
    net[0](torch.rand(1, 1, 5, 5))
    assert net[0].weight.shape == (4, 1, 3, 3)


SUMMARY = """\
Conv2d             output (2, 6, 28, 28)       parameters 156
Sigmoid            output (2, 6, 28, 28)       parameters 0
AvgPool2d          output (2, 6, 14, 14)       parameters 0
Conv2d             output (2, 16, 10, 10)      parameters 2,416
Sigmoid            output (2, 16, 10, 10)      parameters 0
AvgPool2d          output (2, 16, 5, 5)        parameters 0
Flatten            output (2, 400)             parameters 0
Linear             output (2, 120)             parameters 48,120
Sigmoid            output (2, 120)             parameters 0
Linear             output (2, 84)              parameters 10,164
Sigmoid            output (2, 84)              parameters 0
Linear             output (2, 10)              parameters 850
"""


def test_layer_summary_of_lenet(capsys):
    assert d2l.LeNet().layer_summary((2, 1, 28, 28)) is None
    assert capsys.readouterr().out == SUMMARY


def test_layer_summary_changes_nothing(capsys):
    class Net(d2l.Classifier):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout(0.5))

    model = Net()
    model.net[2].eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()
    model.layer_summary([4, 1, 5, 5])
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert [module.training for module in model.net] == [True, True, False]
    assert all(p.grad is None for p in model.parameters())
    assert "output (4, 2, 3, 3)" in capsys.readouterr().out


def test_layer_summary_needs_a_chain_of_layers():
    model = d2l.MLP(10, 32, 0.1)
    model.net = nn.Linear(3, 2)
    with pytest.raises(TypeError, match=r"walks through an nn.Sequential, and net is a Linear"):
        model.layer_summary((1, 3))

"""Loaders and data sets: the same rows, pixels and batches as PyTorch's and torchvision's."""

import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt
from torch.utils.data import DataLoader, TensorDataset

import d2lib as d2l


@pytest.fixture(scope="module")
def rows() -> TensorDataset:
    return TensorDataset(torch.arange(10), torch.arange(10) * 0.5)


def seen(loader) -> list[int]:
    return [int(i) for batch in loader for i in batch[0]]


def test_one_pass_yields_each_row_once_in_batches_whose_last_is_smaller(rows):
    loader = d2l.TensorLoader(rows, 4, shuffle=True)
    assert len(loader) == 3
    assert [len(batch[0]) for batch in loader] == [4, 4, 2]
    assert sorted(seen(loader)) == list(range(10))
    for x, y in loader:
        assert torch.equal(y, 0.5 * x)


def test_order_is_fixed_without_a_shuffle_and_new_each_pass_with_one(rows):
    assert seen(d2l.TensorLoader(rows, 4)) == list(range(10))
    loader = d2l.TensorLoader(rows, 4, shuffle=True)
    torch.manual_seed(0)
    first, second = seen(loader), seen(loader)
    torch.manual_seed(0)
    assert first == seen(loader) != second


def test_a_generator_makes_it_independent_of_the_global_seed(rows):
    def order(seed):
        generator = torch.Generator().manual_seed(1)
        torch.manual_seed(seed)
        return seen(d2l.TensorLoader(rows, 4, shuffle=True, generator=generator))

    assert order(0) == order(5)


def test_the_last_batch_may_be_dropped(rows):
    loader = d2l.TensorLoader(rows, 4, drop_last=True)
    assert len(loader) == 2
    assert seen(loader) == list(range(8))


def test_it_gives_what_pytorchs_loader_gives(rows):
    ours, theirs = d2l.TensorLoader(rows, 4), DataLoader(rows, 4)
    assert len(ours) == len(theirs)
    for mine, other in zip(ours, theirs, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(mine, other, strict=True))


def test_it_moves_to_a_device_as_a_whole(rows):
    moved = d2l.TensorLoader(rows, 4).to("meta")
    assert next(iter(moved))[0].device.type == "meta"
    assert rows.tensors[0].device.type == "cpu"


def test_a_data_set_that_cannot_move_stays_with_its_order():
    class Rows:
        def __len__(self):
            return 4

        def __getitem__(self, rows):
            assert rows.device.type == "cpu"
            return (rows,)

    assert len(list(d2l.TensorLoader(Rows(), 2, shuffle=True).to("meta"))) == 2


def test_orders_are_drawn_on_the_cpu_whatever_the_default_device(rows):
    with torch.device("meta"):
        assert sorted(seen(d2l.TensorLoader(rows, 4, shuffle=True))) == list(range(10))


@pytest.mark.parametrize("size", [0, -1, 2.5, None])
def test_batches_of_no_rows_are_refused(rows, size):
    with pytest.raises(ValueError, match=f"batch_size is {size}: give a number of rows"):
        d2l.TensorLoader(rows, size)


@pytest.mark.parametrize("dataset", [torch.ones(3, 2), (torch.ones(3), torch.ones(3)), [1, 2]])
def test_what_is_no_data_set_is_refused(dataset):
    with pytest.raises(TypeError, match="is no data set: give TensorDataset"):
        d2l.TensorLoader(dataset, 2)


def test_tensors_of_unequal_length_are_refused():
    module = d2l.SyntheticRegressionData([1.0], 0)
    with pytest.raises(ValueError, match="equally many rows, not 3, 4"):
        module.get_tensorloader((torch.zeros(3), torch.zeros(4)), train=True)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ((np.ones((3, 2)), np.ones(3)), "got a ndarray: make it a tensor first, torch.tensor"),
        ((torch.ones(3, 2), [1.0, 2.0, 3.0]), "got a list: make it a tensor first"),
        ((torch.ones(3, 2), None), "got a NoneType: make it a tensor first"),
        (torch.ones(3, 2), "got one tensor: give a tuple of them"),
    ],
)
def test_what_is_no_tensor_is_refused(tensors, message):
    module = d2l.SyntheticRegressionData([1.0], 0)
    with pytest.raises(TypeError, match=message):
        module.get_tensorloader(tensors, True)


# synthetic data


def test_the_truth_is_recovered_and_the_noise_has_its_level():
    data = d2l.SyntheticRegressionData([1.5, -2.0], 3.0, noise=0.1, num_train=4000, seed=0)
    assert data.X.shape == (5000, 2)
    assert data.y.shape == (5000, 1)
    ones = torch.cat([data.X, torch.ones(5000, 1)], 1)
    solution = torch.linalg.lstsq(ones, data.y).solution
    assert torch.allclose(solution[:, 0], torch.tensor([1.5, -2, 3]), atol=5 * 0.1 / 5000**0.5)
    assert (data.y - ones @ solution).std().item() == pytest.approx(0.1, rel=0.05)


@pytest.mark.parametrize("w", [[2.0, -3.4], torch.tensor([[2.0], [-3.4]]), np.array([2.0, -3.4])])
@pytest.mark.parametrize("b", [4.2, torch.tensor([4.2]), np.float64(4.2)])
def test_any_vector_and_any_number_give_one_label_a_row(w, b):
    data = d2l.SyntheticRegressionData(w, b, noise=0)
    assert torch.allclose(data.y[:, 0], data.X @ torch.tensor([2.0, -3.4]) + 4.2, atol=1e-5)


@pytest.mark.parametrize(
    ("w", "b", "message"),
    [
        ([1.0, 2.0], [1.0, 2.0], r"b has shape \(2,\): give one number"),
        (torch.ones(2, 2), 0.0, r"w has shape \(2, 2\): give one number per feature"),
        (1.0, 0.0, r"w has shape \(\): give one number per feature"),
    ],
)
def test_a_truth_of_another_shape_is_refused(w, b, message):
    with pytest.raises(ValueError, match=message):
        d2l.SyntheticRegressionData(w, b)


def test_training_and_validation_rows_are_told_apart():
    data = d2l.SyntheticRegressionData(torch.tensor([1.0]), 0, num_train=50, num_val=20)
    train = torch.cat([y for _, y in data.train_dataloader()])
    val = torch.cat([y for _, y in data.val_dataloader()])
    assert torch.equal(val, data.y[50:])
    assert torch.equal(train.sort(0).values, data.y[:50].sort(0).values)
    assert not set(train.flatten().tolist()) & set(val.flatten().tolist())


def test_a_seed_fixes_the_data_and_without_one_the_global_seed_does():
    def X(**options):
        return d2l.SyntheticRegressionData([1.0], 0, **options).X

    assert torch.equal(X(seed=1), X(seed=1))
    assert not torch.equal(X(seed=1), X(seed=2))
    torch.manual_seed(1)
    assert not torch.isclose(
        X(seed=1), X()
    ).any()  # nor are data and a model's start the same draws
    torch.manual_seed(0)
    first = X()
    torch.manual_seed(0)
    assert torch.equal(first, X())


# Fashion-MNIST


@pytest.fixture(scope="module")
def fashion() -> d2l.FashionMNIST:
    return d2l.FashionMNIST(batch_size=256)


@pytest.fixture(scope="module")
def torchvisions(tmp_path_factory):
    """torchvision's data set, over the same files."""
    from torchvision.datasets import FashionMNIST

    from d2lib import fetch

    folder = tmp_path_factory.mktemp("data")
    raw = folder / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for name in fetch.FILES:
        (raw / name).write_bytes(fetch.fashion_mnist(name))
    return lambda train, transform: FashionMNIST(folder, train=train, transform=transform)


def test_the_root_of_a_data_module_serves_torchvisions_class_offline(monkeypatch, tmp_path):
    from torchvision.datasets import FashionMNIST

    from d2lib import fetch

    for name in fetch.FILES:  # what a download leaves behind
        fetch.keep(name, fetch.fashion_mnist(name), fetch.cache(tmp_path))

    class Readers(d2l.DataModule):
        def __init__(self, batch_size=64):
            super().__init__(tmp_path)
            self.save_hyperparameters()
            self.val = FashionMNIST(self.root, train=False, download=True)

    def no_network(*_, **__):
        raise AssertionError("torchvision downloads what is there")

    monkeypatch.setattr("torchvision.datasets.mnist.download_and_extract_archive", no_network)
    assert len(Readers().val) == 10_000


def test_root_is_a_path_for_readers_classes_and_ours(fashion):
    from d2lib import fetch

    for data in (d2l.DataModule(), fashion):
        assert data.root == str(fetch.data_folder())
    assert d2l.DataModule("~/data").root.endswith("/data")
    assert "~" not in d2l.DataModule("~/data").root


def test_the_split_is_stratified_disjoint_and_fixed_by_its_seed(fashion):
    assert (len(fashion.train), len(fashion.val), len(fashion.test)) == (50_000, 10_000, 10_000)
    for part, each in ((fashion.train, 5000), (fashion.val, 1000), (fashion.test, 1000)):
        assert part.labels.bincount().tolist() == [each] * 10
    whole = d2l.FashionMNIST(holdout=0)
    both = torch.cat([fashion.train.images, fashion.val.images]).flatten(1)
    weights = torch.arange(784)
    ours, all_of_it = (
        (images.long() * weights).sum(1).sort().values
        for images in (both, whole.train.images.flatten(1))
    )
    assert torch.equal(ours, all_of_it)
    assert torch.equal(d2l.FashionMNIST().val.images, fashion.val.images)
    assert not torch.equal(d2l.FashionMNIST(seed=1).val.images, fashion.val.images)


def test_without_a_hold_out_it_is_the_official_split():
    data = d2l.FashionMNIST(holdout=0)
    assert (len(data.train), len(data.val)) == (60_000, 10_000)
    assert data.val is data.test
    assert data.train.labels[:10].tolist() == [9, 0, 0, 3, 0, 2, 7, 2, 5, 5]
    assert len(data.train_dataloader()) == 938


@pytest.mark.parametrize("holdout", [-10, 5, 60_000])
def test_a_hold_out_that_cannot_be_stratified_is_refused(holdout):
    with pytest.raises(ValueError, match=f"holdout is {holdout}: hold out a multiple of 10"):
        d2l.FashionMNIST(holdout=holdout)


@pytest.mark.parametrize("resize", [96, (8,)])
def test_a_size_that_is_no_pair_is_refused(resize):
    with pytest.raises(ValueError, match=r"resize is .*: give height and width"):
        d2l.FashionMNIST(resize=resize)


def test_items_and_batches_have_the_shapes_and_types_that_readers_know(fashion):
    data = d2l.FashionMNIST(resize=(32, 32))
    image, label = data.train[0]
    assert image.shape == (1, 32, 32)
    assert isinstance(label, int)
    X, y = next(iter(data.train_dataloader()))
    assert (X.shape, X.dtype) == ((64, 1, 32, 32), torch.float32)
    assert (y.shape, y.dtype) == ((64,), torch.int64)
    assert X.min() >= 0
    assert X.max() <= 1
    assert fashion.train[-1][0].shape == (1, 28, 28)
    assert fashion.train[3:7][0].shape == (4, 1, 28, 28)


@pytest.mark.parametrize("five", [5, np.int64(5), np.uint8(5), torch.tensor(5), np.array(5)])
def test_any_integer_gives_one_image(five):
    data = d2l.FashionMNIST(resize=(32, 32))
    (image, label), (expected, its) = data.val[five], data.val[5]
    assert torch.equal(image, expected)
    assert image.shape == (1, 32, 32)
    assert (label, type(label)) == (its, int)


@pytest.mark.parametrize("rows", [[5], torch.tensor([5]), np.array([5]), slice(5, 6)])
def test_one_row_asked_for_as_many_gives_a_batch(fashion, rows):
    X, y = fashion.val[rows]
    assert (X.shape, y.shape) == ((1, 1, 28, 28), (1,))
    assert torch.equal(X[0], fashion.val[5][0])


def test_pixels_equal_torchvisions(torchvisions):
    from torchvision.transforms import ToTensor

    data, theirs = d2l.FashionMNIST(holdout=0), torchvisions(True, ToTensor())
    for i in range(100):
        (mine, label), (other, its) = data.train[i], theirs[i]
        assert torch.allclose(mine, other, atol=1e-6)
        assert label == its


@pytest.mark.parametrize("side", [32, 96])
def test_resized_pixels_are_within_two_levels_of_torchvisions(torchvisions, side):
    from torchvision.transforms import Compose, Resize, ToTensor

    data = d2l.FashionMNIST(resize=(side, side), holdout=0)
    theirs = torchvisions(False, Compose([Resize((side, side)), ToTensor()]))
    for i in range(50):
        assert (data.test[i][0] - theirs[i][0]).abs().max() <= 2 / 255 + 1e-6


def test_one_epoch_reads_each_image_once(fashion):
    labels = torch.cat([y for _, y in fashion.train_dataloader()])
    assert labels.bincount().tolist() == [5000] * 10
    assert not torch.equal(labels, fashion.train.labels)
    for loader, part in (
        (fashion.val_dataloader(), fashion.val),
        (fashion.test_dataloader(), fashion.test),
    ):
        assert torch.equal(torch.cat([y for _, y in loader]), part.labels)


def test_labels_have_names(fashion):
    assert fashion.text_labels([9, 0]) == ["ankle boot", "t-shirt"]
    assert fashion.text_labels(torch.tensor([1])) == ["trouser"]
    assert len(set(fashion.text_labels(range(10)))) == 10


def test_more_cells_than_images_and_more_images_than_cells_are_no_error(fashion):
    X, y = fashion.val[:3]
    for columns, images in ((8, 3), (2, 2)):
        axes = fashion.visualize((X, y), ncols=columns)
        assert len(axes) == columns
        assert sum(len(axis.images) for axis in axes) == images
    assert axes[0].get_title() == fashion.text_labels(y)[0]
    assert fashion.visualize((X, y), ncols=1, labels=["mine"])[0].get_title() == "mine"
    plt.close("all")


def test_show_images_takes_what_images_come_in():
    from PIL import Image

    gray = torch.rand(4, 4)
    images = [gray, gray[None], gray.numpy(), torch.rand(3, 4, 4), np.zeros((4, 4, 3))]
    images.append(Image.new("L", (4, 4)))
    axes = d2l.show_images(images, 2, 4, titles=["a"], scale=1)
    shapes = [axis.images[0].get_array().shape for axis in axes if axis.images]
    assert shapes == [(4, 4)] * 3 + [(4, 4, 3)] * 2 + [(4, 4)]
    assert [axis.get_title() for axis in axes[:2]] == ["a", ""]
    plt.close("all")


@pytest.mark.parametrize(
    ("images", "shades"),
    [
        ([torch.ones(4, 4), torch.zeros(4, 4), torch.full((4, 4), 0.5)], [1, 0, 0.5]),
        ([np.full((4, 4), v, np.uint8) for v in (255, 0, 51)], [1, 0, 0.2]),
        ([torch.ones(4, 4, dtype=torch.bool)], [1]),
        ([torch.full((4, 4), v) for v in (-1.0, 0.0, 3.0)], [0, 0.25, 1]),
        ([torch.full((3, 4, 4), v) for v in (-1.0, 0.0, 3.0)], [0, 0.25, 1]),
        ([torch.full((4, 4), v) for v in (0, 500, 1000)], [0, 0.5, 1]),
        ([torch.full((4, 4), 255, dtype=torch.uint8), torch.full((4, 4), 0.5)], [1, 0.5]),
        ([torch.full((4, 4), 7.0)], [0]),
    ],
)
@pytest.mark.filterwarnings("error")
def test_images_share_one_scale(images, shades):
    axes = d2l.show_images(images, 1, len(images))
    for axis, shade in zip(axes, shades, strict=True):
        shown = axis.images[0]
        assert shown.get_clim() == (0, 1)
        assert np.allclose(shown.get_array(), shade)
    plt.close("all")

"""The thin helper of Runnable Deep Learning: what a section teaches, the next ones import."""

from d2lib.board import ProgressBoard
from d2lib.datasets import (
    DataModule,
    FashionMNIST,
    LabelledImages,
    SyntheticRegressionData,
    TensorLoader,
)
from d2lib.devices import cpu, gpu, num_gpus, try_all_gpus, try_gpu
from d2lib.fetch import DATA_HUB, DATA_URL, download, download_extract, extract
from d2lib.history import History
from d2lib.houses import KaggleHouse, k_fold, k_fold_data, log_rmse, to_kaggle_names
from d2lib.models.convolutional_networks import LeNet, corr2d, init_cnn
from d2lib.models.linear_classification import (
    SoftmaxRegression,
    SoftmaxRegressionScratch,
    confusion_matrix,
    cross_entropy,
    softmax,
)
from d2lib.models.linear_regression import (
    SGD,
    LinearRegression,
    LinearRegressionScratch,
    WeightDecay,
    WeightDecayScratch,
    l2_penalty,
)
from d2lib.models.multilayer_perceptrons import (
    MLP,
    DropoutMLP,
    DropoutMLPScratch,
    MLPScratch,
    dropout_layer,
    relu,
)
from d2lib.module import Classifier, HyperParameters, Module, add_to_class
from d2lib.plotting import plot, set_axes, set_figsize, show_images, use_svg_display
from d2lib.trainer import Trainer

__version__ = "0.2.0"
__all__ = [
    "DATA_HUB",
    "DATA_URL",
    "MLP",
    "SGD",
    "Classifier",
    "DataModule",
    "DropoutMLP",
    "DropoutMLPScratch",
    "FashionMNIST",
    "History",
    "HyperParameters",
    "KaggleHouse",
    "LabelledImages",
    "LeNet",
    "LinearRegression",
    "LinearRegressionScratch",
    "MLPScratch",
    "Module",
    "ProgressBoard",
    "SoftmaxRegression",
    "SoftmaxRegressionScratch",
    "SyntheticRegressionData",
    "TensorLoader",
    "Trainer",
    "WeightDecay",
    "WeightDecayScratch",
    "add_to_class",
    "confusion_matrix",
    "corr2d",
    "cpu",
    "cross_entropy",
    "download",
    "download_extract",
    "dropout_layer",
    "extract",
    "gpu",
    "init_cnn",
    "k_fold",
    "k_fold_data",
    "l2_penalty",
    "log_rmse",
    "num_gpus",
    "plot",
    "plt",
    "relu",
    "set_axes",
    "set_figsize",
    "show_images",
    "softmax",
    "to_kaggle_names",
    "try_all_gpus",
    "try_gpu",
    "use_svg_display",
]

_SAME_IN_TORCH = """abs arange argmax bfloat16 concat cos cosh exp eye float32 float64 int32 int64
    linspace log matmul meshgrid normal ones ones_like rand randn reshape sigmoid sin sinh stack
    swapaxes tanh tensor zeros zeros_like"""
_ALIASES = {name: f"torch.{name}" for name in _SAME_IN_TORCH.split()} | {
    "astype": "X.to(dtype)",
    "batch_matmul": "torch.bmm",
    "expand_dims": "torch.unsqueeze",
    "nn_Module": "torch.nn.Module",
    "numpy": "X.detach().cpu().numpy()",
    "reduce_mean": "X.mean()",
    "reduce_sum": "X.sum()",
    "repeat": "X.repeat",
    "size": "X.numel()",
    "to": "X.to(device)",
    "transpose": "X.T",
}
_TRAIN = "Trainer(max_epochs).fit(model, data), which returns a History"
_OLD = dict.fromkeys(("train_ch3", "train_ch6", "train_epoch_ch3", "train_2d"), _TRAIN) | {
    "Accumulator": "History, which Trainer.fit returns: it averages over examples",
    "Animator": "ProgressBoard, or History.plot",
    "Timer": "History.seconds, or time.perf_counter",
    "evaluate_accuracy": "history['val_acc'], or Classifier.accuracy",
    "evaluate_loss": "history['val_loss']",
    "get_fashion_mnist_labels": "FashionMNIST.text_labels",
    "linreg": "LinearRegressionScratch",
    "load_array": "DataModule.get_tensorloader",
    "load_data_fashion_mnist": "FashionMNIST(batch_size, resize)",
    "sgd": "SGD",
    "squared_loss": "LinearRegressionScratch.loss",
    "synthetic_data": "SyntheticRegressionData(w, b)",
}


def __getattr__(name: str):
    """Import pyplot on first use; tell readers of D2L where a name of theirs went."""
    if name == "plt":
        import matplotlib.pyplot

        return matplotlib.pyplot
    if name in _ALIASES:
        raise AttributeError(f"d2lib has no {name!r}, an alias in D2L: use {_ALIASES[name]}")
    if name in _OLD:
        raise AttributeError(f"d2lib has no {name!r}, a name of older D2L: use {_OLD[name]}")
    raise AttributeError(f"module 'd2lib' has no attribute {name!r}; it has {', '.join(__all__)}")

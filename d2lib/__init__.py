"""The thin helper of Runnable Deep Learning: what a section teaches, the next ones import."""

from d2lib.plotting import plot, set_axes, set_figsize, use_svg_display

__version__ = "0.1.0"
__all__ = ["plot", "plt", "set_axes", "set_figsize", "use_svg_display"]

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


def __getattr__(name: str):
    """Import pyplot on first use; tell readers of D2L where a name of theirs went."""
    if name == "plt":
        import matplotlib.pyplot

        return matplotlib.pyplot
    if name in _ALIASES:
        raise AttributeError(f"d2lib has no {name!r}, an alias in D2L: use {_ALIASES[name]}")
    raise AttributeError(f"module 'd2lib' has no attribute {name!r}; it has {', '.join(__all__)}")

"""Figures: line plots in one call, drawn as SVG. Taught in `preliminaries/calculus`."""

import re
import sys
from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np


def use_svg_display() -> None:
    """Draw a notebook's figures as SVG, with the same bytes on each run.

    Outside IPython, where nothing is displayed, it changes nothing that is seen.
    Taught in `preliminaries/calculus`.
    """
    import matplotlib

    matplotlib.rcParams["svg.hashsalt"] = "d2lib"
    if "IPython" not in sys.modules or sys.modules["IPython"].get_ipython() is None:
        return  # the next line would start a shell, which takes the place of the script's __main__
    from matplotlib_inline import backend_inline

    backend_inline.set_matplotlib_formats("svg", metadata={"Date": None, "Creator": None})


def set_figsize(figsize: tuple[float, float] = (3.5, 2.5)) -> None:
    """Set the width and height, in inches, of the figures to come, and draw them as SVG.

    Taught in `preliminaries/calculus`.
    """
    import matplotlib

    use_svg_display()
    matplotlib.rcParams["figure.figsize"] = figsize


def set_axes(axes, xlabel, ylabel, xlim, ylim, xscale, yscale, legend) -> None:
    """Set the labels, scales and limits of matplotlib `axes`, a grid, and a legend if there is one.

    Taught in `preliminaries/calculus`.
    """
    if (axes.get_xscale(), axes.get_yscale()) != (xscale, yscale):  # to set one resets its ticks
        axes.set(xscale=xscale, yscale=yscale)
    axes.set(xlabel=xlabel, ylabel=ylabel, xlim=xlim, ylim=ylim)
    if legend:
        axes.legend(legend)
    axes.grid(True)


def plot(
    X: Any,
    Y: Any = None,
    xlabel: str | None = None,
    ylabel: str | None = None,
    legend: Sequence[str] = (),
    xlim: tuple[float, float] | None = None,
    ylim: tuple[float, float] | None = None,
    xscale: str = "linear",
    yscale: str = "linear",
    fmts: Sequence[str] = ("-", "m--", "g-.", "r:"),
    figsize: tuple[float, float] = (3.5, 2.5),
    axes=None,
) -> None:
    """Draw each series of Y against its series of X as a line.

    A series is a sequence or tensor of n numbers `(n,)`; several are a list of such, or a tensor
    `(series, n)`. X alone is drawn against 0, 1, ...; one series of X serves every series of Y.
    `axes` (default: the current ones, at `figsize` inches) are cleared first. Series after the
    last of `fmts` reuse its line styles in further colors.

    A column `(n, 1)` is one series; dates and names stay what they are; a series of one value is
    drawn as a point. Raises ValueError where X and Y do not pair up or nothing would be seen,
    TypeError for what is no number, date or name. Taught in `preliminaries/calculus`.
    """
    xs, ys = _pair(X, Y)
    _check_visible(xs, ys, xscale, yscale, legend)
    if axes is None:
        import matplotlib.pyplot as plt

        set_figsize(figsize)
        axes = plt.gca()
    axes.cla()
    for k, (x, y) in enumerate(zip(xs, ys, strict=True)):
        fmt, style = fmts[k % len(fmts)], {}
        if k >= len(fmts):
            fmt, style = re.sub(r"C\d+|[bgrcmykw]", "", fmt), {"color": f"C{k}"}
        (line,) = axes.plot(x, y, fmt, **style)
        if len(y) == 1 and line.get_marker() == "None":
            line.set_marker(".")
    set_axes(axes, xlabel, ylabel, xlim, ylim, xscale, yscale, legend)


def show_images(
    imgs: Sequence,
    num_rows: int,
    num_cols: int,
    titles: Sequence[str] | None = None,
    scale: float = 1.5,
):
    """Draw images in a grid, and return its axes, `(num_rows * num_cols,)`.

    An image is a tensor on any device, an array or a PIL image: `(h, w)`, `(1, h, w)` or
    `(3, h, w)`, `(h, w, 3)`. Images beyond the grid are left out, cells beyond the images empty;
    `scale` is the side of a cell in inches. All images share one scale: bytes go from 0 to 255,
    floats from 0 to 1, or from their least to their greatest where some lie outside.

    Taught in `linear_classification/fashion_mnist`.
    """
    import matplotlib.pyplot as plt

    use_svg_display()
    size = (num_cols * scale, num_rows * scale)
    _, grid = plt.subplots(num_rows, num_cols, figsize=size, squeeze=False, layout="constrained")
    axes = grid.flatten()
    for axis in axes:
        axis.axis("off")
    images = [_pixels(image) for image, _ in zip(imgs, axes, strict=False)]
    for number, (axis, image) in enumerate(zip(axes, _bright(images), strict=False)):
        axis.imshow(image, cmap="gray", interpolation="none", vmin=0, vmax=1)
        if titles is not None and number < len(titles):
            axis.set_title(titles[number])
    return axes


def _pixels(image: Any) -> np.ndarray:
    """An image as `imshow` takes it: `(h, w)` or `(h, w, 3)`."""
    if hasattr(image, "detach"):
        image = image.detach().cpu()
    pixels = np.asarray(image)
    if pixels.ndim == 3 and pixels.shape[0] in (1, 3) and pixels.shape[2] not in (1, 3):
        pixels = pixels.transpose(1, 2, 0)
    return pixels.squeeze(2) if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels


def _bright(images: list[np.ndarray]) -> list[np.ndarray]:
    """The images as floats in [0, 1], on one scale for all of a type."""
    floats = [image for image in images if image.dtype.kind not in "bu"]
    low, high = 0.0, 1.0
    if floats:
        least, greatest = (f([f(image) for image in floats]) for f in (np.nanmin, np.nanmax))
        if least < 0 or greatest > 1:
            low, high = least, greatest
    scaled = []
    for image in images:
        bottom, top = (low, high) if image.dtype.kind not in "bu" else (0, _top(image.dtype))
        scaled.append((image.astype(float) - bottom) / ((top - bottom) or 1))
    return scaled


def _top(dtype: np.dtype) -> int:
    return 1 if dtype.kind == "b" else np.iinfo(dtype).max


def _pair(X: Any, Y: Any) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Series of x and of y, equally many and equally long."""
    if Y is None:
        ys = _series(X)
        return [np.arange(len(y)) for y in ys], ys
    xs, ys = _series(X), _series(Y)
    if len(xs) == 1:
        xs = xs * len(ys)
    if len(xs) != len(ys):
        raise ValueError(f"plot got {len(xs)} series of X for {len(ys)} of Y: give one, or as many")
    for k, (x, y) in enumerate(zip(xs, ys, strict=True)):
        if len(x) != len(y):
            raise ValueError(f"plot got {len(x)} values of X for {len(y)} of Y, in series {k}")
    return xs, ys


def _series(data: Any) -> list[np.ndarray]:
    """`data` as a list of one-dimensional arrays."""
    if hasattr(data, "columns"):  # a DataFrame: its columns
        data = [data[column] for column in data.columns]
    if isinstance(data, list | tuple) and any(np.ndim(item) for item in data):
        series = [_array(item) for item in data]
    else:
        array = _array(data)
        series = list(array) if array.ndim == 2 and array.shape[1] > 1 else [array]
    series = [one.squeeze(1) if one.ndim == 2 and one.shape[1] == 1 else one for one in series]
    for one in series:
        if one.ndim != 1 or not len(one):
            raise ValueError(f"plot got a series of shape {one.shape}: a series is (n,) values")
    return series


def _array(values: Any) -> np.ndarray:
    """`values`, a tensor (with gradient, on any device, of any type) or a sequence, as an array:
    numbers as floats, dates and names as they are."""
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        values = values if values.is_complex() else values.double()
    elif isinstance(values, list | tuple):
        values = [_array(v) if hasattr(v, "detach") else v for v in values]
    array = np.asarray(values)
    if array.dtype.kind in "biuf":
        return array.astype(float)
    is_named = all(isinstance(value, str | date) for value in array.flat)
    if array.dtype.kind == "M" or is_named:
        return array
    raise TypeError(f"plot draws numbers, dates and names, not {array.dtype}")


def _check_visible(xs: list, ys: list, xscale: str, yscale: str, legend: Sequence[str]) -> None:
    if len(legend) > len(ys):
        raise ValueError(f"legend names {len(legend)} series, but plot got {len(ys)}")
    for name, scale, series in (("xscale", xscale, xs), ("yscale", yscale, ys)):
        for k, one in enumerate(series):
            numbers = one.dtype.kind == "f"
            if numbers and not np.isfinite(one).any():
                raise ValueError(f"series {k} has no finite value to draw")
            if scale == "log" and numbers and not (one > 0).any():
                raise ValueError(f"{name} is log, but series {k} has no positive value")

"""Torch's pools as nodes: average, maximum and their adaptive forms.

``y = factor(place) * sum over the window``: an average that counts its padding divides by the same everywhere and is a
Pool. One that does not (``count_include_pad=False``), or whose last window hangs over (``ceil_mode``), is a sum and a
Scale, whose factors are what the layer itself makes of ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from neurodeploy.errors import Unsupported
from neurodeploy.export.fragment import Fragment, Reader
from neurodeploy.graph import Convolution, Pool, Scale, Shape, frozen_array

Kind = Literal["average", "max"]


def _pair(value: int | tuple[int, ...], axes: int) -> Shape:
    return (value,) * axes if isinstance(value, int) else tuple(value)


def _average(axes: int) -> Reader:
    def read(module: Any, name: str, shape: Shape, _dt: float) -> Fragment:
        kernel, stride, padding = (_pair(v, axes) for v in (module.kernel_size, module.stride, module.padding))
        share = _of_ones(module, name, shape, axes)
        if share.shape[1:] == _windows(shape[1:], kernel, stride, padding) and _counts_all(module, padding):
            return Fragment(Pool("average", kernel, stride, padding))
        behind = [
            max(before, (out - 1) * s + k - size - before)
            for out, s, k, size, before in zip(share.shape[1:], stride, kernel, shape[1:], padding, strict=True)
        ]
        ones = (1,) * axes
        weight = np.ones((shape[0], 1, *kernel), np.float32)
        pairs = tuple(zip(padding, behind, strict=True))
        total = Convolution(frozen_array(weight), None, stride, pairs, ones, groups=shape[0])
        factor = share / _cells(shape[1:], kernel, stride, padding, share.shape[1:])
        return Fragment(Scale(frozen_array(factor)), feeding=total)

    return read


def _counts_all(module: Any, padding: Shape) -> bool:
    """Return whether every window is divided by its whole size."""
    counted = module.count_include_pad or not any(padding)
    return bool(counted) and getattr(module, "divisor_override", None) is None


def _of_ones(module: nn.Module, name: str, shape: Shape, axes: int) -> npt.NDArray[np.float64]:
    """Return what the layer makes of one channel of ones, [1, *windows]."""
    if len(shape) != axes + 1:
        raise Unsupported(name, f"pools over {axes} axes of samples {shape}", "give it channels and as many axes")
    with torch.no_grad():
        share: npt.NDArray[np.float64] = module(torch.ones(1, 1, *shape[1:], dtype=torch.float64))[0].numpy()
    return share


def _windows(size: Shape, kernel: Shape, stride: Shape, padding: Shape) -> Shape:
    """Return the number of whole windows."""
    rows = zip(size, kernel, stride, padding, strict=True)
    return tuple((cells + 2 * before - taps) // step + 1 for cells, taps, step, before in rows)


def _cells(size: Shape, kernel: Shape, stride: Shape, padding: Shape, windows: Shape) -> npt.NDArray[np.float64]:
    """Return how many cells, padding aside, each window holds."""
    found = np.ones(())
    for cells, taps, step, before, count in zip(size, kernel, stride, padding, windows, strict=True):
        start = np.arange(count) * step - before
        inside = np.minimum(start + taps, cells) - np.maximum(start, 0)
        found = np.multiply.outer(found, inside)
    return found


def _maximum(axes: int) -> Reader:
    def read(module: Any, name: str, shape: Shape, _dt: float) -> Fragment:
        kernel, stride, padding = (_pair(v, axes) for v in (module.kernel_size, module.stride, module.padding))
        if module.return_indices or any(each != 1 for each in _pair(module.dilation, axes)):
            raise Unsupported(name, "pools with return_indices or a dilation", "leave both options out")
        found = _of_ones(module, name, shape, axes).shape[1:]
        if found != _windows(shape[1:], kernel, stride, padding):
            problem = f"pools with ceil_mode=True, and its last window hangs over the edge of {shape[1:]}"
            raise Unsupported(name, problem, "use ceil_mode=False, or a size that the windows fill")
        return Fragment(Pool("max", kernel, stride, padding))

    return read


def _adaptive(kind: Kind, axes: int) -> Reader:
    def read(module: Any, name: str, shape: Shape, _dt: float) -> Fragment:
        wanted = _pair(module.output_size, axes)
        if len(shape) != axes + 1 or getattr(module, "return_indices", False):
            raise Unsupported(name, f"pools samples {shape} to {wanted}", f"give it channels and {axes} axes")
        sizes = [(cells, cells if out is None else out) for cells, out in zip(shape[1:], wanted, strict=True)]
        windows = [_even_windows(cells, out) for cells, out in sizes]
        if any(window is None for window in windows):
            problem = f"pools {shape[1:]} cells to {wanted} by windows of unequal size"
            raise Unsupported(name, problem, "choose a size that divides, or a pool with kernel and stride")
        kernel, stride = zip(*(window for window in windows if window is not None), strict=True)
        return Fragment(Pool(kind, kernel, stride, (0,) * axes))

    return read


def _even_windows(cells: int, out: int) -> tuple[int, int] | None:
    """Return size and stride of the windows, which may overlap, or None where they are of several sizes or strides."""
    first = [place * cells // out for place in range(out)]
    last = [-(-(place + 1) * cells // out) for place in range(out)]
    sizes = {end - start for start, end in zip(first, last, strict=True)}
    strides = {after - before for before, after in pairwise(first)} or {1}
    return (sizes.pop(), strides.pop()) if len(sizes) == len(strides) == 1 else None


#: Pool class -> reader.
POOLS: Mapping[type, Reader] = {
    nn.AvgPool1d: _average(1),
    nn.AvgPool2d: _average(2),
    nn.MaxPool1d: _maximum(1),
    nn.MaxPool2d: _maximum(2),
    nn.AdaptiveAvgPool1d: _adaptive("average", 1),
    nn.AdaptiveAvgPool2d: _adaptive("average", 2),
    nn.AdaptiveMaxPool1d: _adaptive("max", 1),
    nn.AdaptiveMaxPool2d: _adaptive("max", 2),
}

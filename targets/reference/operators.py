"""The nodes without memory: float64 arrays [samples, *shape] to float64 arrays [samples, *shape].

Everything is NumPy, so that the reference depends on no other framework and on no float32 kernel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from neurodeploy.graph import (
    BatchNorm,
    Convolution,
    Flatten,
    Input,
    Linear,
    Node,
    Output,
    Pool,
    Scale,
    Shape,
    Threshold,
)

Floats = npt.NDArray[np.float64]
Operator = Callable[[Floats], Floats]


def operator(node: Node) -> Operator:
    """Return the function that ``node`` computes; its constants are converted once, here."""
    return _BUILDERS[type(node)](node)


def _identity(_node: Node) -> Operator:
    return lambda x: x


def _linear(node: Linear) -> Operator:
    weight = np.asarray(node.weight, dtype=np.float64).T
    bias = _bias(node.bias, 0)
    return lambda x: x @ weight + bias


def _convolution(node: Convolution) -> Operator:
    axes = node.weight.ndim - 2
    kernels = np.split(np.asarray(node.weight, dtype=np.float64), node.groups)
    bias = _bias(node.bias, axes)

    def apply(x: Floats) -> Floats:
        windows = _windows(x, node.weight.shape[2:], node.stride, node.padding, node.dilation, 0.0)
        groups = np.split(windows, node.groups, axis=1)
        return np.concatenate([_correlate(w, k, axes) for w, k in zip(groups, kernels, strict=True)], axis=1) + bias

    return apply


def _correlate(windows: Floats, kernel: Floats, axes: int) -> Floats:
    """Contract [samples, in, *places, *kernel] with [out, in, *kernel] to [samples, out, *places]."""
    inner = [1, *range(2 + axes, 2 + 2 * axes)]
    product = np.tensordot(windows, kernel, axes=(inner, [1, *range(2, 2 + axes)]))
    return np.moveaxis(product, -1, 1)


def _pool(node: Pool) -> Operator:
    axes = len(node.kernel)
    padding = tuple((p, p) for p in node.padding)
    outside = -np.inf if node.kind == "max" else 0.0
    reduce = _REDUCE[node.kind]
    last = tuple(range(-axes, 0))

    def apply(x: Floats) -> Floats:
        return reduce(_windows(x, node.kernel, node.stride, padding, (1,) * axes, outside), last)

    return apply


def _windows(
    x: Floats, kernel: Shape, stride: Shape, padding: tuple[tuple[int, int], ...], dilation: Shape, outside: float
) -> Floats:
    """Return a view [samples, channels, *places, *kernel] of the windows of ``x`` [samples, channels, *places]."""
    axes = len(kernel)
    if any(map(any, padding)):
        x = np.pad(x, [(0, 0), (0, 0), *padding], constant_values=outside)
    reach = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))
    view = sliding_window_view(x, reach, axis=tuple(range(2, 2 + axes)))
    steps = [slice(None)] * 2 + [slice(None, None, s) for s in (*stride, *dilation)]
    return np.asarray(view[tuple(steps)])


def _flatten(node: Flatten) -> Operator:
    def apply(x: Floats) -> Floats:
        axes = x.ndim - 1
        start, end = (1 + (dim + axes if dim < 0 else dim) for dim in (node.start, node.end))
        return x.reshape(*x.shape[:start], -1, *x.shape[end + 1 :])

    return apply


def _scale(node: Scale) -> Operator:
    factor = np.asarray(node.factor, dtype=np.float64)
    return lambda x: x * factor


def _threshold(node: Threshold) -> Operator:
    threshold = np.asarray(node.threshold, dtype=np.float64)
    return lambda x: (x > threshold).astype(np.float64)


def _batchnorm(node: BatchNorm) -> Operator:
    variance = np.asarray(node.variance, dtype=np.float64)
    factor = np.asarray(node.weight, dtype=np.float64) / np.sqrt(variance + node.epsilon)
    shift = np.asarray(node.bias, dtype=np.float64) - np.asarray(node.mean, dtype=np.float64) * factor

    def apply(x: Floats) -> Floats:
        axes = (slice(None), *(None,) * (x.ndim - 2))
        return x * factor[axes] + shift[axes]

    return apply


def _bias(bias: npt.NDArray[Any] | None, axes: int) -> Floats:
    """Return the bias so that it broadcasts over ``axes`` further axes, or zero."""
    return np.zeros(()) if bias is None else np.asarray(bias, dtype=np.float64).reshape(-1, *(1,) * axes)


#: Kind of pool -> reduction of an array over these axes.
_REDUCE: dict[str, Callable[[Floats, tuple[int, ...]], Floats]] = {
    "sum": lambda x, axes: np.asarray(x.sum(axis=axes)),
    "average": lambda x, axes: np.asarray(x.mean(axis=axes)),
    "max": lambda x, axes: np.asarray(x.max(axis=axes)),
}

#: Node type -> function that makes its operator.
_BUILDERS: dict[type, Callable[[Any], Operator]] = {
    Input: _identity,
    Output: _identity,
    Linear: _linear,
    Convolution: _convolution,
    Pool: _pool,
    Flatten: _flatten,
    Scale: _scale,
    Threshold: _threshold,
    BatchNorm: _batchnorm,
}

"""ONNX operations that pool."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurodeploy.errors import Unsupported
from neurodeploy.export.onnx.attributes import attributes, label, refuse_partial_windows, windows
from neurodeploy.export.onnx.operands import attribute_or_input, constant_of, signal_of
from neurodeploy.export.onnx.translation import Signal, Translation, Value
from neurodeploy.graph import Flatten, Pool


def _pool(walk: Translation, node: Any, kind: str, *inputs: Value | None) -> Signal:
    x, given = signal_of(node, inputs[0]), attributes(node)
    kernel, extents = tuple(given.get("kernel_shape", ())), x.shape[1:]
    stride, dilation, padding = windows(node, given, kernel, extents)
    if any(before != after for before, after in padding) or set(dilation) != {1}:
        raise Unsupported(label(node), f"has the padding {padding}, dilation {dilation}", "pad both ends alike")
    if given.get("ceil_mode", 0):
        refuse_partial_windows(node, kernel, extents, stride, padding)
    if kind == "average" and any(map(any, padding)) and not given.get("count_include_pad", 0):
        raise Unsupported(label(node), "leaves padding out of its average", "export it with count_include_pad=1")
    part = Pool("max" if kind == "max" else "average", kernel, stride, tuple(before for before, _ in padding))
    return walk.layer(node, part, x, nonnegative=x.nonnegative)


def average_pool(walk: Translation, node: Any, *inputs: Value | None) -> Value:
    """Read an average over windows."""
    return _pool(walk, node, "average", *inputs)


def global_average_pool(walk: Translation, node: Any, *inputs: Value | None) -> Value:
    """Read an average over all places."""
    x = signal_of(node, inputs[0])
    if len(x.shape) not in (2, 3):
        raise Unsupported(label(node), f"averages {list(x.shape)}", "1 or 2 axes beside the channels are read")
    axes = len(x.shape) - 1
    return walk.layer(node, Pool("average", x.shape[1:], (1,) * axes, (0,) * axes), x, nonnegative=x.nonnegative)


def reduce_mean(walk: Translation, node: Any, *inputs: Value | None) -> Value:
    """Read a mean over all places, which leaves channels, with axes of size 1 behind them or without."""
    x = signal_of(node, inputs[0])
    axes = attribute_or_input(node, inputs, "axes", 1)
    row = [] if axes is None else [int(axis) for axis in np.asarray(constant_of(node, axes, "axes")).reshape(-1)]
    if sorted(axis % (len(x.shape) + 1) for axis in row) != list(range(2, len(x.shape) + 1)) or not row:
        found = f"averages the axes {row} of samples {list(x.shape)}"
        raise Unsupported(label(node), found, "average all axes behind the channels")
    pooled = global_average_pool(walk, node, x)
    assert isinstance(pooled, Signal)
    if attributes(node).get("keepdims", 1):
        return pooled
    return walk.layer(node, Flatten(0, -1), pooled, nonnegative=pooled.nonnegative)


def max_pool(walk: Translation, node: Any, *inputs: Value | None) -> Value:
    """Read a maximum over windows, if the user accepts what stands for it."""
    x = signal_of(node, inputs[0])
    if walk.choices.max_pool != "or":
        raise Unsupported(
            label(node),
            "takes a maximum, which spikes of different neurons do not add up to",
            "train with AveragePool, or accept an approximation with --max-pool or",
        )
    if not x.nonnegative:
        raise Unsupported(label(node), "takes the maximum of what is no rectified value", "put the Relu before it")
    walk.notes.append(f"{label(node)}: a maximum of spikes stands for the maximum of rates, which it exceeds")
    return _pool(walk, node, "max", x)

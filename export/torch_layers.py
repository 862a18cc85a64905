"""Torch layers as nodes of a Graph: the table :data:`LAYERS` from a layer class to its reader."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from neurodeploy.errors import Unsupported
from neurodeploy.export.fragment import Fragment, Reader
from neurodeploy.export.pools import POOLS
from neurodeploy.graph import (
    BatchNorm,
    Convolution,
    Flatten,
    Linear,
    Node,
    Shape,
    frozen_array,
)


def values(tensor: torch.Tensor) -> npt.NDArray[Any]:
    """Return a read-only copy of a tensor with its own float dtype; bfloat16 and the like as float32."""
    detached = tensor.detach().cpu()
    if detached.dtype not in (torch.float16, torch.float32, torch.float64):
        detached = detached.float()
    return frozen_array(detached.numpy())


def optional(tensor: torch.Tensor | None) -> npt.NDArray[Any] | None:
    """Return :func:`values` of a tensor, or None for None."""
    return None if tensor is None else values(tensor)


def as_node(module: nn.Module, name: str, shape: Shape) -> Node:
    """Return the one node that a synapse layer becomes."""
    node = LAYERS[type(module)](module, name, shape, 0.0).node
    assert node is not None
    return node


def _linear(module: nn.Linear, name: str, shape: Shape, _dt: float) -> Fragment:
    if len(shape) != 1:
        raise Unsupported(name, f"works on the last axis of samples {shape}", "flatten before a Linear")
    return Fragment(Linear(values(module.weight), optional(module.bias)))


def _convolution(module: nn.Conv1d | nn.Conv2d, name: str, _shape: Shape, _dt: float) -> Fragment:
    if module.padding_mode != "zeros":
        raise Unsupported(name, f"pads in mode {module.padding_mode!r}", "use padding_mode='zeros'")
    return Fragment(
        Convolution(
            weight=values(module.weight),
            bias=optional(module.bias),
            stride=tuple(module.stride),
            padding=_padding(module),
            dilation=tuple(module.dilation),
            groups=module.groups,
        )
    )


def _padding(module: nn.Conv1d | nn.Conv2d) -> tuple[tuple[int, int], ...]:
    """Return (before, after) per axis; 'same' puts the odd one after, as torch does."""
    if module.padding == "valid":
        return tuple((0, 0) for _ in module.kernel_size)
    if module.padding == "same":
        totals = [d * (k - 1) for d, k in zip(module.dilation, module.kernel_size, strict=True)]
        return tuple((total // 2, total - total // 2) for total in totals)
    return tuple((int(each), int(each)) for each in module.padding)


def _batch_norm(module: nn.BatchNorm1d | nn.BatchNorm2d, name: str, _shape: Shape, _dt: float) -> Fragment:
    if module.running_mean is None or module.running_var is None:
        raise Unsupported(name, "normalises by the statistics of each batch", "train with track_running_stats=True")
    mean, variance = values(module.running_mean), values(module.running_var)
    weight = np.ones_like(mean) if module.weight is None else values(module.weight)
    bias = np.zeros_like(mean) if module.bias is None else values(module.bias)
    return Fragment(BatchNorm(mean, variance, frozen_array(weight), frozen_array(bias), float(module.eps)))


def _flatten(module: nn.Flatten, name: str, shape: Shape, _dt: float) -> Fragment:
    return Fragment(flatten_node(name, shape, module.start_dim, module.end_dim))


def flatten_node(where: str, shape: Shape, start: int, end: int) -> Flatten:
    """Return the Flatten of torch's axes ``start`` to ``end``, which count the batch, for samples of this shape."""
    axes = len(shape) + 1
    first, last = start % axes, end % axes
    if first == 0:
        raise Unsupported(where, "flattens the batch axis", "flatten from axis 1 on")
    return Flatten(first - 1, last - 1)


def _zeros(module: nn.ZeroPad1d | nn.ZeroPad2d, name: str, shape: Shape, _dt: float) -> Fragment:
    return Fragment(padding_node(name, shape, module.padding))


def padding_node(where: str, shape: Shape, padding: Sequence[int]) -> Convolution:
    """Return the convolution that surrounds samples of ``shape`` by zeros; torch counts from the last axis on."""
    axes = len(shape) - 1
    given = [(int(before), int(after)) for before, after in zip(padding[::2], padding[1::2], strict=True)][::-1]
    pairs = tuple([(0, 0)] * (axes - len(given)) + given)
    if axes not in (1, 2) or len(pairs) != axes or min(map(min, pairs)) < 0:
        raise Unsupported(where, f"pads samples {shape} by {tuple(padding)}", "pad the axes behind the channels")
    ones = (1,) * axes
    weight = frozen_array(np.ones((shape[0], 1, *ones), np.float32))
    return Convolution(weight, None, ones, pairs, ones, groups=shape[0])


def _vanish(_module: nn.Module, _name: str, _shape: Shape, _dt: float) -> Fragment:
    return Fragment(None)


#: Layer class -> reader. A subclass that changes ``forward`` is not the layer it derives from.
LAYERS: Mapping[type, Reader] = {
    nn.Linear: _linear,
    nn.Conv1d: _convolution,
    nn.Conv2d: _convolution,
    **POOLS,
    nn.BatchNorm1d: _batch_norm,
    nn.BatchNorm2d: _batch_norm,
    nn.Flatten: _flatten,
    nn.Identity: _vanish,
    nn.Dropout: _vanish,
    nn.Dropout1d: _vanish,
    nn.Dropout2d: _vanish,
    nn.AlphaDropout: _vanish,
    nn.FeatureAlphaDropout: _vanish,
    nn.ZeroPad1d: _zeros,
    nn.ZeroPad2d: _zeros,
}


def reader_for(module: nn.Module, readers: Mapping[type, Reader]) -> Reader | None:
    """Return the reader of a module's class or of the base class whose ``forward`` it inherits, or None."""
    for base in type(module).__mro__:
        if base in readers and type(module).forward is base.forward:  # type: ignore[attr-defined]
            return readers[base]
    return None

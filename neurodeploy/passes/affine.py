"""Paths of affine operations from one source: what a chain of synapses between two neurons amounts to.

A :class:`Path` starts as the identity of its source and is extended node by node. It stays a convolution as long as
that is exact and becomes a dense matrix over the flattened source where it must, if that is small enough.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from neurodeploy.errors import Unsupported
from neurodeploy.graph import Convolution, Flatten, Linear, Node, Scale, Shape, frozen_array
from neurodeploy.passes.channels import per_channel, scale_rows
from neurodeploy.passes.convolve import Matrix, compose, transposed

#: The largest number of weights (elements of float64: 128 MiB) that a chain may take as one dense matrix.
DENSE_LIMIT = 2**24


@dataclass(frozen=True, eq=False)
class Path:
    """What a chain computes from its source.

    Attributes
    ----------
    source : name of the Input or neuron it starts from.
    source_shape : its shape.
    delayed : whether an edge on the way carries the previous step's value.
    operation : None for the identity; a Linear acts on the flattened source. A lone synapse keeps its own dtype and
        arrays; what is composed of several is float64.
    natural : shape of the operation's answer.
    shape : the same values as a Flatten on the way has them.
    """

    source: str
    source_shape: Shape
    delayed: bool
    operation: Linear | Convolution | None
    natural: Shape
    shape: Shape


def extend(path: Path, name: str, node: Node, shape: Shape, *, with_bias: bool) -> Path:
    """Return ``path`` followed by ``node``, whose answer has this shape.

    ``with_bias`` is False where another path into the node already carries its bias.

    Raises
    ------
    Unsupported : only a dense matrix above :data:`DENSE_LIMIT` weights would be exact; names the node.
    """
    if isinstance(node, Linear | Convolution) and not with_bias:
        node = replace(node, bias=None)
    return _EXTEND[type(node)](path, name, node, shape)


def as_synapse(path: Path, name: str) -> Linear | Convolution:
    """Return the synapse of a path; the identity is one of weight one.

    Its answer has the shape the target expects: a convolution whose answer was flattened becomes dense.
    """
    if path.operation is None and len(path.natural) > 1 and path.shape == path.natural:
        return _depthwise(np.ones(path.natural[0]), len(path.natural) - 1)
    if isinstance(path.operation, Convolution) and path.shape == path.natural:
        return path.operation
    return _dense(path, name)


def _flatten(path: Path, _name: str, _node: Flatten, shape: Shape) -> Path:
    return replace(path, shape=shape)


def _scale(path: Path, name: str, node: Scale, shape: Shape) -> Path:
    factor = np.broadcast_to(np.asarray(node.factor, np.float64), shape)
    channels = per_channel(factor, shape)
    if path.shape == path.natural and len(shape) > 1 and channels is not None:
        if path.operation is None:
            return replace(path, operation=_depthwise(channels, len(shape) - 1))
        if isinstance(path.operation, Convolution):
            return replace(path, operation=scale_rows(path.operation, channels, None))
    return replace(path, operation=scale_rows(_dense(path, name), factor.reshape(-1), None), natural=shape)


def _linear(path: Path, name: str, node: Linear, shape: Shape) -> Path:
    if path.operation is None:
        return replace(path, operation=node, natural=shape, shape=shape)
    bias = None if node.bias is None else np.asarray(node.bias, np.float64)
    return _after(path, name, np.asarray(node.weight, np.float64), bias, shape)


def _convolution(path: Path, name: str, node: Convolution, shape: Shape) -> Path:
    if path.shape == path.natural:
        if path.operation is None:
            return replace(path, operation=node, natural=shape, shape=shape)
        if isinstance(path.operation, Convolution):
            one = compose(path.operation, node, (path.source_shape, path.natural, shape))
            if one is not None:
                return replace(path, operation=one, natural=shape, shape=shape)
    size = int(np.prod(shape))
    _check_size(name, size, int(np.prod(path.shape)))
    weight = transposed(np.eye(size), node, path.shape, shape)
    bias = None if node.bias is None else np.repeat(np.asarray(node.bias, np.float64), size // shape[0])
    return _after(path, name, weight, bias, shape)


#: Node type -> how a path goes through it.
_EXTEND: dict[type, Callable[[Path, str, Any, Shape], Path]] = {
    Flatten: _flatten,
    Scale: _scale,
    Linear: _linear,
    Convolution: _convolution,
}


def _after(path: Path, name: str, weight: Matrix, bias: Matrix | None, shape: Shape) -> Path:
    """Put a matrix over the flattened answer of the path after it."""
    _check_size(name, len(weight), int(np.prod(path.source_shape)))
    operation = path.operation
    before = None if operation is None or operation.bias is None else np.asarray(operation.bias, np.float64)
    if before is not None:
        shift = weight @ np.repeat(before, weight.shape[1] // len(before))
        bias = shift if bias is None else bias + shift
    if isinstance(operation, Linear):
        weight = weight @ np.asarray(operation.weight, np.float64)
    elif isinstance(operation, Convolution):
        weight = transposed(weight, operation, path.source_shape, path.natural)
    dense = Linear(frozen_array(weight), None if bias is None else frozen_array(bias))
    return replace(path, operation=dense, natural=shape, shape=shape)


def _dense(path: Path, name: str) -> Linear:
    """Return the path's operation as a matrix over the flattened source."""
    if isinstance(path.operation, Linear):
        return path.operation
    size = int(np.prod(path.natural))
    _check_size(name, size, int(np.prod(path.source_shape)))
    operation = _after(path, name, np.eye(size), None, path.natural).operation
    assert isinstance(operation, Linear)
    return operation


def _check_size(name: str, rows: int, columns: int) -> None:
    if rows * columns > DENSE_LIMIT:
        raise Unsupported(
            name,
            f"is exact only as a dense matrix of {rows} x {columns} weights, above the limit of {DENSE_LIMIT}",
            "put neurons between the layers, or remove the padding or Flatten that prevents one convolution",
        )


def _depthwise(factor: Matrix, space: int) -> Convolution:
    ones = (1,) * space
    weight = frozen_array(np.asarray(factor, np.float64).reshape(-1, 1, *ones))
    return Convolution(weight, None, ones, ((0, 0),) * space, ones, groups=len(weight))

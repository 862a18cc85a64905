"""The shape of every node of a Graph, inferred along its edges by the rules of torch.

Shapes are those of one sample in one step, without batch or time. An Input, a Neuron and a Linear know their own; the
rest follows from the node before, so a loop needs no special care as long as one of those lies on it.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import numpy as np

from neurodeploy.errors import InputError
from neurodeploy.graph import (
    BatchNorm,
    Convolution,
    Delay,
    Flatten,
    Graph,
    Input,
    Linear,
    Neuron,
    Node,
    Output,
    Pool,
    Scale,
    Shape,
    Threshold,
)

_ADVICE = "change one of the two, or put the missing layer (Flatten, pooling) between them"


class _Mismatch(Exception):
    """A node cannot take an input of this shape; the text says why."""


def infer_shapes(graph: Graph) -> dict[str, Shape]:
    """Return the output shape of every node, in the order of ``graph.nodes``.

    Raises
    ------
    InputError : an edge joins shapes that do not fit (the message names both nodes and both shapes), or nothing that
        has a shape leads to a node.
    """
    shapes, _ = propagate(graph.nodes, graph.edges)
    for name in graph.nodes:
        if name not in shapes:
            raise InputError(name, "its shape is unknown, for no Input, Neuron or Linear leads to it", "connect it")
    for source, target in graph.edges:
        output_shape(target, graph.nodes[target], shapes[source], source)
    return {name: shapes[name] for name in graph.nodes}


def propagate(
    nodes: Mapping[str, Node], edges: Iterable[tuple[str, str]], unsized: Collection[str] = ()
) -> tuple[dict[str, Shape], dict[str, str]]:
    """Spread the shapes that nodes know along the edges, without checking edges into nodes that know their own.

    Parameters
    ----------
    unsized : nodes whose own shape says nothing (neurons with scalar constants); they take that of their source.

    Returns
    -------
    The output shapes found, and for each node that took its shape from a source the name of that source. Nodes out of
    reach are absent.
    """
    shapes = {name: own for name, node in nodes.items() if name not in unsized and (own := own_shape(node)) is not None}
    following: dict[str, list[str]] = {name: [] for name in nodes}
    for source, target in edges:
        following[source].append(target)
    origin: dict[str, str] = {}
    waiting = deque(shapes)
    while waiting:
        source = waiting.popleft()
        for target in following[source]:
            if target in shapes:
                continue
            node = nodes[target]
            shapes[target] = shapes[source] if target in unsized else output_shape(target, node, shapes[source], source)
            origin[target] = source
            waiting.append(target)
    return shapes, origin


def own_shape(node: Node) -> Shape | None:
    """Return the output shape that the node states itself, or None where it follows from the input."""
    if isinstance(node, Input | Neuron):
        return node.shape
    if isinstance(node, Linear):
        return node.weight.shape[:1]
    return None


def output_shape(name: str, node: Node, shape: Shape, source: str = "its input") -> Shape:
    """Return the output shape of ``node`` for an input of ``shape``.

    Raises
    ------
    InputError : the node cannot take it; ``name`` and ``source`` name the two ends in the message.
    """
    try:
        return _RULES[type(node)](node, shape)
    except _Mismatch as mismatch:
        raise InputError(
            f"{source} -> {name}", f"{source} has the shape {list(shape)}, but {name} {mismatch}", _ADVICE
        ) from None


def pads_same(node: Convolution) -> bool:
    """Return whether a convolution pads as torch's 'same' does: the odd cell behind, and no stride."""
    totals = [d * (k - 1) for d, k in zip(node.dilation, node.weight.shape[2:], strict=True)]
    return set(node.stride) == {1} and node.padding == tuple((each // 2, each - each // 2) for each in totals)


def window_output(size: int, kernel: int, stride: int, padding: tuple[int, int], dilation: int = 1) -> int:
    """Return how many windows fit along one axis: ``(size + padding - dilation (kernel - 1) - 1) // stride + 1``.

    Zero or less means that not even one does.
    """
    return (size + sum(padding) - dilation * (kernel - 1) - 1) // stride + 1


def _same(node: Any, shape: Shape) -> Shape:
    if node.shape != shape:
        raise _Mismatch(f"has the shape {list(node.shape)}")
    return shape


def _linear(node: Linear, shape: Shape) -> Shape:
    if node.weight.ndim != 2:
        raise _Mismatch(f"has a weight of shape {list(node.weight.shape)} instead of [out, in]")
    if shape != node.weight.shape[1:]:
        raise _Mismatch(f"takes the shape {list(node.weight.shape[1:])}")
    return node.weight.shape[:1]


def _convolution(node: Convolution, shape: Shape) -> Shape:
    axes = node.weight.ndim - 2
    channels = node.weight.shape[1] * node.groups
    if len(shape) != axes + 1 or shape[0] != channels:
        raise _Mismatch(f"takes {channels} channels and {axes} further axes, so [{channels}{', n' * axes}]")
    return node.weight.shape[0], *_windows(shape[1:], node.weight.shape[2:], node.stride, node.padding, node.dilation)


def _pool(node: Pool, shape: Shape) -> Shape:
    axes = len(node.kernel)
    if len(shape) != axes + 1:
        raise _Mismatch(f"takes channels and {axes} further axes")
    padding = tuple((p, p) for p in node.padding)
    return shape[0], *_windows(shape[1:], node.kernel, node.stride, padding, (1,) * axes)


def _windows(
    sizes: Shape, kernel: Shape, stride: Shape, padding: tuple[tuple[int, int], ...], dilation: Shape
) -> Shape:
    if min(stride) < 1:
        raise _Mismatch(f"has the stride {list(stride)}, and at least 1 is required")
    found = tuple(map(window_output, sizes, kernel, stride, padding, dilation))
    if min(found) < 1:
        raise _Mismatch(f"has a window of {list(kernel)} (dilation {list(dilation)}) that is larger than its input")
    return found


def _flatten(node: Flatten, shape: Shape) -> Shape:
    start, end = (dim + len(shape) if dim < 0 else dim for dim in (node.start, node.end))
    if not 0 <= start <= end < len(shape):
        raise _Mismatch(f"merges the axes {node.start} to {node.end}, which that shape has not")
    return *shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :]


def _elementwise(field: str) -> Callable[[Any, Shape], Shape]:
    def rule(node: Any, shape: Shape) -> Shape:
        values = getattr(node, field).shape
        if not fits(values, shape):
            raise _Mismatch(f"has a {field} of shape {list(values)}")
        return shape

    return rule


def _batchnorm(node: BatchNorm, shape: Shape) -> Shape:
    if not shape or node.mean.shape != shape[:1]:
        raise _Mismatch(f"normalises {list(node.mean.shape)} channels")
    return shape


def fits(values: Shape, shape: Shape) -> bool:
    """Return whether an array of shape ``values`` broadcasts to ``shape`` without enlarging it."""
    try:
        return np.broadcast_shapes(values, shape) == shape
    except ValueError:
        return False


#: Node type -> rule from input shape to output shape.
_RULES: dict[type, Callable[[Any, Shape], Shape]] = {
    Input: _same,
    Output: _same,
    Neuron: _same,
    Linear: _linear,
    Convolution: _convolution,
    Pool: _pool,
    Flatten: _flatten,
    Scale: _elementwise("factor"),
    Delay: _elementwise("delay"),
    Threshold: _elementwise("threshold"),
    BatchNorm: _batchnorm,
}

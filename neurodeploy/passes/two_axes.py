"""``conv1d(x[C, L]) = conv2d(x[C, 1, L])`` with a kernel of (1, k): the one axis becomes the second of two.

A chip's convolutions have two axes. Cells keep their order, so matrices that read such a layer stay as they are.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np

from neurodeploy.graph import Convolution, Graph, Input, Neuron, Node, Output, Shape


def two_axes(graph: Graph) -> Graph:
    """Return a lowered graph without convolutions over one axis; others come back as they are.

    Inputs, neurons and outputs at the ends of such a convolution get the shape (channels, 1, length), and a note says
    so.
    """
    narrow = {name for name in graph.of_type(Convolution) if _of(graph, name).weight.ndim == 3}
    if not narrow:
        return graph
    ends = {end for edge in graph.edges if narrow & set(edge) for end in edge} - narrow
    ends |= {target for source, target in graph.edges if source in ends and isinstance(graph.nodes[target], Output)}
    nodes: dict[str, Node] = {
        name: _convolution(_of(graph, name)) if name in narrow else _reshaped(node) if name in ends else node
        for name, node in graph.nodes.items()
    }
    changed = [name for name in graph.nodes if nodes[name] is not graph.nodes[name] and name not in narrow]
    note = f"{', '.join(changed)}: one axis became two, of which the first has the extent 1"
    return replace(graph, nodes=nodes, notes=(*graph.notes, note))


def _of(graph: Graph, name: str) -> Convolution:
    node = graph.nodes[name]
    assert isinstance(node, Convolution)
    return node


def _convolution(node: Convolution) -> Convolution:
    return replace(
        node,
        weight=node.weight[:, :, np.newaxis],
        stride=(1, *node.stride),
        padding=((0, 0), *node.padding),
        dilation=(1, *node.dilation),
    )


def _reshaped(node: Node) -> Node:
    if not isinstance(node, Input | Output | Neuron) or len(node.shape) != 2:
        return node
    if not isinstance(node, Neuron):
        return replace(node, shape=_shape(node.shape))
    arrays: dict[str, Any] = {}
    for field in fields(node):
        values = getattr(node, field.name)
        if isinstance(values, np.ndarray) and values.ndim == 2:
            arrays[field.name] = values[:, np.newaxis]
    return replace(node, shape=_shape(node.shape), **arrays)


def _shape(shape: Shape) -> Shape:
    return shape[0], 1, shape[1]

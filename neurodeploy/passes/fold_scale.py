"""``f (W x + b) = (f W) x + f b`` and ``W (f x) = (W f) x``: a Scale into the synapse before or after it."""

from __future__ import annotations

import numpy as np

from neurodeploy.graph import Convolution, Graph, Linear, Node, Scale, Shape
from neurodeploy.passes.channels import Vector, outputs_of, per_channel, scale_columns, scale_rows
from neurodeploy.passes.surgery import dissolve, duplicates_an_edge, with_nodes
from neurodeploy.shapes import infer_shapes


def fold_scale(graph: Graph) -> Graph:
    """Return the graph with every Scale folded that a neighbouring synapse can take exactly; others stay."""
    shapes = infer_shapes(graph)
    for name in graph.of_type(Scale):
        scale = graph.nodes[name]
        assert isinstance(scale, Scale)
        factor = np.asarray(scale.factor, np.float64)
        changed = _before(graph, name, factor, shapes[name]) or _after(graph, name, factor, shapes[name])
        if changed and not duplicates_an_edge(graph, name):
            graph = dissolve(with_nodes(graph, changed), name)
    return graph


def _before(graph: Graph, name: str, factor: Vector, shape: Shape) -> dict[str, Node] | None:
    rows = per_channel(factor, shape)
    changed: dict[str, Node] = {}
    for source in graph.sources(name):
        node = graph.nodes[source]
        alone = isinstance(node, Linear | Convolution) and graph.targets(source) == [name]
        if not alone or rows is None:
            return None
        assert isinstance(node, Linear | Convolution)
        if isinstance(node, Linear) and len(shape) != 1:
            return None
        assert outputs_of(node) == len(rows)
        changed[source] = scale_rows(node, rows, None)
    return changed or None


def _after(graph: Graph, name: str, factor: Vector, shape: Shape) -> dict[str, Node] | None:
    channels = per_channel(factor, shape)
    changed: dict[str, Node] = {}
    for target in graph.targets(name):
        node = graph.nodes[target]
        if not isinstance(node, Linear | Convolution) or graph.sources(target) != [name]:
            return None
        if channels is None or (isinstance(node, Linear) and len(shape) != 1):
            return None
        changed[target] = scale_columns(node, channels, None)
    return changed or None

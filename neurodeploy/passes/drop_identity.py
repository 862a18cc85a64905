"""``y = x``: remove the nodes that change nothing.

These are a Scale by one, a Flatten of one axis, a Pool over windows of one, a Delay of zero.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from neurodeploy.graph import Delay, Flatten, Graph, Pool, Scale, Shape
from neurodeploy.passes.surgery import dissolve, duplicates_an_edge
from neurodeploy.shapes import infer_shapes


def _pools_nothing(pool: Pool, _: Shape) -> bool:
    return all(k == 1 for k in pool.kernel) and all(s == 1 for s in pool.stride) and not any(pool.padding)


def _flattens_nothing(flatten: Flatten, shape: Shape) -> bool:
    return flatten.start % len(shape) == flatten.end % len(shape)


#: Node type -> whether such a node, arriving values having this shape, leaves them as they are.
_IDENTITY: dict[type, Callable[[Any, Shape], bool]] = {
    Scale: lambda node, _: bool(np.all(node.factor == 1)),
    Flatten: _flattens_nothing,
    Pool: _pools_nothing,
    Delay: lambda node, _: not np.any(node.delay),
}


def drop_identity(graph: Graph) -> Graph:
    """Return the graph without nodes that change nothing; one that keeps two equal edges apart stays."""
    shapes = infer_shapes(graph)
    for name, node in graph.nodes.items():
        changes_nothing = _IDENTITY.get(type(node))
        sources = graph.sources(name)
        if changes_nothing is None or not sources or not changes_nothing(node, shapes[sources[0]]):
            continue
        if not duplicates_an_edge(graph, name):
            graph = dissolve(graph, name)
    return graph

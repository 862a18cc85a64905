"""``pool(x)[c] = sum_k x[c, k] * f``, ``f`` = 1 (sum) or 1 / window (average): pooling as a grouped convolution."""

from __future__ import annotations

import numpy as np

from neurodeploy.graph import Convolution, Graph, Node, Pool, frozen_array
from neurodeploy.passes.surgery import with_nodes
from neurodeploy.shapes import infer_shapes


def pool_to_convolution(graph: Graph, axes: int | None = None) -> Graph:
    """Return the graph with every sum and average pool as a convolution of one group per channel.

    Maximum pools are not linear and stay; with ``axes``, so do pools over another number of axes.
    """
    shapes = infer_shapes(graph)
    changed: dict[str, Node] = {}
    for name in graph.of_type(Pool):
        pool = graph.nodes[name]
        assert isinstance(pool, Pool)
        if pool.kind != "max" and axes in (None, len(pool.kernel)):
            changed[name] = _as_convolution(pool, channels=shapes[name][0])
    return with_nodes(graph, changed)


def _as_convolution(pool: Pool, channels: int) -> Convolution:
    factor = 1.0 if pool.kind == "sum" else 1.0 / float(np.prod(pool.kernel))
    return Convolution(
        weight=frozen_array(np.full((channels, 1, *pool.kernel), factor)),
        bias=None,
        stride=pool.stride,
        padding=tuple((before, before) for before in pool.padding),
        dilation=(1,) * len(pool.kernel),
        groups=channels,
    )

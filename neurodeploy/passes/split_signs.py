"""``W x + b  =  max(W, 0) x + b  +  min(W, 0) x``: a synapse of both signs becomes an excitatory and an inhibitory one.

Formats of few bits hold weights of one sign only: of one bit, Loihi's mixed mode keeps -256 and 0. Two groups of
synapses between the same populations, each in the mode of its sign, hold both.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from neurodeploy.graph import Convolution, Graph, Linear, Node, frozen_array
from neurodeploy.passes.surgery import fresh


def split_signs(graph: Graph) -> Graph:
    """Return the graph with each synapse of both signs in two, of which the excitatory one keeps the bias.

    A chip stores both: a note names what was split.
    """
    nodes: dict[str, Node] = {}
    halves: dict[str, tuple[str, ...]] = {}
    for name, node in graph.nodes.items():
        if not (isinstance(node, Linear | Convolution) and (node.weight > 0).any() and (node.weight < 0).any()):
            nodes[name], halves[name] = node, (name,)
            continue
        taken = {**graph.nodes, **nodes}
        halves[name] = fresh(f"{name}_excitatory", taken), fresh(f"{name}_inhibitory", taken)
        parts = frozen_array(np.maximum(node.weight, 0)), frozen_array(np.minimum(node.weight, 0))
        for half, weight, bias in zip(halves[name], parts, (node.bias, None), strict=True):
            nodes[half] = replace(node, weight=weight, bias=bias)
    split = [name for name, parts in halves.items() if len(parts) > 1]
    if not split:
        return graph

    def doubled(edges: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
        return tuple((a, b) for source, target in edges for a in halves[source] for b in halves[target])

    note = f"{', '.join(split)}: weights of both signs, each stored in two groups of synapses, one a sign"
    return replace(
        graph,
        nodes=nodes,
        edges=doubled(graph.edges),
        feedback=frozenset(doubled(tuple(graph.feedback))),
        notes=(*graph.notes, note),
    )

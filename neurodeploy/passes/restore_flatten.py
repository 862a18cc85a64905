"""``W x  =  W flatten(x)``: a lowered graph in which every Linear has a flat source again, as the simulation asks.

Lowering lets a Linear read the cells of a map in their order; every other reader of graphs keeps to NIR, where it reads
a vector.
"""

from __future__ import annotations

from dataclasses import replace

from neurodeploy.graph import Flatten, Graph, Input, Linear, Neuron
from neurodeploy.passes.surgery import fresh


def restore_flatten(graph: Graph) -> Graph:
    """Return a lowered graph with a Flatten before each Linear whose source has several axes."""
    nodes = dict(graph.nodes)
    edges: list[tuple[str, str]] = []
    feedback = set(graph.feedback)
    for source, target in graph.edges:
        part = graph.nodes[source]
        if not (isinstance(graph.nodes[target], Linear) and isinstance(part, Input | Neuron) and len(part.shape) > 1):
            edges.append((source, target))
            continue
        name = fresh(f"{target}_flatten", nodes)
        nodes[name] = Flatten(0, -1)
        edges += [(source, name), (name, target)]
        if (source, target) in feedback:
            feedback = (feedback - {(source, target)}) | {(source, name)}
    return replace(graph, nodes=nodes, edges=tuple(edges), feedback=frozenset(feedback))

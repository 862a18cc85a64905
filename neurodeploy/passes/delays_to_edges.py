"""``y(t) = x(t - dt)``: a Delay of one step becomes edges that carry the previous step's value, as a projection can.

A chip has its delay in the synapse. What was a Delay stays as a Scale by one, which fuses with the synapse behind it;
a path with and one without it keep apart.
"""

from __future__ import annotations

from dataclasses import replace

from neurodeploy.discrete import delay_steps
from neurodeploy.graph import Delay, Graph, Node, Scale, frozen_array


def delays_to_edges(graph: Graph) -> Graph:
    """Return the graph in which every Delay of just one step, of all its values, is the mark of the edges into it.

    Longer ones, and those beside an edge that is itself delayed, stay.
    """
    changed: dict[str, Node] = {}
    marked: set[tuple[str, str]] = set()
    for name in graph.of_type(Delay):
        node = graph.nodes[name]
        assert isinstance(node, Delay)
        late = any(name in edge for edge in graph.feedback)
        if not late and (delay_steps(node, graph.dt) == 1).all():
            changed[name] = Scale(frozen_array(1.0))
            marked |= {edge for edge in graph.edges if edge[1] == name}
    if not changed:
        return graph
    return replace(graph, nodes={**graph.nodes, **changed}, feedback=graph.feedback | marked)

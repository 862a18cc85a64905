"""``max_k s[k] = a [sum_k s[k] > a/2]`` for spikes of 0 and a: a maximum pool as a sum and a neuron that forgets."""

from __future__ import annotations

from dataclasses import replace

from neurodeploy.errors import Unsupported
from neurodeploy.graph import Flatten, Graph, Input, Neuron, Node, Pool, Shape, frozen_array
from neurodeploy.passes.surgery import fresh
from neurodeploy.semantics import Semantics
from neurodeploy.shapes import infer_shapes


def max_pool_to_or(graph: Graph) -> Graph:
    """Return the graph with every maximum pool over spikes as a sum pool and a population of OR neurons.

    An OR neuron keeps nothing from one step to the next and fires above half of a spike. In the graph it takes no
    time; on a chip it is one population and one hop more, which is noted.

    Raises
    ------
    Unsupported : the pool sees values other than single spikes, whose maximum no neuron computes.
    """
    shapes = infer_shapes(graph)
    for name in graph.of_type(Pool):
        pool = graph.nodes[name]
        assert isinstance(pool, Pool)
        if pool.kind == "max":
            graph = _replaced(graph, name, pool, shapes[name], _spike(graph, name))
    return graph


def _spike(graph: Graph, name: str) -> float:
    """Return what a spike that reaches the pool is worth."""
    sources = graph.sources(name)
    while len(sources) == 1 and isinstance(graph.nodes[sources[0]], Flatten):
        sources = graph.sources(sources[0])
    node = graph.nodes[sources[0]] if len(sources) == 1 else None
    if isinstance(node, Input):
        return 1.0
    if isinstance(node, Neuron) and node.spiking and node.semantics.fire != "floor-multi":
        return node.semantics.spike_scale
    raise Unsupported(
        name, f"takes the maximum of {', '.join(sources)}, which is not of single spikes", "put it behind a neuron"
    )


def _replaced(graph: Graph, name: str, pool: Pool, shape: Shape, spike: float) -> Graph:
    either = fresh(f"{name}_or", graph.nodes)
    neuron = Neuron(
        shape=shape,
        semantics=Semantics(reset="zero", spike_scale=spike),
        r=frozen_array(1.0),
        tau_mem=frozen_array(graph.dt),
        v_leak=frozen_array(0.0),
        threshold=frozen_array(spike / 2),
        v_reset=frozen_array(0.0),
    )
    nodes: dict[str, Node] = {}
    for key, node in graph.nodes.items():
        nodes[key] = replace(pool, kind="sum") if key == name else node
        if key == name:
            nodes[either] = neuron
    moved = {edge: (either, edge[1]) if edge[0] == name else edge for edge in graph.edges}
    return replace(
        graph,
        nodes=nodes,
        edges=(*moved.values(), (name, either)),
        feedback=frozenset(moved[edge] for edge in graph.feedback),
        notes=(*graph.notes, f"{name}: the maximum over spikes is an OR, one population and one step more on a chip"),
    )

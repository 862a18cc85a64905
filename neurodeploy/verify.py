"""What a Graph must satisfy before anything is computed from it: a table of small rules, each with its own message."""

from __future__ import annotations

import math
from collections.abc import Callable
from graphlib import CycleError, TopologicalSorter

from neurodeploy.discrete import delay_steps
from neurodeploy.errors import InputError
from neurodeploy.graph import Delay, Graph, Input, Neuron
from neurodeploy.shapes import infer_shapes
from neurodeploy.verify_node import MAX_VALUES, verify_node

#: Values that the history of one Delay may hold.
MAX_DELAY_VALUES = 1 << 28


def verify(graph: Graph) -> None:
    """Return if ``graph`` can be simulated, otherwise raise for the first rule it breaks.

    Raises
    ------
    InputError : names the node, the value found, the limit and a way on.
    """
    for rule in GRAPH_RULES:
        rule(graph)


def _edges_end_at_nodes(graph: Graph) -> None:
    if not graph.edges:
        raise InputError("edges", "the graph has no edges", "connect its nodes")
    seen = set()
    for edge in graph.edges:
        subject = " -> ".join(edge)
        for end in edge:
            if end not in graph.nodes:
                raise InputError(
                    subject, f"the edge names the node {end!r}, which does not exist", "add it, or cut the edge"
                )
        if edge in seen:
            raise InputError(subject, "duplicate edge", "name it once, for two would double the input")
        seen.add(edge)
    for edge in graph.feedback - seen:
        raise InputError(" -> ".join(edge), "is declared as feedback but is no edge", "correct the feedback")


def _has_ends(graph: Graph) -> None:
    for kind, names in (("Input", graph.inputs), ("Output", graph.outputs)):
        if not names:
            raise InputError("graph", f"has no {kind} node", f"add an {kind} node and connect it")
    sources, targets = {source for source, _ in graph.edges}, {target for _, target in graph.edges}
    for name in graph.inputs:
        if name in targets:
            raise InputError(name, "is an Input but an edge leads into it", "cut the edge")
    for name in graph.outputs:
        if name in sources:
            raise InputError(name, "is an Output but an edge leaves it", "start that edge at the node before")


def _outputs_are_reached(graph: Graph) -> None:
    following: dict[str, list[str]] = {name: [] for name in graph.nodes}
    for source, target in graph.edges:
        following[source].append(target)
    reached, waiting = set(graph.inputs), list(graph.inputs)
    while waiting:
        fresh = [name for name in following[waiting.pop()] if name not in reached]
        reached.update(fresh)
        waiting += fresh
    for name in graph.outputs:
        if name not in reached:
            raise InputError(name, "this Output is not connected to any Input", "add the missing edge")
    fed = {target for _, target in graph.edges}
    for name, node in graph.nodes.items():
        if name not in fed and not isinstance(node, Input):
            raise InputError(name, "no edge leads into this node", "connect it, or remove it")


def _loops_hold_a_neuron(graph: Graph) -> None:
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for source, target in graph.edges:
        if not isinstance(graph.nodes[source], Neuron) and not isinstance(graph.nodes[target], Neuron):
            sorter.add(target, source)
    try:
        sorter.prepare()
    except CycleError as error:
        cycle = " -> ".join(reversed(error.args[1]))
        raise InputError(
            cycle, "a cycle without a neuron: it has no order of evaluation", "put a neuron into it"
        ) from None
    graph.order()


def _time_step(graph: Graph) -> None:
    if not 0 < graph.dt < math.inf:
        raise InputError("dt", f"the step is {graph.dt} seconds", "give a finite duration above 0 (--dt)")


def _nodes(graph: Graph) -> None:
    for name, node in graph.nodes.items():
        verify_node(name, node, graph.dt)


def _sizes(graph: Graph) -> None:
    shapes = infer_shapes(graph)
    for name, shape in shapes.items():
        if math.prod(shape) > MAX_VALUES:
            raise InputError(
                name,
                f"its shape {list(shape)} has the size {math.prod(shape):,}",
                f"the limit is {MAX_VALUES:,} values",
            )
    for name in graph.of_type(Delay):
        node = graph.nodes[name]
        assert isinstance(node, Delay)
        if (int(delay_steps(node, graph.dt).max(initial=0)) + 1) * math.prod(shapes[name]) > MAX_DELAY_VALUES:
            raise InputError(
                name, "its delay keeps more values than the limit", f"{MAX_DELAY_VALUES:,}; shorten the delay"
            )


#: In this order: each rule may rely on the ones before.
GRAPH_RULES: tuple[Callable[[Graph], None], ...] = (
    _has_ends,
    _edges_end_at_nodes,
    _outputs_are_reached,
    _time_step,
    _nodes,
    _loops_hold_a_neuron,
    _sizes,
)

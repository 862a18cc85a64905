"""Replacing and removing nodes of a Graph, with the feedback flags of the edges carried along."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from neurodeploy.errors import Unsupported
from neurodeploy.graph import Graph, Node

Edge = tuple[str, str]


def with_nodes(graph: Graph, changed: Mapping[str, Node]) -> Graph:
    """Return the graph with these nodes in place of those of the same name."""
    assert changed.keys() <= graph.nodes.keys()
    return replace(graph, nodes={**graph.nodes, **changed})


def duplicates_an_edge(graph: Graph, name: str) -> bool:
    """Whether joining the sources of ``name`` to its targets would draw an edge twice, which a graph cannot hold."""
    existing = set(graph.edges)
    return any((source, target) in existing for source in graph.sources(name) for target in graph.targets(name))


def dissolve(graph: Graph, name: str) -> Graph:
    """Return the graph without this node, its sources joined to its targets.

    A new edge is a feedback edge when one of the two it replaces was.

    Raises
    ------
    Unsupported : both were, so that the path carried a delay of two steps, which one edge cannot.
    """
    kept, joined, feedback = [], [], set(graph.feedback)
    incoming = [edge for edge in graph.edges if edge[1] == name]
    for edge in graph.edges:
        if edge[0] == name:
            for source, _ in incoming:
                joined.append((source, edge[1]))
                delays = ((source, name) in graph.feedback) + (edge in graph.feedback)
                if delays == 2:
                    raise Unsupported(name, "lies between two feedback edges", "mark one of the two edges only")
                if delays:
                    feedback.add((source, edge[1]))
        elif edge[1] != name:
            kept.append(edge)
    edges = tuple(kept + joined)
    nodes = {key: node for key, node in graph.nodes.items() if key != name}
    return replace(graph, nodes=nodes, edges=edges, feedback=frozenset(feedback & set(edges)))


def fresh(name: str, taken: Mapping[str, object]) -> str:
    """Return ``name``, or ``name_2``, ``name_3``, ...: the first that is not taken."""
    candidate, count = name, 1
    while candidate in taken:
        count += 1
        candidate = f"{name}_{count}"
    return candidate

"""Which edges of a graph with loops carry the value of the step before.

NIR does not say. The rule here is that of the tools that write recurrent networks: a loop is delayed where it leaves
its last neuron, so that a weight in the loop sees the spikes of the step before and its bias acts from the first step.
Loops are found by depth-first search from the Inputs in the order of the file, so one file always reads the same way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from neurodeploy.graph import Input, Neuron, Node

Edge = tuple[str, str]

#: Passes that look for the last neuron of a loop; a graph that needs more is cut at its closing edges.
_PASSES = 6


def find_feedback(nodes: Mapping[str, Node], edges: tuple[Edge, ...]) -> frozenset[Edge]:
    """Return edges without which no loop is left; a loop without a neuron is cut at its closing edge.

    One search finds, for every edge that closes a loop, the last edge on that loop that leaves a neuron. Cutting it may
    leave another loop through the same closing edge, hence the passes.
    """
    feedback: set[Edge] = set()
    for attempt in range(_PASSES + 1):
        cuts = set(_cuts(nodes, [edge for edge in edges if edge not in feedback], closing=attempt == _PASSES))
        if not cuts:
            break
        feedback |= cuts
    return frozenset(feedback)


def _cuts(nodes: Mapping[str, Node], edges: list[Edge], *, closing: bool) -> Iterator[Edge]:
    """Yield where to cut each loop that a depth-first search closes: there, or behind the last neuron."""
    following: dict[str, list[str]] = {name: [] for name in nodes}
    for source, target in edges:
        following[source].append(target)
    roots = sorted(nodes, key=lambda name: not isinstance(nodes[name], Input))
    done: set[str] = set()
    for root in roots:
        if root in done:
            continue
        path, depth = [root], {root: 0}
        waiting = [iter(following[root])]
        while waiting:
            target = next(waiting[-1], "")
            if not target:
                waiting.pop()
                left = path.pop()
                del depth[left]
                done.add(left)
            elif target in depth:
                yield (path[-1], target) if closing else _cut(nodes, path, depth[target])
            elif target not in done:
                depth[target] = len(path)
                path.append(target)
                waiting.append(iter(following[target]))


def _cut(nodes: Mapping[str, Node], path: list[str], start: int) -> Edge:
    """Return the edge that leaves the last neuron of the loop ``path[start:]``, else the closing edge."""
    for place in range(len(path) - 1, start - 1, -1):
        if isinstance(nodes[path[place]], Neuron):
            return path[place], path[place + 1 if place + 1 < len(path) else start]
    return path[-1], path[start]

"""Who reaches whom, and when: the synapses of a lowered graph, latencies, and the delays that keep paths aligned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from neurodeploy.errors import Unsupported
from neurodeploy.graph import Convolution, Graph, Input, Linear, Neuron


@dataclass(frozen=True, eq=False)
class Synapse:
    """One weighted path of a lowered graph; ``lag`` is 1 where it closes a loop, else 0."""

    name: str
    source: str
    target: str
    node: Linear | Convolution
    lag: int


def synapses(graph: Graph) -> list[Synapse]:
    """Return the synapses of a graph that :func:`neurodeploy.passes.lower.lower` has lowered."""
    found = []
    for name, node in graph.nodes.items():
        if isinstance(node, Linear | Convolution):
            (source,) = graph.sources(name)
            for target in graph.targets(name):
                lag = int((source, name) in graph.feedback or (name, target) in graph.feedback)
                found.append(Synapse(name, source, target, node, lag))
    return found


def latencies(graph: Graph, paths: list[Synapse]) -> dict[str, int]:
    """Return how many chip steps each neuron node trails the input: its longest path, one step a synapse."""
    late = {name: 0 for name, node in graph.nodes.items() if isinstance(node, Input)}
    for name in graph.order():
        if isinstance(graph.nodes[name], Neuron):
            before = [late[path.source] + 1 for path in paths if path.target == name and path.lag == 0]
            late[name] = max(before, default=1)
    return late


def delay(path: Synapse, late: Mapping[str, int], maximum: int) -> int:
    """Return the delay in steps, beyond the one of every synapse, with which ``path`` arrives when the graph says.

    Raises
    ------
    Unsupported : the chip would be too late (a loop through several populations), or the delay exceeds ``maximum``.
    """
    extra = path.lag - 1 + late[path.target] - late[path.source]
    if extra < 0:
        raise Unsupported(
            f"loop from {path.source!r} to {path.target!r} through {path.name!r}",
            f"takes {path.lag - extra} steps on a chip, where every synapse takes one, and {path.lag} in the model",
            "close the loop within one population, or train with that many steps of delay",
        )
    if extra > maximum:
        raise Unsupported(
            f"path from {path.source!r} to {path.target!r} through {path.name!r}",
            f"needs a delay of {extra} steps to stay aligned, the chip has {maximum}",
            "shorten the longer branch",
        )
    return extra

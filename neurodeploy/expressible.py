"""What a chip's neurons and synapses can be, checked on a lowered graph before anything is rounded.

One small rule a concern; each names the node, what it asks for, and the choices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from neurodeploy.errors import Unsupported
from neurodeploy.graph import Convolution, Delay, Graph, Neuron, Output, Threshold
from neurodeploy.targets.chip import Chip

#: The choice that every refused reset leaves.
_NEAREST = "take the nearest one with --approximate-reset and see what it costs"

Rule = Callable[[str, Neuron, Chip], Iterator[tuple[str, str]]]


def _bursts(neuron: Neuron, chip: Chip) -> bool:
    """Return whether the neuron is one that sends several spikes at once and the chip has it."""
    semantics = neuron.semantics
    return semantics.fire == "floor-multi" and semantics.reset == "subtract" and "burst" in chip.formats.resets


def _fires(name: str, neuron: Neuron, chip: Chip) -> Iterator[tuple[str, str]]:  # noqa: ARG001
    if neuron.spiking and neuron.semantics.fire == "floor-multi" and not _bursts(neuron, chip):
        yield "sends several spikes in one step", f"train with at most one spike a step, or {_NEAREST}"


def _resets(name: str, neuron: Neuron, chip: Chip) -> Iterator[tuple[str, str]]:  # noqa: ARG001
    semantics = neuron.semantics
    if not neuron.spiking:
        return
    target = neuron.v_reset
    reset = "zero" if semantics.reset == "value" and (target is None or not np.any(target)) else semantics.reset
    if reset not in chip.formats.resets and not _bursts(neuron, chip):
        what = f"to {np.unique(np.asarray(target))[:3].tolist()}" if reset == "value" else reset
        yield (
            f"resets by {what!r}, {chip.name} offers {list(chip.formats.resets)}",
            f"train with one of these resets, or {_NEAREST}",
        )
    if semantics.reset_when != "same-step":
        yield (
            f"resets in {semantics.reset_when!r}, a chip resets in the step of the spike",
            f"train with reset_delay=False, or {_NEAREST}",
        )


def _starts(name: str, neuron: Neuron, chip: Chip) -> Iterator[tuple[str, str]]:  # noqa: ARG001
    start = {"zero": None, "v_reset": neuron.v_reset, "v_leak": neuron.v_leak}[neuron.semantics.v_init]
    if start is not None and np.any(start):
        yield f"starts at {neuron.semantics.v_init}, a chip starts at 0", "train with an initial membrane of 0"
    if neuron.semantics.v_min != "none" and not _bursts(neuron, chip):
        yield "bounds its membrane from below, which no chip register does", "train without the lower bound"


#: The rules, in the order in which they are reported.
RULES: tuple[Rule, ...] = (_fires, _resets, _starts)


def require_expressible(graph: Graph, chip: Chip) -> None:
    """Raise :class:`Unsupported` for the first node of a lowered graph that ``chip`` cannot express."""
    for name, node in graph.nodes.items():
        if isinstance(node, Threshold | Delay):
            kind = type(node).__name__
            raise Unsupported(
                name, f"{kind} has no counterpart in a population of {chip.name}", "replace it by a neuron"
            )
        if isinstance(node, Convolution):
            _paddable(name, node)
        if isinstance(node, Neuron):
            _unheard(graph, name, node)
            for rule in RULES:
                for problem, advice in rule(name, node, chip):
                    raise Unsupported(f"node {name!r}", problem, advice)


def _unheard(graph: Graph, name: str, node: Neuron) -> None:
    """Refuse a membrane that other neurons read: a population sends spikes, its membrane is read from outside."""
    readers = [target for target in graph.targets(name) if not isinstance(graph.nodes[target], Output)]
    if not node.spiking and readers:
        raise Unsupported(
            f"node {name!r}",
            f"is a {node.kind} without threshold, and {readers[0]!r} reads its membrane",
            "use neurons that fire before the last layer",
        )


def _paddable(name: str, node: Convolution) -> None:
    for (before, after), gap in zip(node.padding, node.dilation, strict=True):
        if (after - before) % gap:
            raise Unsupported(
                f"node {name!r}",
                f"pads {before} before and {after} after at dilation {gap}, a chip pads both ends alike",
                "use an odd kernel",
            )

"""``v -= theta  ~  v = 0``: give every neuron a reset that a chip offers, where its own is another one.

Unlike every other pass this one changes spikes. It is run only when asked for, and says so in a note for each
population; :mod:`neurodeploy.approximation` measures how much it changed.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from neurodeploy.graph import Graph, Neuron, Node, frozen_array
from neurodeploy.passes.surgery import with_nodes
from neurodeploy.semantics import Fire, Reset, VMin


def approximate_reset(graph: Graph, offered: Collection[str]) -> Graph:
    """Return the graph with every reset one of ``offered``, in the step of the spike.

    A reset by subtraction stays one where that is offered and only moves into the step of its spike; any other becomes
    a reset to zero. Neurons that send several spikes in a step send one where no ``burst`` is offered, and lose the
    lower bound of their membrane.
    """
    changed: dict[str, Node] = {}
    notes = []
    for name in graph.of_type(Neuron):
        neuron = graph.nodes[name]
        assert isinstance(neuron, Neuron)
        if neuron.spiking and not _offered(neuron, offered):
            nearest = _nearest(neuron, offered)
            changed[name] = nearest
            notes.append(f"{name}: approximated: {_words(neuron)} in the model, {_words(nearest)} on the chip")
    return replace(with_nodes(graph, changed), notes=(*graph.notes, *notes)) if changed else graph


def _nearest(neuron: Neuron, offered: Collection[str]) -> Neuron:
    subtracts = neuron.semantics.reset == "subtract"
    kind: Reset = "subtract" if subtracts and {"subtract", "burst"} & set(offered) else "zero"
    fire: Fire = neuron.semantics.fire
    lowest: VMin = neuron.semantics.v_min
    if fire == "floor-multi" and not (subtracts and "burst" in offered):
        fire, lowest = ">=", "none"
    semantics = replace(neuron.semantics, reset=kind, reset_when="same-step", fire=fire, v_min=lowest)
    return replace(neuron, semantics=semantics, v_reset=frozen_array(np.zeros(neuron.shape)))


def _words(neuron: Neuron) -> str:
    semantics = neuron.semantics
    several = ", several spikes in one step" if semantics.fire == "floor-multi" else ""
    return f"reset {semantics.reset!r} ({semantics.reset_when}){several}"


def _offered(neuron: Neuron, offered: Collection[str]) -> bool:
    semantics = neuron.semantics
    if semantics.reset_when != "same-step":
        return False
    if semantics.fire == "floor-multi":
        return semantics.reset == "subtract" and "burst" in offered
    to_zero = semantics.reset == "value" and (neuron.v_reset is None or not np.any(neuron.v_reset))
    return ("zero" if to_zero else semantics.reset) in offered

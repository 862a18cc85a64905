"""``v -= theta  ~  v = 0``: give every neuron a reset that a chip offers, where its own is another one.

Unlike every other pass this one changes spikes. It is run only when asked for, and says so in a note for each
population; :func:`neurodeploy.quantization.quantization` measures how much it changed.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from neurodeploy.graph import Graph, Neuron, Node, frozen_array
from neurodeploy.passes.surgery import with_nodes
from neurodeploy.semantics import Reset


def approximate_reset(graph: Graph, offered: Collection[str]) -> Graph:
    """Return the graph with every reset one of ``offered``, in the step of the spike.

    A reset by subtraction stays one where that is offered and only moves into the step of its spike; any other becomes
    a reset to zero.
    """
    changed: dict[str, Node] = {}
    notes = []
    for name in graph.of_type(Neuron):
        neuron = graph.nodes[name]
        assert isinstance(neuron, Neuron)
        if neuron.spiking and not _offered(neuron, offered):
            kind: Reset = "subtract" if neuron.semantics.reset == "subtract" and "subtract" in offered else "zero"
            semantics = replace(neuron.semantics, reset=kind, reset_when="same-step")
            changed[name] = replace(neuron, semantics=semantics, v_reset=frozen_array(np.zeros(neuron.shape)))
            notes.append(
                f"{name}: approximated: reset {neuron.semantics.reset!r} ({neuron.semantics.reset_when}) in the model, "
                f"{kind!r} (same-step) on the chip"
            )
    return replace(with_nodes(graph, changed), notes=(*graph.notes, *notes)) if changed else graph


def _offered(neuron: Neuron, offered: Collection[str]) -> bool:
    semantics = neuron.semantics
    to_zero = semantics.reset == "value" and (neuron.v_reset is None or not np.any(neuron.v_reset))
    return semantics.reset_when == "same-step" and ("zero" if to_zero else semantics.reset) in offered

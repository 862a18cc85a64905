"""``v' = alpha v + leak + bias + gain i``: a constant of every step, taken into the leak or into the synapse before.

A leaky membrane that is pulled towards ``v_leak`` gains ``(1 - alpha) v_leak`` in a step, so ``bias`` is a pull towards
``v_leak + bias / (1 - alpha)``. Without a leak the constant is an input of ``bias / gain``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from neurodeploy.discrete import constants
from neurodeploy.errors import Unsupported
from neurodeploy.graph import Graph, Linear, Neuron, frozen_array
from neurodeploy.passes.surgery import with_nodes


def membrane_bias(graph: Graph, biases: Mapping[str, npt.ArrayLike]) -> Graph:
    """Return the graph with a constant added to the membranes in every step.

    Parameters
    ----------
    biases : Neuron -> what its membrane gains in every step, broadcast to its shape.

    Raises
    ------
    Unsupported : a membrane that starts at ``v_leak`` and would start elsewhere, or one without a leak whose input
        comes from no Linear of its own.
    """
    for name, bias in biases.items():
        neuron = graph.nodes[name]
        assert isinstance(neuron, Neuron)
        values = np.asarray(bias, dtype=np.float64)
        put = _into_leak if neuron.tau_mem is not None else _into_synapse
        graph = put(graph, name, neuron, values)
    return graph


def _into_leak(graph: Graph, name: str, neuron: Neuron, bias: npt.NDArray[np.float64]) -> Graph:
    if neuron.semantics.v_init == "v_leak":
        raise Unsupported(name, "starts at v_leak, which a bias in its leak would move", "put the bias before it")
    lost = 1.0 - constants(neuron, graph.dt).alpha
    rest = np.zeros(()) if neuron.v_leak is None else np.asarray(neuron.v_leak, dtype=np.float64)
    return with_nodes(graph, {name: replace(neuron, v_leak=frozen_array(rest + bias / lost))})


def _into_synapse(graph: Graph, name: str, neuron: Neuron, bias: npt.NDArray[np.float64]) -> Graph:
    for source in graph.sources(name):
        node = graph.nodes[source]
        if isinstance(node, Linear) and graph.targets(source) == [name] and (source, name) not in graph.feedback:
            before = 0.0 if node.bias is None else np.asarray(node.bias, dtype=np.float64)
            added = np.broadcast_to(bias / constants(neuron, graph.dt).gain, neuron.shape)
            return with_nodes(graph, {source: replace(node, bias=frozen_array(before + added))})
    raise Unsupported(name, "has no leak and no Linear of its own before it that could hold a bias", "add one")

"""``(1 - a) v_leak + g (W x + b)  =  g (W x + b + (1 - a) v_leak / g)``: a leak level becomes a bias."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from neurodeploy.discrete import constants
from neurodeploy.graph import Convolution, Graph, Linear, Neuron, Node, Shape, frozen_array
from neurodeploy.passes.channels import Synapse, Vector, per_channel
from neurodeploy.passes.surgery import with_nodes


def absorb_leak(graph: Graph) -> Graph:
    """Return the graph with leak levels of 0 wherever the synapse before a neuron can carry them as its bias.

    That is where there is no synaptic current to filter a bias, the gain is not 0, and, before a convolution, the level
    is one a channel. Other neurons stay as they are.
    """
    for name in graph.of_type(Neuron):
        neuron = graph.nodes[name]
        assert isinstance(neuron, Neuron)
        if neuron.v_leak is None or not np.any(neuron.v_leak) or neuron.tau_syn is not None:
            continue
        if neuron.semantics.v_init == "v_leak":
            continue  # the level is also where the membrane starts
        changed = _carried(graph, name, neuron)
        if changed:
            level = frozen_array(np.zeros_like(neuron.v_leak))
            graph = with_nodes(graph, {**changed, name: replace(neuron, v_leak=level)})
    return graph


def _carried(graph: Graph, name: str, neuron: Neuron) -> dict[str, Node]:
    step = constants(neuron, graph.dt)
    if not np.all(step.gain):
        return {}
    offset = np.broadcast_to(np.asarray(step.leak / step.gain), neuron.shape)
    for source in graph.sources(name):
        node = graph.nodes[source]
        if isinstance(node, Linear | Convolution) and graph.targets(source) == [name]:
            rows = _rows(node, offset, neuron.shape)
            delayed = (source, name) in graph.feedback
            if rows is not None and not delayed:
                return {source: _with_bias(node, rows)}
    return {}


def _rows(node: Synapse, offset: Vector, shape: Shape) -> Vector | None:
    if isinstance(node, Convolution):
        return per_channel(offset, shape)
    return np.array(offset) if len(shape) == 1 else None


def _with_bias(node: Synapse, added: Vector) -> Synapse:
    bias = added if node.bias is None else np.asarray(node.bias, np.float64) + added
    return replace(node, bias=frozen_array(bias))

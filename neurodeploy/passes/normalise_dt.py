"""``dt -> 1, tau -> tau / dt, delay -> delay / dt``: time counted in steps, every step constant unchanged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from neurodeploy.graph import Array, Delay, Graph, Neuron, Node, frozen_array
from neurodeploy.passes.surgery import with_nodes


def normalise_dt(graph: Graph, dt: float = 1.0) -> Graph:
    """Return the same network with steps of ``dt`` seconds, so that graphs of different tools compare.

    The factors of a step depend on dt / tau alone; where a neuron without leak takes ``r * dt``, r is scaled against
    it.
    """
    factor = dt / graph.dt
    if factor == 1.0:
        return graph
    changed: dict[str, Node] = {}
    for name, node in graph.nodes.items():
        if isinstance(node, Neuron):
            changed[name] = _retimed(node, factor)
        elif isinstance(node, Delay):
            changed[name] = Delay(_scaled(node.delay, factor))
    return replace(with_nodes(graph, changed), dt=dt)


def _retimed(neuron: Neuron, factor: float) -> Neuron:
    per_time = neuron.tau_mem is None and (neuron.semantics.if_gain == "r*dt" or not neuron.spiking)
    return replace(
        neuron,
        tau_mem=None if neuron.tau_mem is None else _scaled(neuron.tau_mem, factor),
        tau_syn=None if neuron.tau_syn is None else _scaled(neuron.tau_syn, factor),
        r=_scaled(neuron.r, 1 / factor) if per_time else neuron.r,
    )


def _scaled(values: Array, factor: float) -> Array:
    return frozen_array(np.asarray(values, np.float64) * factor)

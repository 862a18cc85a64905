"""The float graph that an integer network is: every value exactly what its integer means in float units.

::

    weight = integer * 2^exponent / scale        theta = threshold / scale         bias = b * 2^x / (64 scale)
    tau_mem = 4096 dt / voltage_decay, r = tau_mem / dt        tau_syn = 4096 dt / current_decay, w_in = tau_syn / dt

so that one Euler step of the graph is one step of the network, but for the rounding of its 24-bit registers. Hops take
no step in a graph: delays that only align the paths of a network vanish. Sparse synapses become a full matrix.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from neurodeploy import graph as g
from neurodeploy.errors import Unsupported
from neurodeploy.fixedpoint import DECAY_ONE, STATE_SHIFT
from neurodeploy.network import Convolution, Network, Population, Projection, Sparse
from neurodeploy.neurons import Lif
from neurodeploy.semantics import Semantics
from neurodeploy.standin import beyond_nir, stand_ins

Floats = npt.NDArray[np.float64]

#: Key of the metadata that says which nodes only stand in for what NIR has no word for.
NEAREST = "neurodeploy_nearest"


def dequantize(network: Network, *, nearest: bool = False) -> g.Graph:
    """Return the float graph of ``network``.

    Parameters
    ----------
    nearest : put the nearest node where NIR has none for a population, and say so in the graph's notes and metadata.

    Raises
    ------
    Unsupported : a population that NIR has no node for, unless ``nearest``.
    """
    if nearest:
        network, notes = stand_ins(network)
        graph = dequantize(network)
        metadata = {NEAREST: "; ".join(notes)} if notes else {}
        return replace(graph, notes=notes, metadata=metadata)
    nodes: dict[str, g.Node] = {port.name: g.Input(port.shape) for port in network.ports}
    edges: list[tuple[str, str]] = []
    feedback: set[tuple[str, str]] = set()
    for population in network.populations:
        if reason := beyond_nir(population):
            raise Unsupported(population.name, reason, "NIR has no such node")
        bias, leak = _split_bias(network, population)
        for projection in network.into(population.name):
            nodes[projection.name] = _synapse(projection, population, bias)
            bias = None  # one of the paths into a population carries its bias
            first = _flattened(network, projection, nodes, edges)
            edges += [(first, projection.name), (projection.name, population.name)]
            if network.lag(projection):
                feedback.add((projection.name, population.name))
        nodes[population.name] = _neuron(population, network.dt, leak)
    for name in network.outputs:
        output = "output" if len(network.outputs) == 1 else f"output_{name}"
        nodes[output] = g.Output(network.by_name[name].shape)
        edges.append((name, output))
    return g.Graph(nodes, tuple(edges), network.dt, frozenset(feedback))


def _flattened(network: Network, projection: Projection, nodes: dict[str, g.Node], edges: list[tuple[str, str]]) -> str:
    """Return the node that feeds the synapse, a Flatten put before a dense one where its source has several axes."""
    shape = network.by_name[projection.source].shape
    if isinstance(projection.connection, Convolution) or len(shape) == 1:
        return projection.source
    name = f"{projection.name}_flatten"
    nodes[name] = g.Flatten(0, -1)
    edges.append((projection.source, name))
    return name


def _split_bias(network: Network, population: Population) -> tuple[Floats | None, Floats | None]:
    """Return the bias as one of a synapse and as one of the leak; at most one of them is not None."""
    lif = population.neuron
    assert isinstance(lif, Lif)
    if not lif.bias.any():
        return None, None
    bias = np.asarray(lif.bias * 2.0**lif.bias_exponent / (2**STATE_SHIFT * population.scale), dtype=np.float64)
    full = np.broadcast_to(bias, population.shape)
    unfiltered = (lif.current_decay == DECAY_ONE).all()
    paths = network.into(population.name)
    if unfiltered and paths:
        if not isinstance(paths[0].connection, Convolution):
            return full.ravel(), None
        per_channel = full.reshape(population.shape[0], -1)
        if (per_channel == per_channel[:, :1]).all():
            return per_channel[:, 0], None
    if not lif.voltage_decay.all():
        raise Unsupported(population.name, "has a bias that no synapse carries and no leak to carry it")
    return None, full * DECAY_ONE / np.broadcast_to(lif.voltage_decay, population.shape)


def _synapse(projection: Projection, population: Population, bias: Floats | None) -> g.Linear | g.Convolution:
    connection = projection.connection
    exponent, scale = 2.0**projection.weight_exponent, population.scale
    if not isinstance(connection, Convolution):
        weight = connection.to_dense() if isinstance(connection, Sparse) else connection.weight
        return g.Linear(weight * exponent / scale, bias)
    kernel = connection.weight * exponent / scale
    (py, px) = connection.padding
    return g.Convolution(kernel, bias, connection.stride, ((py, py), (px, px)), connection.dilation, connection.groups)


def _neuron(population: Population, dt: float, v_leak: Floats | None) -> g.Neuron:
    lif, shape = population.neuron, population.shape
    assert isinstance(lif, Lif)
    if not lif.current_decay.all():
        raise Unsupported(population.name, "has a current that never decays, NIR has no such synapse", "keep the .net")
    synaptic = (lif.current_decay != DECAY_ONE).any()
    tau_syn = DECAY_ONE * dt / np.broadcast_to(lif.current_decay, shape) if synaptic else None
    leaks = lif.voltage_decay.any()
    if leaks and not lif.voltage_decay.all():
        raise Unsupported(
            population.name, "has neurons with and without leak, a NIR node has one kind", "keep the .net"
        )
    tau_mem = DECAY_ONE * dt / np.broadcast_to(lif.voltage_decay, shape) if leaks else None
    without_leak = 1.0 if lif.spiking else 1 / dt  # NIR's integrator I multiplies its input by dt
    return g.Neuron(
        shape=shape,
        semantics=_semantics(lif),
        r=np.full(shape, without_leak) if tau_mem is None else tau_mem / dt,
        tau_mem=tau_mem,
        tau_syn=tau_syn,
        w_in=None if tau_syn is None else tau_syn / dt,
        v_leak=None if tau_mem is None else (np.zeros(shape) if v_leak is None else v_leak),
        threshold=np.broadcast_to(lif.threshold / population.scale, shape) if lif.spiking else None,
        v_reset=np.zeros(shape) if lif.spiking else None,
    )


def _semantics(lif: Lif) -> Semantics:
    if not lif.bursts:
        return Semantics(reset="subtract" if lif.reset == "subtract" else "zero")
    return Semantics(reset="subtract", fire="floor-multi", v_min="none" if lif.lowest is None else "-threshold")

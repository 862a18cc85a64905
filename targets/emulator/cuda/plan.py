"""A network prepared for layer-wise execution: groups in running order, and weights as signed 8-bit digits.

A population runs all its steps at once when nothing it sends comes back to it. Populations on a common loop form a
group that runs block by block: in the order of its members, only projections that point backward wait for an earlier
block, so a block is as long as the shortest lag among them; 1 in most networks.

Cells of a (C, H, W) part are laid out channel-last, as in :mod:`neurodeploy.targets.emulator.program`.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from neurodeploy.fixedpoint import DECAY_ONE, INPUT_LIMIT, STATE_LIMIT, STATE_SHIFT
from neurodeploy.network import (
    Connection,
    Convolution,
    Network,
    Population,
    Port,
    Projection,
    Shape,
    Sparse,
    largest_sum,
)
from neurodeploy.neurons import Lif

Int8 = npt.NDArray[np.int8]
Int64 = npt.NDArray[np.int64]

#: Groups of a convolution are merged until each has so many output channels: a matrix tile has no fewer columns.
_TILE = 16

_PLANS: weakref.WeakKeyDictionary[Network, Plan] = weakref.WeakKeyDictionary()


@dataclass(frozen=True)
class Geometry:
    """A convolution's extents; ``channels`` and ``outs`` are those of one group. A dense matrix is one of 1 x 1."""

    channels: int
    height: int
    width: int
    outs: int
    out_height: int
    out_width: int
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1

    @property
    def dense(self) -> bool:
        """Whether it is one matrix between two flat parts."""
        return (self.height, self.width, self.kernel, self.groups, self.padding) == (1, 1, (1, 1), 1, (0, 0))

    @property
    def fan_in(self) -> int:
        """How many weights reach one neuron, those outside the source included."""
        return self.channels * self.kernel[0] * self.kernel[1]


@dataclass(frozen=True, eq=False)
class Synapse:
    """A projection as matrix products.

    Attributes
    ----------
    lag : steps of input time after which it acts.
    digits : int8 [digits, groups, outs, fan-in], the weights as ``sum digits[i] * 256^i``; the fan-in runs over kernel
        row, kernel column, channel.
    exponent : the sum of the digits' products is shifted by this, to the right where negative (floor).
    bound : the largest |sum| of spikes of payload 1, so shifted.
    """

    source: str
    lag: int
    geometry: Geometry
    digits: Int8
    exponent: int
    bound: int


@dataclass(frozen=True, eq=False)
class Layer:
    """A population: what reaches it, and its neurons' parameters in state units.

    Attributes
    ----------
    shift : from what the synapses' sums add up to, to state units.
    threshold, keep_current, keep_voltage, bias : int64 [1], or [size] in channel-last order.
    """

    population: Population
    synapses: tuple[Synapse, ...]
    shift: int
    threshold: Int64
    keep_current: Int64
    keep_voltage: Int64
    bias: Int64

    def bound(self, payloads: Mapping[str, int]) -> int:
        """Return the largest |sum| of its synapses, where ``payloads`` names what ports may send (1 otherwise)."""
        return sum(synapse.bound * payloads.get(synapse.source, 1) for synapse in self.synapses)

    def wide(self, payloads: Mapping[str, int]) -> bool:
        """Return whether 32 bits could overflow: a current that one wrap does not bring back into range may grow."""
        return self.bound(payloads) << self.shift > 2 * STATE_LIMIT


@dataclass(frozen=True, eq=False)
class Group:
    """Populations that run together, in order; ``block`` steps at a time, or 0 for all steps at once."""

    layers: tuple[Layer, ...]
    block: int

    @property
    def names(self) -> frozenset[str]:
        """The names of its populations."""
        return frozenset(layer.population.name for layer in self.layers)


@dataclass(frozen=True, eq=False)
class Plan:
    """A network's groups in running order.

    Attributes
    ----------
    history : part -> how many earlier steps of it are still needed.
    exact_payload : the largest spike payload of a port at which every sum fits its 32-bit register.
    """

    ports: tuple[Port, ...]
    groups: tuple[Group, ...]
    history: Mapping[str, int]
    exact_payload: int

    @property
    def layers(self) -> tuple[Layer, ...]:
        """All populations in running order."""
        return tuple(layer for group in self.groups for layer in group.layers)


def planned(network: Network) -> Plan:
    """Return the plan of a network, made once as long as the network lives."""
    if network not in _PLANS:
        _PLANS[network] = make_plan(network)
    return _PLANS[network]


def make_plan(network: Network) -> Plan:
    """Return the plan of a network."""
    layers = {population.name: _layer(network, population) for population in network.populations}
    groups = tuple(_group([layers[name] for name in names], network) for names in _components(network))
    parts: list[Port | Population] = [*network.ports, *network.populations]
    history = {part.name: max((network.lag(p) for p in network.out_of(part.name)), default=0) for part in parts}
    return Plan(network.ports, groups, history, _exact_payload(network))


def _exact_payload(network: Network) -> int:
    """Return what ports may send at most, where all populations send 1."""
    ports = {port.name for port in network.ports}
    allowed = [INPUT_LIMIT]
    for population in network.populations:
        sums = [(p.source in ports, _register(p)) for p in network.into(population.name)]
        from_ports = sum(largest for given, largest in sums if given)
        allowed.append((INPUT_LIMIT - sum(largest for given, largest in sums if not given)) // max(from_ports, 1))
    return min(allowed)


def _register(projection: Projection) -> int:
    """Return the largest |sum| that spikes of payload 1 make while it is formed, before a right shift."""
    return largest_sum(projection.connection) << max(projection.weight_exponent, 0)


def _components(network: Network) -> list[list[str]]:
    """Return the strongly connected components, sources first, each in the network's running order."""
    names = [population.name for population in network.order]
    index = {name: i for i, name in enumerate(names)}
    ends = [(index[p.source], index[p.target]) for p in network.projections if p.source in index]
    sources, targets = ([end[side] for end in ends] for side in (0, 1))
    size = len(names)
    graph = coo_array((np.ones(len(ends), dtype=np.int8), (sources, targets)), shape=(size, size))
    _, labels = connected_components(graph, connection="strong")
    sorter: TopologicalSorter[int] = TopologicalSorter({int(label): set() for label in labels})
    for source, target in ends:
        if labels[source] != labels[target]:
            sorter.add(int(labels[target]), int(labels[source]))
    return [[name for name in names if labels[index[name]] == label] for label in sorter.static_order()]


def _group(layers: list[Layer], network: Network) -> Group:
    place = {layer.population.name: i for i, layer in enumerate(layers)}
    backward = [
        network.lag(p)
        for p in network.projections
        if p.source in place and p.target in place and place[p.source] >= place[p.target]
    ]
    return Group(tuple(layers), min(backward, default=0))


def _layer(network: Network, population: Population) -> Layer:
    lif = population.neuron
    assert isinstance(lif, Lif)  # run.require_plain has made sure
    exponent, bias = lif.bias_exponent, lif.bias.astype(np.int64)
    synapses = [_synapse(network, projection) for projection in network.into(population.name)]
    lowest = min((synapse.exponent for synapse in synapses), default=0)
    shared = max(lowest, 0)
    return Layer(
        population=population,
        synapses=tuple(_less(synapse, shared) for synapse in synapses),
        shift=STATE_SHIFT + shared,
        threshold=_per_cell(lif.threshold.astype(np.int64) << STATE_SHIFT, population),
        keep_current=_per_cell(DECAY_ONE - lif.current_decay.astype(np.int64), population),
        keep_voltage=_per_cell(DECAY_ONE - lif.voltage_decay.astype(np.int64), population),
        bias=_per_cell(bias << exponent if exponent >= 0 else bias >> -exponent, population),
    )


def _per_cell(values: Int64, population: Population) -> Int64:
    if values.size == 1:
        return values.reshape(1)
    return channel_last(np.broadcast_to(values, population.shape).reshape(-1), population.shape)


def channel_last(values: npt.NDArray[Any], shape: Shape) -> npt.NDArray[Any]:
    """Return an array whose last axis runs over a part's cells, moved from torch to channel-last order."""
    if len(shape) != 3:
        return values
    split = values.reshape(*values.shape[:-1], *shape)
    return np.ascontiguousarray(np.moveaxis(split, -3, -1)).reshape(values.shape)


def _less(synapse: Synapse, shared: int) -> Synapse:
    exponent = synapse.exponent - shared
    bound = synapse.bound >> shared
    return Synapse(synapse.source, synapse.lag, synapse.geometry, synapse.digits, exponent, bound)


def _synapse(network: Network, projection: Projection) -> Synapse:
    """Return the projection with the factors of two that all its weights share moved into its exponent."""
    source, target = (network.by_name[name].shape for name in (projection.source, projection.target))
    weight, geometry = _matrix(projection.connection, source, target)
    odd = int(np.bitwise_or.reduce(np.abs(weight), axis=None))
    zeros = (odd & -odd).bit_length() - 1 if odd else 0
    exponent = projection.weight_exponent + zeros
    largest = int(np.abs(weight).sum(axis=-1).max(initial=0)) >> zeros
    # The floor of a negative sum may lie one further from zero.
    bound = largest << exponent if exponent >= 0 else (largest >> -exponent) + 1
    return Synapse(projection.source, network.lag(projection), geometry, digits(weight >> zeros), exponent, bound)


def _matrix(connection: Connection, source: Shape, target: Shape) -> tuple[Int64, Geometry]:
    """Return int64 weights [groups, outs, fan-in] and the geometry that says what they meet."""
    assert not isinstance(connection, Sparse)
    weight = connection.weight.astype(np.int64)
    if not isinstance(connection, Convolution):
        weight = channel_last(channel_last(weight, source).T, target).T
        return weight[None], Geometry(weight.shape[1], 1, 1, weight.shape[0], 1, 1)
    groups, (outs, per_group) = connection.groups, weight.shape[:2]
    merged = _merged(groups, outs // groups)
    by_group = weight.reshape(groups // merged, merged, outs // groups, per_group, *weight.shape[2:])
    block = np.zeros((groups // merged, merged, outs // groups, *weight.shape[2:], merged, per_group), dtype=np.int64)
    for i in range(merged):
        block[:, i, ..., i, :] = np.moveaxis(by_group[:, i], 2, -1)
    geometry = Geometry(
        merged * per_group,
        source[1],
        source[2],
        merged * (outs // groups),
        target[1],
        target[2],
        (weight.shape[2], weight.shape[3]),
        connection.stride,
        connection.padding,
        connection.dilation,
        groups // merged,
    )
    return block.reshape(groups // merged, geometry.outs, geometry.fan_in), geometry


def _merged(groups: int, outs: int) -> int:
    """Return how many groups to compute as one, with zeros between them, so that its outputs fill a matrix tile."""
    return next(m for m in range(1, groups + 1) if groups % m == 0 and (m * outs >= _TILE or m == groups))


def digits(values: Int64) -> Int8:
    """Return int8 [digits, *shape], at least one, with ``sum digits[i] * 256^i`` the values."""
    rest, found = values, list[Int8]()
    while not found or rest.any():
        low = ((rest + 128) & 255) - 128
        found.append(low.astype(np.int8))
        rest = (rest - low) >> 8
    return np.stack(found)


def digits_of(largest: int) -> int:
    """Return how many digits integers of at most this magnitude need."""
    return next(n for n in range(1, 6) if largest <= math.floor(127 * (256**n - 1) / 255))

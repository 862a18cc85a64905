"""A network prepared for layer-wise execution: its populations in groups, in running order.

A population runs all its steps at once when nothing it sends comes back to it. Populations on a common loop form a
group that runs block by block: in the order of its members, only projections that point backward wait for an earlier
block, so a block is as long as the shortest lag among them; 1 in most networks.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from dataclasses import dataclass, replace
from graphlib import TopologicalSorter

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from neurodeploy.fixedpoint import INPUT_LIMIT, STATE_LIMIT
from neurodeploy.network import Network, Population, Port, Projection, largest_sum
from neurodeploy.neurons import input_shift
from neurodeploy.targets.emulator.cuda.models import Model, model_of
from neurodeploy.targets.emulator.cuda.weights import Synapse, synapse

_PLANS: weakref.WeakKeyDictionary[Network, Plan] = weakref.WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class Layer:
    """A population and what reaches it.

    Attributes
    ----------
    shift : from what the synapses' sums add up to, to state units.
    phase : before which step of the network's reset interval its state is cleared, or -1.
    """

    population: Population
    model: Model
    synapses: tuple[Synapse, ...]
    shift: int
    phase: int

    def bound(self, payloads: Mapping[str, int]) -> int:
        """Return the largest |sum| of its synapses, where ``payloads`` names what sources may send (1 otherwise)."""
        return sum(one.bound * payloads.get(one.source, 1) for one in self.synapses)

    def wide(self, payloads: Mapping[str, int]) -> bool:
        """Return whether 32 bits could overflow: a current that one wrap does not bring back into range may grow."""
        return not self.model.plain or self.bound(payloads) << self.shift > 2 * STATE_LIMIT


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
    readouts : the populations whose v is recorded unasked.
    interval : of the network's scheduled resets, 0 for none.
    loud : the populations that send integers of any size and are heard by another.
    exact_payload : the largest payload of ports and loud populations at which every sum fits its 32-bit register.
    """

    ports: tuple[Port, ...]
    groups: tuple[Group, ...]
    history: Mapping[str, int]
    readouts: tuple[str, ...]
    interval: int
    loud: frozenset[str]
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
    heard = {p.source for p in network.projections}
    loud = frozenset(name for name, layer in layers.items() if layer.model.loud and name in heard)
    return Plan(
        network.ports, groups, history, network.readouts, network.reset_interval, loud, _exact_payload(network, loud)
    )


def _exact_payload(network: Network, loud: frozenset[str]) -> int:
    """Return what ports and loud populations may send at most, where all others send 1."""
    free = loud | {port.name for port in network.ports}
    allowed = [INPUT_LIMIT]
    for population in network.populations:
        sums = [(p.source in free, _register(p)) for p in network.into(population.name)]
        from_free = sum(largest for given, largest in sums if given)
        allowed.append((INPUT_LIMIT - sum(largest for given, largest in sums if not given)) // max(from_free, 1))
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
    synapses = [synapse(network, projection) for projection in network.into(population.name)]
    shared = max(min((one.exponent for one in synapses), default=0), 0)
    return Layer(
        population=population,
        model=model_of(population),
        synapses=tuple(replace(one, exponent=one.exponent - shared, bound=one.bound >> shared) for one in synapses),
        shift=input_shift(population.neuron) + shared,
        phase=network.reset_phases[population.name],
    )

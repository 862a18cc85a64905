"""What a core uses of each limit of the chip, for one core or for the worst of all tiles of a cut."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from neurodeploy.fans import Fan, fan_of
from neurodeploy.memory import stored
from neurodeploy.network import Convolution, Network, Population, Projection, Shape, Sparse
from neurodeploy.rows import power_of_two
from neurodeploy.targets.chip import Chip
from neurodeploy.tiling import Counts, Order, Range, Spans, Tiling

Use = dict[str, int]

#: What of the other cuts a population's own depends on: its targets' cuts, and the cells of padded sources.
Surroundings = tuple[tuple[Tiling | None, ...], tuple[int, ...]]

#: Limits of which the vendor's compiler counts more than is known: only for these is a margin left.
_WITH_MARGIN = ("in_axons", "out_slots")


def allowed_by_kind(chip: Chip, margin: float) -> tuple[Use, ...]:
    """Return the limits by name of each kind of core; those of axons and memory less the margin, a share of 0 to 1."""
    share = 1 - margin
    limits = {name: math.floor(limit * share) if name in _WITH_MARGIN else limit for name, limit in chip.limits.items()}
    return tuple(
        limits | {f"{pool}_words": math.floor(words * share) for pool, words in kind.words.items()}
        for kind in chip.kinds
    )


def allowed_use(chip: Chip, margin: float) -> Use:
    """Return the limits of a core by name; where cores differ, of each the largest there is."""
    kinds = allowed_by_kind(chip, margin)
    return {name: max(allowed[name] for allowed in kinds) for name in kinds[0]}


def exceeded(use: Mapping[str, int], allowed: Mapping[str, int]) -> list[str]:
    """Return the names of the limits that the use exceeds."""
    return [name for name, limit in allowed.items() if use[name] > limit]


def excess(use: Mapping[str, int], allowed: Mapping[str, int]) -> float:
    """Return how far the use exceeds what is allowed, the shares of all limits exceeded together; 0 where none is."""
    return sum(use[name] / max(allowed[name], 1) for name in exceeded(use, allowed))


def least_excess(use: Mapping[str, int], kinds: Sequence[Use]) -> list[str]:
    """Return the limits exceeded on the kind of core that comes nearest; none where some kind has room."""
    return exceeded(use, min(kinds, key=lambda allowed: excess(use, allowed)))


def is_grid(network: Network, population: Population) -> bool:
    """Return whether a population is cut along (C, H, W): it has these axes and a convolution at either side."""
    beside = (*network.into(population.name), *network.out_of(population.name))
    return len(population.shape) == 3 and any(isinstance(p.connection, Convolution) for p in beside)


def extents_of(network: Network, population: Population) -> Shape:
    """Return the axes along which a population is cut."""
    return population.shape if is_grid(network, population) else (population.size,)


@dataclass
class Occupancy:
    """Answers what tiles use, given the cuts of the other populations known so far.

    Attributes
    ----------
    orders : flat population -> the order in which its neurons are cut; as they are where none is given.
    tilings : population -> its cut; a population without one counts as not yet placed.
    """

    network: Network
    chip: Chip
    orders: Mapping[str, Order] = field(default_factory=dict)
    tilings: dict[str, Tiling] = field(default_factory=dict)
    _fans: dict[tuple[str, Tiling], Fan] = field(default_factory=dict)
    _running: dict[tuple[str, Tiling], list[list[int]]] = field(default_factory=dict)
    _ordered: dict[str, Projection] = field(default_factory=dict)
    _groups: dict[str, Counts] = field(default_factory=dict)

    def use(self, population: Population, spans: Spans, neurons: int) -> Use:
        """Return the use of each limit by a core with ``neurons`` neurons of the population.

        Several ranges per axis in ``spans`` stand for any of them, and the answer bounds all.
        """
        found = {"neurons": neurons, "in_axons": 0, "words_per_axon": 0}
        words = {"neuron": MAPS[self.chip.maps](spans, neurons) * self.chip.neuron_words, "synapse": 0, "axon_in": 0}
        words["bias"] = _largest(spans[0]) if np.any(population.neuron.bias) else 0
        for projection in self.network.into(population.name):
            need = stored(
                self.chip,
                self._in_order(projection),
                self.network.by_name[projection.source].shape,
                population.shape,
                spans,
                padded=self._padded(projection.source),
                neurons=neurons,
            )
            found["in_axons"] += need.sources
            found["words_per_axon"] = max(found["words_per_axon"], need.longest)
            words["synapse"] += need.words
            words["axon_in"] += need.axon_in
        words["axon_map"] = self._axon_map(population, spans, neurons)
        found["out_slots"] = self._out_slots(population, spans)
        found["neuron_groups"] = self._neuron_groups(population, spans)
        found["targets"] = len({projection.target for projection in self.network.out_of(population.name)})
        pools = {f"{pool.name}_words": sum(words[use] for use in pool.uses) for pool in self.chip.pools}
        return {name: found[name] for name in self.chip.limits} | pools

    def surroundings(self, population: Population) -> Surroundings:
        """Return what of the cuts known so far the use of a population's tiles depends on, to be compared."""
        targets = (self.tilings.get(p.target) for p in self.network.out_of(population.name))
        padding = (p for p in self.network.into(population.name) if self.chip.encodings[_kind(p)].pads_source)
        return tuple(targets), tuple(self._padded(projection.source) for projection in padding)

    def _in_order(self, projection: Projection) -> Projection:
        """Return a sparse projection with its targets named by their places."""
        order, connection = self.orders.get(projection.target), projection.connection
        if order is None or not isinstance(connection, Sparse):
            return projection
        if projection.name not in self._ordered:
            self._ordered[projection.name] = replace(projection, connection=_in_places(connection, order))
        return self._ordered[projection.name]

    def fan(self, projection: Projection, target: Tiling) -> Fan:
        """Return the reach of a projection into a target cut like this."""
        key = (projection.name, target)
        if key not in self._fans:
            self._fans[key] = fan_of(projection, self.network.by_name[projection.source].shape, target)
        return self._fans[key]

    def _padded(self, source: str) -> int:
        part = self.network.by_name[source]
        tiling = self.tilings.get(source)
        if tiling is None or len(tiling.extents) == 1:
            return math.prod(part.shape)
        return tiling.padded

    def _axon_map(self, population: Population, spans: Spans, neurons: int) -> int:
        """Return the words of a core's output routes; an output's lead to the host as a dense layer's do."""
        kinds = [_kind(projection) for projection in self.network.out_of(population.name)]
        if population.name in self.network.outputs:
            kinds.append("dense")
        positions = math.prod(_largest(ranges) for ranges in spans[1:]) if len(spans) > 1 else neurons
        encodings = [self.chip.encodings[kind] for kind in kinds]
        return sum(math.ceil(e.axon_map_per_neuron * neurons + e.axon_map_per_position * positions) for e in encodings)

    def _out_slots(self, population: Population, spans: Spans) -> int:
        extents = extents_of(self.network, population)
        slots = 0
        for projection in self.network.out_of(population.name):
            target = self.tilings.get(projection.target)
            if target is not None:
                running = self._running_destinations(projection, target, extents)
                reached = math.prod(
                    max(sums[stop] - sums[start] for start, stop in ranges)
                    for sums, ranges in zip(running, spans, strict=True)
                )
                slots += reached * self.chip.encodings[_kind(projection)].out_slots_per_axon
        return slots

    def _running_destinations(self, projection: Projection, target: Tiling, extents: Shape) -> list[list[int]]:
        """Return per source axis the running sum of the destinations' factor, from 0 on."""
        key = (projection.name, target)
        if key not in self._running:
            vectors = self.fan(projection, target).destinations_by_axis(extents)
            order = self.orders.get(projection.source)
            vectors = vectors if order is None else [vectors[0][order.neurons]]
            self._running[key] = [[0, *np.cumsum(vector).tolist()] for vector in vectors]
        return self._running[key]

    def slots_for(self, population: Population, tiling: Tiling) -> int:
        """Return the output slots that all sources spend on reaching a population cut like this."""
        slots = 0
        for projection in self.network.into(population.name):
            if not any(port.name == projection.source for port in self.network.ports):
                shape = self.network.by_name[projection.source].shape
                vectors = fan_of(projection, shape, tiling).destinations_by_axis(shape)
                reached = math.prod(int(vector.sum()) for vector in vectors)
                slots += reached * self.chip.encodings[_kind(projection)].out_slots_per_axon
        return slots

    def _neuron_groups(self, population: Population, spans: Spans) -> int:
        """Return the most different parameter sets any of the boxes holds; 0 where the chip does not limit them."""
        if "neuron_groups" not in self.chip.limits:
            return 0
        if population.name not in self._groups:
            found, order = _parameter_sets(self.network, population), self.orders.get(population.name)
            self._groups[population.name] = found if order is None or found.size == 1 else found[order.neurons]
        sets = self._groups[population.name]
        most, limit = int(sets.max()) + 1, self.chip.limits["neuron_groups"]
        if most <= limit:
            return most
        axes = [ranges if sets.shape[i] > 1 else ((0, 1),) for i, ranges in enumerate(spans)]
        return max(len(np.unique(sets[tuple(slice(*span) for span in box)])) for box in _product(axes))


def _in_places(connection: Sparse, order: Order) -> Sparse:
    """Return the connection whose targets are numbered by their places in an order."""
    rows = order.places[connection.rows]
    along = np.argsort(rows, kind="stable")
    counts = np.bincount(rows, minlength=connection.shape[0])
    indptr = np.concatenate([[0], np.cumsum(counts)])
    return Sparse(indptr, connection.indices[along], connection.data[along], connection.shape)


def _largest(ranges: Sequence[Range]) -> int:
    return max(stop - start for start, stop in ranges)


def _power_of_two_map(spans: Spans, _neurons: int) -> int:
    """Return the words of maps whose rows and columns are each rounded up to a power of two."""
    channels, *sides = (_largest(ranges) for ranges in spans)
    return channels * math.prod(power_of_two(side) for side in sides)


#: Name in a chip file -> for how many neurons a core that holds a box sets words aside.
MAPS: dict[str, Callable[[Spans, int], int]] = {
    "cells": lambda _spans, neurons: neurons,
    "power-of-two": _power_of_two_map,
}


def _product(axes: list[tuple[tuple[int, int], ...]]) -> list[tuple[tuple[int, int], ...]]:
    boxes: list[tuple[tuple[int, int], ...]] = [()]
    for ranges in axes:
        boxes = [(*box, span) for box in boxes for span in ranges]
    return boxes


def _kind(projection: Projection) -> str:
    return "convolution" if isinstance(projection.connection, Convolution) else "dense"


def _parameter_sets(network: Network, population: Population) -> Counts:
    """Return which set of parameters, all but the bias, each neuron has, from 0; axes without variation are 1 long."""
    parts = np.broadcast_arrays(*(values for name, values in population.neuron.arrays.items() if name != "bias"))
    shape = (1,) * (len(population.shape) - parts[0].ndim) + parts[0].shape
    _, sets = np.unique(np.stack([part.reshape(-1) for part in parts]), axis=1, return_inverse=True)
    sets = sets.astype(np.int64).reshape(shape)
    if is_grid(network, population):
        return sets
    return np.broadcast_to(sets, population.shape).reshape(-1) if sets.size > 1 else sets.reshape(-1)

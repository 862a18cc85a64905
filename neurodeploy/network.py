"""The integer network: what a chip executes, population by population, spike by spike.

Time. Every projection takes one step plus its ``delay``, as on the chip. A population's ``latency`` says how many chip
steps its answer trails the input; in input time, where every recording is kept, a projection therefore acts after
``1 + delay + latency(source) - latency(target)`` steps: 0 along a feed-forward path, 1 around a loop. A population
starts each sample with its state cleared when the sample's first step reaches it (on a chip, and in Lava, by a reset
interval of that phase). A network read from a chip's own file has all latencies 0: its recordings are in chip time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import Any

import numpy as np

from neurodeploy.errors import InputError
from neurodeploy.fixedpoint import IntArray
from neurodeploy.neurons import Neuron, integers

Shape = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Dense:
    """All sources reach all targets; weight int32 [out, in], both sides flattened in (C, H, W) order."""

    weight: IntArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", integers(self.weight, np.int32, f"{type(self).__name__} weight"))


@dataclass(frozen=True, eq=False)
class Convolution:
    """Cross-correlation of a (C, H, W) source; weight int32 [out, in / groups, kernel_h, kernel_w], pairs (H, W)."""

    weight: IntArray
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", integers(self.weight, np.int32, f"{type(self).__name__} weight"))

    def output_shape(self, source: Shape) -> Shape:
        """Return the (C, H, W) that a source of this shape gives."""
        extents = (
            (n + 2 * p - d * (k - 1) - 1) // s + 1
            for n, k, s, p, d in zip(
                source[1:], self.weight.shape[2:], self.stride, self.padding, self.dilation, strict=True
            )
        )
        return (self.weight.shape[0], *extents)


@dataclass(frozen=True, eq=False)
class Sparse:
    """Few of the sources reach each target; both sides flattened in (C, H, W) order, in compressed rows.

    Row i holds the synapses of target i: weights ``data[indptr[i]:indptr[i + 1]]`` from the sources in that part of
    ``indices``, which rise. A stored weight of zero is a synapse.

    Attributes
    ----------
    indptr, indices, data : int64 [out + 1], int32 [synapses], int32 [synapses].
    shape : (out, in).
    """

    indptr: IntArray
    indices: IntArray
    data: IntArray
    shape: tuple[int, int]

    def __post_init__(self) -> None:
        for name, dtype in (("indptr", np.int64), ("indices", np.int32), ("data", np.int32)):
            object.__setattr__(self, name, integers(getattr(self, name), dtype, f"Sparse {name}"))

    @classmethod
    def from_dense(cls, weight: IntArray) -> Sparse:
        """Return the connection whose synapses are the weights [out, in] that are not 0."""
        rows, columns = np.nonzero(weight)
        indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(weight)))])
        return cls(indptr, columns, weight[rows, columns], (weight.shape[0], weight.shape[1]))

    @property
    def rows(self) -> IntArray:
        """The target of every synapse, int64 [synapses]."""
        return np.repeat(np.arange(self.shape[0]), np.diff(self.indptr))

    def to_dense(self) -> IntArray:
        """Return the weights as int32 [out, in], 0 where there is no synapse."""
        weight = np.zeros(self.shape, dtype=np.int32)
        weight[self.rows, self.indices] = self.data
        return weight


Connection = Dense | Convolution | Sparse


def stored_weights(connection: Connection) -> IntArray:
    """Return every weight that a connection stores, int32, in the shape in which it stores them."""
    return connection.data if isinstance(connection, Sparse) else connection.weight


def largest_sum(connection: Connection) -> int:
    """Return the largest sum of |weights| that one target has."""
    if isinstance(connection, Sparse):
        weights = np.abs(connection.data.astype(np.float64))
        return int(np.bincount(connection.rows, weights, minlength=1).max(initial=0))
    weight = np.abs(connection.weight.astype(np.int64))
    return int(weight.reshape(len(weight), -1).sum(axis=1).max(initial=0))


@dataclass(frozen=True, eq=False)
class Port:
    """Where spikes from outside enter: one integer per cell and step (0, 1, or a graded payload)."""

    name: str
    shape: Shape


@dataclass(frozen=True, eq=False)
class Population:
    """Neurons of one model and shape.

    Attributes
    ----------
    latency : chip steps by which this population trails the input, see the module.
    scale : 64 * scale state units are one float unit of the membrane; 1 where the network was born integer.
    """

    name: str
    shape: Shape
    neuron: Neuron
    latency: int = 0
    scale: float = 1.0

    @property
    def size(self) -> int:
        """The number of neurons."""
        return int(math.prod(self.shape))


@dataclass(frozen=True, eq=False)
class Projection:
    """Synapses from a port or population to a population.

    Attributes
    ----------
    weight_exponent : the sum of a step's weights is multiplied by 2 to this power (floor when negative).
    delay : steps beyond the one that every projection takes.
    weight_bits : bits a synapse occupies on the chip, sign included.
    imaginary : whether it drives the imaginary part of resonators, not the real one.
    """

    name: str
    source: str
    target: str
    connection: Connection
    weight_exponent: int = 0
    delay: int = 0
    weight_bits: int = 8
    imaginary: bool = False


@dataclass(frozen=True, eq=False)
class Network:
    """An integer network.

    Attributes
    ----------
    outputs : names of the populations that answer.
    dt : seconds of model time that one step stands for.
    target : name of the chip whose number formats it was made for, or "" when unknown.
    provenance : where each number came from, as JSON values; see :mod:`neurodeploy.quantization`.
    reset_interval, reset_offset : clear all populations every so many chip steps, one after the other; see
        :attr:`reset_phases`. No such resets where the interval is 0.
    """

    ports: tuple[Port, ...]
    populations: tuple[Population, ...]
    projections: tuple[Projection, ...]
    outputs: tuple[str, ...]
    dt: float = 1.0
    target: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    reset_interval: int = 0
    reset_offset: int = 0

    @cached_property
    def by_name(self) -> dict[str, Port | Population]:
        """Ports and populations by name."""
        parts: tuple[Port | Population, ...] = (*self.ports, *self.populations)
        return {part.name: part for part in parts}

    @cached_property
    def readouts(self) -> tuple[str, ...]:
        """The outputs that answer by their state and not by what they send: integrators that never fire, decoders."""
        answering = {p.name for p in self.populations if p.neuron.answers_by_state}
        return tuple(name for name in self.outputs if name in answering)

    def into(self, name: str) -> list[Projection]:
        """Return the projections that end at the population ``name``."""
        return [projection for projection in self.projections if projection.target == name]

    def out_of(self, name: str) -> list[Projection]:
        """Return the projections that start at ``name``."""
        return [projection for projection in self.projections if projection.source == name]

    def latency(self, name: str) -> int:
        """Return the latency of a population, or 0 for a port, in chip steps."""
        part = self.by_name[name]
        return part.latency if isinstance(part, Population) else 0

    def lag(self, projection: Projection) -> int:
        """Return after how many steps of input time this projection acts; see the module."""
        return 1 + projection.delay + self.latency(projection.source) - self.latency(projection.target)

    @cached_property
    def order(self) -> tuple[Population, ...]:
        """The populations so that every projection without lag points forward."""
        sorter: TopologicalSorter[str] = TopologicalSorter()
        for population in self.populations:
            sorter.add(population.name)
        for projection in self.projections:
            if self.lag(projection) == 0:
                sorter.add(projection.target, projection.source)
        try:
            names = list(sorter.static_order())
        except CycleError as error:
            raise InputError(" -> ".join(error.args[1]), "a loop of projections without lag") from error
        populations = {population.name: population for population in self.populations}
        return tuple(populations[name] for name in names if name in populations)

    @cached_property
    def reset_phases(self) -> dict[str, int]:
        """Population -> the phase of its scheduled reset, or -1 without a schedule.

        It clears its state before step t, counted from 0 in its own recording, where ``t % reset_interval`` is that.
        Population k of ``populations`` is cleared before its update in the chip's t-th step, counted from 1, when
        ``t % interval == (1 + k + offset) % interval``: the rule of lava-dl's netx. Its recording starts in chip step
        ``1 + latency``.
        """
        if not self.reset_interval:
            return {population.name: -1 for population in self.populations}
        return {
            population.name: (k + self.reset_offset - population.latency) % self.reset_interval
            for k, population in enumerate(self.populations)
        }

    def in_chip_time(self) -> Network:
        """Return the network with all latencies 0, whose recordings start at the first chip step."""
        return replace(self, populations=tuple(replace(p, latency=0) for p in self.populations))

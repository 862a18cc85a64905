"""Sum the events of fired cells core by core and step by step, and what each step takes.

Along the samples the counts are taken in portions. In each, per population, with ``t`` its own recorded steps::

    operations(t)   = sum over projections into it   what its sources fired in t - lag reaches
    messages out(t) = sum over projections from it   fired(t) * cores reached
    seconds(core)   = sum over events                count(t) * time(event)       in chip step t + latency

A step's seconds are the slowest core's, the tiles that share one taken together; its links' are the busiest one's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from functools import cached_property

import numpy as np
import numpy.typing as npt

from neurodeploy.arrivals import Flags, active_updates
from neurodeploy.counts import CoreActivity, Pace, ProjectionActivity, Seconds
from neurodeploy.fans import Fan
from neurodeploy.links import LinkLoads
from neurodeploy.mesh import Routes
from neurodeploy.network import Convolution, Network, Population, Projection
from neurodeploy.placement import Placement
from neurodeploy.reading import Reader, reader_of
from neurodeploy.tiling import Counts

#: Field of CoreActivity -> the event of a chip file that it counts; idle updates follow from two of them.
CORE_EVENTS = {
    "spikes": "spike",
    "active_updates": "neuron_active",
    "dense_operations": "synaptic_operation_dense",
    "convolution_operations": "synaptic_operation_convolution",
    "messages_in": "message_in",
    "messages_out": "message_out",
}
#: The bounds of a number, in the order in which a pace holds them.
BOUNDS = ("low", "value", "high")

_Spikes = npt.NDArray[np.bool_]


class Tally:
    """Sums events over portions of samples."""

    def __init__(self, placement: Placement, samples: int, steps: int) -> None:
        self.placement, self.samples, self.steps = placement, samples, steps
        network = placement.network
        self.by_step: dict[str, Counts] = {
            each.name: np.zeros((steps, len(placement.cores)), dtype=np.int64) for each in fields(CoreActivity)
        }
        #: Of ports, which have no core, spikes; and of projections the messages they carry, step by step of the source.
        self.fired = {name: np.zeros(steps, dtype=np.int64) for name in network.by_name}
        self.sent = {p.name: np.zeros(steps, dtype=np.int64) for p in network.projections}
        self.per_neuron = {
            name: np.zeros(int(np.prod(part.shape)), dtype=np.int64) for name, part in network.by_name.items()
        }
        self.routes = Routes()
        self._paces = np.zeros((2, len(BOUNDS), samples, steps))

    @property
    def network(self) -> Network:
        """The network whose events are counted."""
        return self.placement.network

    @cached_property
    def fans(self) -> dict[str, Fan]:
        """The reach of each projection."""
        return {p.name: self.placement.fan(p) for p in self.network.projections}

    @cached_property
    def readers(self) -> dict[str, Reader]:
        """What counts the words read for each projection."""
        chip = self.placement.chip
        return {p.name: reader_of(chip, p, self.fans[p.name]) for p in self.network.projections}

    @cached_property
    def loads(self) -> LinkLoads:
        """What projections put on the links of the mesh."""
        return LinkLoads(self.placement, self.fans)

    def add(self, fired: Mapping[str, Flags], portion: slice) -> None:
        """Count a portion of the samples; ``fired`` are their flags, bool [samples, steps, *shape]."""
        flat = {name: flags.reshape(*flags.shape[:2], -1) for name, flags in fired.items()}
        for name, flags in flat.items():
            self.fired[name] += flags.sum(axis=(0, 2), dtype=np.int64)
            self.per_neuron[name] += flags.sum(axis=(0, 1), dtype=np.int64)
        priced = self.placement.chip.has_costs
        seconds = np.zeros((len(BOUNDS), *flat[next(iter(flat))].shape[:2], self.placement.cores_used))
        for population in self.network.populations:
            active = active_updates(self.network, population, fired).reshape(flat[population.name].shape)
            events = self._population(population, flat, active)
            where = self.placement.cores_of(population.name)
            for name, counts in events.items():
                self.by_step[name][:, where] += counts.sum(axis=0)
            if priced:
                sites = self.placement.site_of[where]
                seconds[..., sites] += np.roll(self._seconds(events), population.latency, axis=2)
        if priced:
            self._paces[0, :, portion] = seconds.max(axis=-1, initial=0.0)
            self._paces[1, :, portion] = self.loads.busiest_seconds(flat)

    def _population(self, population: Population, flat: Mapping[str, _Spikes], active: _Spikes) -> dict[str, Counts]:
        """Return the events of the population's cores, each int64 [samples, steps, tiles]."""
        tiling, own = self.placement.tilings[population.name], flat[population.name]
        shape = (*own.shape[:2], tiling.count)
        events = {name: np.zeros(shape, dtype=np.int64) for name in self.by_step}
        events["spikes"] += tiling.sums(own)
        events["active_updates"] += tiling.sums(active)
        events["neuron_updates"] += tiling.sizes()
        for projection in self.network.into(population.name):
            arriving = np.roll(flat[projection.source], self.network.lag(projection), axis=1).astype(np.float64)
            fan = self.fans[projection.name]
            events[f"{_kind(projection)}_operations"] += fan.synapses_into(arriving)
            messages = fan.messages_into(arriving)
            events["messages_in"] += messages
            events["memory_reads"] += self.readers[projection.name](arriving)
            self.sent[projection.name] += np.roll(messages.sum(axis=(0, 2)), -self.network.lag(projection))
        for projection in self.network.out_of(population.name):
            events["messages_out"] += tiling.sums(own * self.fans[projection.name].destinations())
        return events

    def _seconds(self, events: Mapping[str, Counts]) -> Seconds:
        """Return how long the cores take, float64 [(low, nominal, high), samples, steps, tiles]."""
        times = self.placement.chip.time
        idle = events["neuron_updates"] - events["active_updates"]
        counted = [*((events[name], times[event]) for name, event in CORE_EVENTS.items()), (idle, times["neuron_idle"])]
        return np.stack([sum(counts * getattr(time, bound) for counts, time in counted) for bound in BOUNDS])

    def cores_by_step(self) -> CoreActivity:
        """Return the events of each core in each step, int64 [steps, cores]."""
        return CoreActivity(**self.by_step)

    def population_steps(self, name: str) -> dict[str, Counts]:
        """Return the events of a population or port step by step, each int64 [steps]; fields of PopulationActivity."""
        messages = [self.sent[projection.name] for projection in self.network.out_of(name)]
        steps = {"spikes": self.fired[name], "messages": np.sum([np.zeros_like(self.fired[name]), *messages], axis=0)}
        if name not in self.placement.tilings:
            return steps
        cores, where = self.cores_by_step(), self.placement.cores_of(name)
        of_cores = ("synaptic_operations", "neuron_updates", "active_updates", "memory_reads")
        return steps | {event: getattr(cores, event)[:, where].sum(axis=1) for event in of_cores}

    def projection(self, projection: Projection) -> ProjectionActivity:
        """Return the events of one projection, and send its messages along their routes."""
        fan, spikes = self.fans[projection.name], self.per_neuron[projection.source]
        operations, messages = fan.synapses_into(spikes), fan.messages_into(spikes)
        hops = (0, 0, 0)
        if projection.source in self.placement.tilings:
            traffic = fan.traffic(spikes, self.placement.tilings[projection.source])
            ends = (self.placement.cores_of(projection.source), self.placement.cores_of(projection.target))
            hops = self.routes.add(traffic, *(self.placement.positions[span] for span in ends))
        return ProjectionActivity(int(operations.sum()), int(messages.sum()), *hops)

    def pace(self) -> Pace | None:
        """Return what sets the length of each step; None where the chip file has no times."""
        chip = self.placement.chip
        return Pace(chip.name, *self._paces) if chip.has_costs else None


def _kind(projection: Projection) -> str:
    return "convolution" if isinstance(projection.connection, Convolution) else "dense"

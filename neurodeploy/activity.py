"""What a simulated network did, in the events a chip spends energy and time on.

Counts are int64 totals over all samples and steps, and exact: a spike is counted with the synapses it really reaches,
borders of convolutions included. Synapses of weight zero count, for the chip stores and visits them. A graded spike is
one spike. Whatever happens outside the recording, such as the steps in which the last spikes drain, is not counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.arrivals import active_updates
from neurodeploy.blocks import blocks_of
from neurodeploy.errors import InputError
from neurodeploy.mesh import Routes
from neurodeploy.network import Convolution, Network, Population, Projection
from neurodeploy.placement import Placement
from neurodeploy.recording import Recording
from neurodeploy.tiling import Counts


@dataclass(frozen=True)
class PopulationActivity:
    """Events of one population, or of one port, which has spikes and messages only.

    Attributes
    ----------
    synaptic_operations : at its own synapses, the incoming ones.
    neuron_updates : neurons times steps times samples.
    active_updates : those in which a spike arrives, the neuron has a bias, or it fires; the others are idle.
    messages : its spikes times the cores each goes to.
    """

    spikes: int = 0
    synaptic_operations: int = 0
    neuron_updates: int = 0
    active_updates: int = 0
    messages: int = 0


@dataclass(frozen=True)
class ProjectionActivity:
    """Events of one projection.

    Attributes
    ----------
    messages : spikes times the cores of the target each goes to.
    hops_x, hops_y : tiles these messages cross along the mesh, by XY routing; those from a port start nowhere and
        cross none, and those between chips are not routed.
    crossings : messages that change the chip.
    """

    synaptic_operations: int
    messages: int
    hops_x: int = 0
    hops_y: int = 0
    crossings: int = 0


@dataclass(frozen=True, eq=False)
class CoreActivity:
    """Events of each core, int64 [cores], in the order of ``Placement.cores``; synaptic operations by encoding."""

    spikes: Counts
    neuron_updates: Counts
    active_updates: Counts
    dense_operations: Counts
    convolution_operations: Counts
    messages_in: Counts
    messages_out: Counts


@dataclass(frozen=True, eq=False)
class Activity:
    """Counts of all events of a recording.

    Attributes
    ----------
    samples, steps : extent of the recording.
    fill_steps : chip steps by which the last output trails the input.
    ports, populations, projections : name -> counts.
    cores : counts core by core.
    link_x, link_y : messages over the busiest link between neighbouring tiles in each direction.
    """

    samples: int
    steps: int
    fill_steps: int
    ports: Mapping[str, PopulationActivity]
    populations: Mapping[str, PopulationActivity]
    projections: Mapping[str, ProjectionActivity]
    cores: CoreActivity
    link_x: int
    link_y: int

    def total(self, name: str) -> int:
        """Return the sum of one count over all projections, or over all populations if projections lack it."""
        table: Mapping[str, Any] = self.projections if name in _OF_PROJECTIONS else self.populations
        return sum(getattr(part, name) for part in table.values())

    def as_dict(self) -> dict[str, Any]:
        """Return the totals and the counts of every part, as JSON values."""
        return {
            "schema": 1,
            "samples": self.samples,
            "steps": self.steps,
            **{name: self.total(name) for name in (*_OF_PROJECTIONS, "spikes", "neuron_updates", "active_updates")},
            "input_spikes": sum(port.spikes for port in self.ports.values()),
            "ports": {name: vars(part) for name, part in self.ports.items()},
            "populations": {name: vars(part) for name, part in self.populations.items()},
            "projections": {name: vars(part) for name, part in self.projections.items()},
        }


_OF_PROJECTIONS = tuple(each.name for each in fields(ProjectionActivity))


def count_activity(network: Network, recording: Recording, placement: Placement) -> Activity:
    """Count the events of a recording on the cores of a placement.

    Raises
    ------
    InputError : the recording lacks the spikes of a population or port, or they are of another shape.
    """
    fired = {name: _fired(recording, name, part.shape) for name, part in network.by_name.items()}
    per_neuron = {name: _spikes_of_each(spikes) for name, spikes in fired.items()}
    tally = _Tally(placement)
    projections = {p.name: tally.projection(p, per_neuron[p.source]) for p in network.projections}
    populations = {}
    for population in network.populations:
        active = active_updates(network, population, fired)
        updates = population.size * recording.samples * recording.steps
        tally.neurons(population, per_neuron[population.name], active, recording.samples * recording.steps)
        populations[population.name] = PopulationActivity(
            int(per_neuron[population.name].sum()),
            sum(projections[p.name].synaptic_operations for p in network.into(population.name)),
            updates,
            int(active.sum()),
            sum(projections[p.name].messages for p in network.out_of(population.name)),
        )
    ports = {
        port.name: PopulationActivity(
            int(per_neuron[port.name].sum()),
            messages=sum(projections[p.name].messages for p in network.out_of(port.name)),
        )
        for port in network.ports
    }
    fill = max((network.latency(name) for name in network.outputs), default=0)
    links = [max(table.values(), default=0) for table in (tally.routes.links_x, tally.routes.links_y)]
    return Activity(
        recording.samples, recording.steps, fill, ports, populations, projections, tally.cores(), links[0], links[1]
    )


def _fired(recording: Recording, name: str, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Return what each cell sent, integer [samples, steps, *shape]."""
    table = recording.spikes if name in recording.spikes else recording.inputs
    if name not in table:
        raise InputError(name, "has no spikes in the recording", "record with record=('s',)")
    expected = (*recording.extent, *shape)
    if table[name].shape != expected:
        raise InputError(
            name, f"was recorded as {list(table[name].shape)}, the network says {list(expected)}", "record it anew"
        )
    return table[name]


def _spikes_of_each(sent: npt.NDArray[Any]) -> Counts:
    """Return how often each cell sent a spike, int64 [cells], a block of samples and steps at a time."""
    count = np.zeros(sent.shape[2:], dtype=np.int64)
    for block in blocks_of(sent):
        count += np.count_nonzero(sent[block], axis=(0, 1))
    return count.reshape(-1)


@dataclass
class _Tally:
    """Sums events core by core and link by link."""

    placement: Placement
    counts: dict[str, Counts] = field(default_factory=dict)
    routes: Routes = field(default_factory=Routes)

    def __post_init__(self) -> None:
        for each in fields(CoreActivity):
            self.counts[each.name] = np.zeros(self.placement.cores_used, dtype=np.int64)

    def cores(self) -> CoreActivity:
        return CoreActivity(**self.counts)

    def neurons(self, population: Population, spikes: Counts, active: Counts, updates: int) -> None:
        where, tiling = self.placement.cores_of(population.name), self.placement.tilings[population.name]
        self.counts["spikes"][where] += tiling.sums(spikes)
        self.counts["active_updates"][where] += tiling.sums(active)
        self.counts["neuron_updates"][where] += tiling.sizes() * updates

    def projection(self, projection: Projection, spikes: Counts) -> ProjectionActivity:
        fan, where = self.placement.fan(projection), self.placement.cores_of(projection.target)
        operations, messages = fan.synapses_into(spikes), fan.messages_into(spikes)
        kind = "convolution" if isinstance(projection.connection, Convolution) else "dense"
        self.counts[f"{kind}_operations"][where] += operations
        self.counts["messages_in"][where] += messages
        hops = (0, 0, 0)
        if projection.source in self.placement.tilings:
            traffic = fan.traffic(spikes, self.placement.tilings[projection.source])
            sources = self.placement.cores_of(projection.source)
            self.counts["messages_out"][sources] += traffic.sum(axis=1)
            hops = self.routes.add(traffic, self.placement.positions[sources], self.placement.positions[where])
        return ProjectionActivity(int(operations.sum()), int(messages.sum()), *hops)

"""What a simulated network did, in the events a chip spends energy and time on.

Counts are int64 totals over all samples, and exact: a spike is counted with the synapses it really reaches, borders of
convolutions included. Synapses of weight zero count, for the chip stores and visits them. A graded spike is one spike.
Whatever happens outside the recording, such as the steps in which the last spikes drain, is not counted.

A step is one of the population's own recorded ones, in which its neurons fire and what reached them is summed. What
arrives behind a sample's last step, through a delay or around a loop, counts in its first ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy.typing as npt

from neurodeploy.counting import Tally
from neurodeploy.counts import CoreActivity, Pace, PopulationActivity, ProjectionActivity
from neurodeploy.errors import InputError
from neurodeploy.network import Network
from neurodeploy.placement import Placement
from neurodeploy.recording import Recording
from neurodeploy.tiling import Counts

__all__ = ["Activity", "CoreActivity", "Pace", "PopulationActivity", "ProjectionActivity", "count_activity"]

#: Samples are taken in portions of about so many cells, to bound memory.
_PORTION = 1 << 23


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
    steps_of : population or port -> its counts step by step, each int64 [steps].
    cores_by_step : counts core by core and step by step, [steps, cores].
    pace : what sets the length of each step; None of counts alone, or where the chip file has no times.
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
    steps_of: Mapping[str, Mapping[str, Counts]] = field(default_factory=dict)
    cores_by_step: CoreActivity | None = None
    pace: Pace | None = None

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
            **{name: self.total(name) for name in (*_OF_PROJECTIONS, *_TOTALS)},
            "input_spikes": sum(port.spikes for port in self.ports.values()),
            "ports": {name: vars(part) for name, part in self.ports.items()},
            "populations": {name: vars(part) for name, part in self.populations.items()},
            "projections": {name: vars(part) for name, part in self.projections.items()},
            "by_step": {
                name: {event: counts.tolist() for event, counts in table.items()}
                for name, table in self.steps_of.items()
            },
        }


_OF_PROJECTIONS = tuple(each.name for each in fields(ProjectionActivity))
_TOTALS = ("spikes", "neuron_updates", "active_updates", "memory_reads")


def count_activity(network: Network, recording: Recording, placement: Placement) -> Activity:
    """Count the events of a recording on the cores of a placement.

    Raises
    ------
    InputError : the recording is of another network: it lacks the spikes of a population or port, has those of one that
        the network lacks, or they are of another shape.
    """
    for name in (*recording.spikes, *recording.inputs):
        if name not in network.by_name:
            problem = "is in the recording, and no population or port of the network"
            raise InputError(name, problem, "count the recording of this network")
    cells = {name: _cells(recording, name, part.shape) for name, part in network.by_name.items()}
    tally = Tally(placement, recording.samples, recording.steps)
    for portion in _portions(cells, recording.samples, recording.steps):
        tally.add({name: values[portion] != 0 for name, values in cells.items()}, portion)
    projections = {p.name: tally.projection(p) for p in network.projections}
    cores_by_step = tally.cores_by_step()
    cores = cores_by_step.over_steps()
    steps_of = {name: tally.population_steps(name) for name in network.by_name}
    parts = {
        name: PopulationActivity(**{event: int(counts.sum()) for event, counts in steps_of[name].items()})
        for name in network.by_name
    }
    fill = max((network.latency(name) for name in network.outputs), default=0)
    links = [max(table.values(), default=0) for table in (tally.routes.links_x, tally.routes.links_y)]
    return Activity(
        recording.samples,
        recording.steps,
        fill,
        {port.name: parts[port.name] for port in network.ports},
        {population.name: parts[population.name] for population in network.populations},
        projections,
        cores,
        links[0],
        links[1],
        steps_of,
        cores_by_step,
        tally.pace(),
    )


def _cells(recording: Recording, name: str, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Return what each cell sent, [samples, steps, *shape]; 0 where it did not fire."""
    table = recording.spikes if name in recording.spikes else recording.inputs
    if name not in table:
        raise InputError(name, "has no spikes in the recording", "record with record=('s',)")
    expected = (recording.samples, recording.steps, *shape)
    if table[name].shape != expected:
        raise InputError(
            name, f"was recorded as {list(table[name].shape)}, the network says {list(expected)}", "record it anew"
        )
    return table[name]


def _portions(cells: Mapping[str, npt.NDArray[Any]], samples: int, steps: int) -> Iterator[slice]:
    largest = max((values[0].size for values in cells.values() if len(values)), default=1)
    count = max(1, _PORTION // max(1, largest, steps))
    for start in range(0, samples, count):
        yield slice(start, min(start + count, samples))

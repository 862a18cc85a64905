"""What it costs to give neurons the nearest reset that a chip has, measured in float on real samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.events import EventInput
from neurodeploy.graph import Graph, Neuron
from neurodeploy.passes.approximate_reset import approximate_reset
from neurodeploy.simulation import check_spikes, ports, simulate
from neurodeploy.targets.chip import Chip

Spikes = npt.NDArray[Any] | EventInput

#: Samples simulated at a time, and at most.
_CHUNK, _SAMPLES = 32, 128


@dataclass(frozen=True)
class Approximation:
    """What another reset changed in one population, in the float simulation before any rounding.

    Attributes
    ----------
    note : which reset became which, in words.
    differing, cells : cells (neurons times steps times samples) whose spikes differ, of all; 0 of 0 without samples.
    spikes_before, spikes_after : how many spikes all cells send.
    """

    name: str
    note: str
    differing: int = 0
    cells: int = 0
    spikes_before: int = 0
    spikes_after: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)

    @property
    def sentence(self) -> str:
        """What a report says of it."""
        if not self.cells:
            return f"{self.note}; what that costs was not measured: no samples were given"
        share = 100 * self.differing / self.cells
        return (
            f"{self.note}; in float {share:.2g} % of its cells differ on the calibration samples, "
            f"{self.spikes_before:,} spikes became {self.spikes_after:,}"
        )


def approximated(
    graph: Graph, chip: Chip, samples: Spikes | Mapping[str, Spikes] | None
) -> tuple[Graph, tuple[Approximation, ...]]:
    """Return the graph with resets that ``chip`` offers, a note on each that changed, and what each changed.

    Parameters
    ----------
    samples : integer spikes [samples, steps, *shape], or port -> spikes; the first 128 are measured on. None: nothing
        is measured, and the notes say so.
    """
    nearest = approximate_reset(graph, chip.formats.resets)
    if nearest is graph:
        return graph, ()
    changed = [name for name in graph.of_type(Neuron) if nearest.nodes[name] is not graph.nodes[name]]
    notes = nearest.notes[len(graph.notes) :]
    found = {name: Approximation(name, note) for name, note in zip(changed, notes, strict=True)}
    if samples is not None:
        found = _measured(graph, nearest, found, check_spikes(ports(graph), samples))
    told = (each.sentence for each in found.values())
    return replace(nearest, notes=(*graph.notes, *told)), tuple(found.values())


def _measured(
    graph: Graph, nearest: Graph, found: Mapping[str, Approximation], samples: Mapping[str, Spikes]
) -> dict[str, Approximation]:
    counts = {name: np.zeros(4, dtype=np.int64) for name in found}
    number = min(len(next(iter(samples.values()))), _SAMPLES)
    for start in range(0, number, _CHUNK):
        part = {name: values[start : min(start + _CHUNK, number)] for name, values in samples.items()}
        before, after = (simulate(each, part, "float").spikes for each in (graph, nearest))
        for name, total in counts.items():
            one, other = before[name], after[name]
            total += (int((one != other).sum()), one.size, int(one.sum()), int(other.sum()))
    return {name: Approximation(name, found[name].note, *map(int, total)) for name, total in counts.items()}

"""What the float network does on calibration samples: the spikes that the integers are chosen and judged by."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.errors import InputError
from neurodeploy.events import EventInput
from neurodeploy.graph import Convolution, Graph
from neurodeploy.membrane import FloatPopulation
from neurodeploy.moments import Moments, moments_of
from neurodeploy.passes.restore_flatten import restore_flatten
from neurodeploy.recording import Recording
from neurodeploy.simulation import check_spikes, ports, simulate

Spikes = npt.NDArray[Any]

#: Multiplications that the float simulation of the samples may take, which bounds its time to some seconds.
_WORK = 5e9
#: Cells of all populations that are kept.
_CELLS = 1 << 28


@dataclass(frozen=True, eq=False)
class Evidence:
    """Some calibration samples and what the float network made of them.

    Attributes
    ----------
    inputs : port -> integer [samples, steps, *shape].
    recording : of the lowered float graph, on these samples.
    labels : int [samples], or None.
    moments : projection -> second moments of its sources.
    """

    inputs: Mapping[str, Spikes]
    recording: Recording
    labels: npt.NDArray[Any] | None
    moments: Mapping[str, Moments]

    @property
    def cells(self) -> int:
        """The cells of all populations, samples and steps."""
        return sum(values.size for values in self.recording.spikes.values())

    def sent(self, name: str) -> Spikes:
        """Return what a port or population sent, [samples, steps, *shape]."""
        return self.inputs[name] if name in self.inputs else self.recording.spikes[name]


def observe(
    graph: Graph,
    populations: list[FloatPopulation],
    spikes: Spikes | EventInput | Mapping[str, Spikes | EventInput],
    labels: npt.NDArray[Any] | None = None,
) -> Evidence:
    """Simulate the lowered float graph on as many of the samples as take some seconds, and keep what they show.

    Raises
    ------
    InputError : spikes that do not fit the ports, or labels that do not fit the samples.
    """
    checked = check_spikes(ports(graph), spikes)
    samples, steps = next(iter(checked.values())).shape[:2]
    if labels is not None and len(labels) != samples:
        raise InputError("labels", f"{len(labels)} labels for {samples} samples", "give one label per sample")
    cells = sum(math.prod(population.shape) for population in populations) * steps
    kept = max(1, min(samples, int(_WORK / (_work(populations) * steps)), _CELLS // max(cells, 1)))
    chosen = np.linspace(0, samples - 1, kept).astype(np.int64)
    inputs = {name: _taken(values, chosen, ports(graph)[name]) for name, values in checked.items()}
    recording = simulate(restore_flatten(graph), inputs, "float")
    if labels is not None:
        _check_labels(np.asarray(labels), recording)
    sent = {**inputs, **recording.spikes}
    moments = {name: found for p in populations for name, found in moments_of(p, sent).items()}
    return Evidence(inputs, recording, None if labels is None else np.asarray(labels)[chosen], moments)


def _check_labels(labels: npt.NDArray[Any], recording: Recording) -> None:
    """Raise :class:`InputError` for a label that the first output has no cell for."""
    classes = math.prod(recording.output.shape[2:])
    if labels.min() < 0 or labels.max() >= classes:
        found = f"go from {labels.min()} to {labels.max()}, output {recording.outputs[0]!r} has {classes} cells"
        raise InputError("labels", found, "give a class from 0 a sample, or no labels")


def _taken(values: Spikes | EventInput, chosen: npt.NDArray[np.int64], shape: tuple[int, ...]) -> Spikes:
    """Return the chosen samples, of events as dense arrays."""
    if isinstance(values, EventInput):
        return np.concatenate([values[sample : sample + 1].dense(shape) for sample in chosen.tolist()])
    return values[chosen]


def _work(populations: list[FloatPopulation]) -> int:
    """Return the multiplications of one step of the dense float simulation."""
    return sum(
        path.node.weight.size * (math.prod(population.shape[1:]) if isinstance(path.node, Convolution) else 1)
        for population in populations
        for path in population.paths
    )

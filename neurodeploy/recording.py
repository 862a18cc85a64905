"""What a simulation saw, and the file it is kept in."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.errors import InputError
from neurodeploy.files import replacing
from neurodeploy.npz import write_npz

Quantity = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Recording:
    """Spikes, and on request currents and membranes, of every population.

    Attributes
    ----------
    samples, steps : its extent; steps are those of the input, each population's first one being the step in which the
        input's first one reaches it (:mod:`neurodeploy.network` on time).
    spikes : population -> integer [samples, steps, *shape]: 0 and 1, or graded payloads.
    outputs : the populations (or output nodes) that answer, in order.
    readouts : the outputs that answer by v and not by spikes; their v is always recorded.
    u, v : population -> int32 (float64 from the float backend) [samples, steps, *shape] after each step's update and
        reset; only what was asked for. Which two of a model's states they are, its class says.
    inputs : port -> integer [samples, steps, *shape], what was fed in.
    wraps, clips : population -> how many updates wrapped u, and how many saturated v.
    backend, versions : what ran, and in which versions.
    """

    samples: int
    steps: int
    spikes: Mapping[str, Quantity]
    outputs: tuple[str, ...]
    backend: str
    versions: Mapping[str, str]
    u: Mapping[str, Quantity] = field(default_factory=dict)
    v: Mapping[str, Quantity] = field(default_factory=dict)
    inputs: Mapping[str, Quantity] = field(default_factory=dict)
    wraps: Mapping[str, int] = field(default_factory=dict)
    clips: Mapping[str, int] = field(default_factory=dict)
    readouts: tuple[str, ...] = ()

    @property
    def output(self) -> Quantity:
        """What the first output answers, [samples, steps, *shape]: its spikes, or the v of a read-out."""
        name = self.outputs[0]
        return self.v[name] if name in self.readouts else self.spikes[name]

    def predictions(self) -> npt.NDArray[np.int64]:
        """Return per sample the output cell with most spikes, the first one on ties, int64 [samples].

        Of a read-out it is the cell with the largest v after the last step.
        """
        answer = self.output.reshape(self.samples, self.steps, -1)
        scores = answer[:, -1] if self.outputs[0] in self.readouts else answer.sum(axis=1)
        return np.asarray(scores.argmax(axis=1), dtype=np.int64)

    def accuracy(self, labels: npt.NDArray[np.integer[Any]]) -> float:
        """Return the share of samples whose prediction is their label."""
        if len(labels) != self.samples:
            raise InputError("labels", f"{len(labels)} labels for {self.samples} samples", "give one label per sample")
        return float(np.mean(self.predictions() == labels))

    def rates(self) -> dict[str, float]:
        """Return per port and population the spikes per neuron and step; a graded spike is one spike."""
        return {name: float(np.mean(cells != 0)) for name, cells in {**self.inputs, **self.spikes}.items()}

    def only(self, quantities: Collection[str]) -> Recording:
        """Return the recording with u and v kept only where ``quantities`` names them, and v of read-outs."""
        answers = {name: v for name, v in self.v.items() if "v" in quantities or name in self.readouts}
        return replace(self, u=self.u if "u" in quantities else {}, v=answers)

    def save(self, path: str | Path) -> None:
        """Write ``output`` and ``s/``, ``u/``, ``v/<population>`` to an .npz file."""
        arrays: dict[str, Quantity] = {"output": self.output}
        for letter, table in (("s", self.spikes), ("u", self.u), ("v", self.v)):
            arrays |= {f"{letter}/{name}": values for name, values in table.items()}
        with replacing(path) as temporary:
            write_npz(temporary, arrays)

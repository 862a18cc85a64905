"""What a simulation saw, and the file it is kept in.

A file written by :meth:`Recording.save` is compressed; one written piece by piece (:mod:`neurodeploy.streaming`) is
not, and is read without loading it. Both hold the same arrays under the same names, and the rest of a recording as JSON
in the comment of the archive, where it is in nobody's way.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.blocks import Block, blocks_of
from neurodeploy.errors import InputError
from neurodeploy.files import replacing
from neurodeploy.npz import MAX_COMMENT, read_comment, read_npz, write_npz

Quantity = npt.NDArray[Any]

#: Fields that a file keeps in its comment, and those of them that it does without where they make it too long.
_ABOUT = ("samples", "steps", "outputs", "readouts", "backend", "versions", "wraps", "clips")
_SPARED = ("wraps", "clips")


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
    wraps, clips : population -> how many updates wrapped u, and how many saturated v; empty from the backend float,
        which has no registers.
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
        return {name: active(cells) / max(1, cells.size) for name, cells in {**self.inputs, **self.spikes}.items()}

    def only(self, quantities: Collection[str]) -> Recording:
        """Return the recording with u and v kept only where ``quantities`` names them, and v of read-outs."""
        answers = {name: v for name, v in self.v.items() if "v" in quantities or name in self.readouts}
        return replace(self, u=self.u if "u" in quantities else {}, v=answers)

    def part(self, block: Block) -> Recording:
        """Return the recording of some samples and steps only; its wraps and clips are not known."""

        def cut(table: Mapping[str, Quantity]) -> dict[str, Quantity]:
            return {name: values[block] for name, values in table.items()}

        extents = [len(range(*each.indices(extent))) for each, extent in zip(block, self.extent, strict=True)]
        return replace(
            self,
            samples=extents[0],
            steps=extents[1],
            spikes=cut(self.spikes),
            u=cut(self.u),
            v=cut(self.v),
            inputs=cut(self.inputs),
            wraps={},
            clips={},
        )

    @property
    def extent(self) -> tuple[int, int]:
        """Samples and steps."""
        return self.samples, self.steps

    def arrays(self) -> dict[str, Quantity]:
        """Return what a file keeps, by its names there: ``output`` and ``s/``, ``u/``, ``v/<population>``."""
        found: dict[str, Quantity] = {"output": self.output}
        for letter, table in (("s", self.spikes), ("u", self.u), ("v", self.v)):
            found |= {f"{letter}/{name}": values for name, values in table.items()}
        return found

    def about(self) -> bytes:
        """Return what a file keeps beside the arrays, as JSON; of thousands of populations without wraps and clips."""
        fields = {name: getattr(self, name) for name in _ABOUT}
        text = json.dumps(fields, default=dict).encode()
        if len(text) > MAX_COMMENT:
            text = json.dumps({**fields, **{name: {} for name in _SPARED}}, default=dict).encode()
        return text

    def save(self, path: str | Path) -> None:
        """Write ``output``, ``s/``, ``u/``, ``v/<population>`` to an .npz file."""
        with replacing(path) as temporary:
            write_npz(temporary, self.arrays(), self.about())


def active(cells: Quantity) -> int:
    """Return how many cells of [samples, steps, *shape] are not 0, a block at a time."""
    return sum(int(np.count_nonzero(cells[block])) for block in blocks_of(cells))


def total(cells: Quantity) -> int:
    """Return the sum of integer cells [samples, steps, *shape], a block at a time."""
    return sum(int(cells[block].sum(dtype=np.int64)) for block in blocks_of(cells))


def read_recording(path: str | Path, inputs: Mapping[str, Quantity] | None = None) -> Recording:
    """Return the recording of a file; arrays that are not compressed stay on disk until they are used.

    Parameters
    ----------
    inputs : port -> integer [samples, steps, *shape], what was fed in, which the file does not keep.

    Raises
    ------
    InputError : the file is damaged, or no recording of this version.
    """
    arrays = read_npz(path, mapped=0)
    try:
        about = json.loads(read_comment(path))
        fields = {name: about[name] for name in _ABOUT}
    except (KeyError, ValueError, TypeError) as error:
        advice = "write it with simulate -o, of this version"
        raise InputError(str(path), "says nothing of a recording in its comment", advice) from error
    tables: dict[str, dict[str, Quantity]] = {"s": {}, "u": {}, "v": {}}
    for name, values in arrays.items():
        letter, _, population = name.partition("/")
        if letter in tables and values.shape[:2] != (fields["samples"], fields["steps"]):
            found = (
                f"{name} is {list(values.shape)}, recorded were {fields['samples']} samples of {fields['steps']} steps"
            )
            raise InputError(str(path), found, "write it again")
        if letter in tables:
            tables[letter][population] = values
    fields |= {name: tuple(fields[name]) for name in ("outputs", "readouts")}
    return Recording(**fields, spikes=tables["s"], u=tables["u"], v=tables["v"], inputs=inputs or {})

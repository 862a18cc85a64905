"""What is told of a recording, summed up part by part: spikes, wraps, saturations, and what the output answered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.errors import InputError
from neurodeploy.recording import Recording, total


class Tally:
    """Sums over the parts of a recording of so many samples and steps, given in the order of samples, then steps."""

    def __init__(self, samples: int, steps: int) -> None:
        self.samples, self.steps = samples, steps
        self.spikes: Counter[str] = Counter()
        self.wraps: Counter[str] = Counter()
        self.clips: Counter[str] = Counter()
        self.backends: list[str] = []
        self.versions: dict[str, str] = {}
        self._cells: dict[str, int] = {}
        self._scores: npt.NDArray[Any] | None = None

    @classmethod
    def of(cls, recording: Recording) -> Tally:
        """Return the sums of a whole recording."""
        tally = cls(*recording.extent)
        tally.add(slice(0, recording.samples), recording)
        return tally

    def add(self, samples: slice, part: Recording) -> None:
        """Add the recording of some samples, of all of their steps or of the next ones."""
        for name, values in part.spikes.items():
            self.spikes[name] += total(values)
            self._cells[name] = int(np.prod(values.shape[2:]))
        for sums, counts in ((self.wraps, part.wraps), (self.clips, part.clips)):
            sums.update(counts)
        if part.backend not in self.backends:
            self.backends.append(part.backend)
        self.versions |= part.versions
        answer = part.output.reshape(part.samples, part.steps, -1)
        if self._scores is None:
            self._scores = np.zeros((self.samples, answer.shape[2]), np.result_type(answer.dtype, np.int64))
        if part.outputs[0] in part.readouts:
            self._scores[samples] = answer[:, -1]
        else:
            self._scores[samples] += answer.sum(axis=1, dtype=self._scores.dtype)

    @property
    def backend(self) -> str:
        """The backend that ran; several joined by "and" where one could not run all of it."""
        return " and ".join(self.backends)

    def accuracy(self, labels: npt.NDArray[np.integer[Any]]) -> float:
        """Return the share of samples whose label is the cell that :meth:`Recording.predictions` finds."""
        if len(labels) != self.samples:
            raise InputError("labels", f"{len(labels)} labels for {self.samples} samples", "give one label per sample")
        assert self._scores is not None, "there is at least one part"
        return float(np.mean(self._scores.argmax(axis=1) == labels))

    @property
    def uncounted(self) -> str:
        """Why wraps and saturations are not known, or nothing where they are."""
        if self.spikes.keys() <= self.wraps.keys() & self.clips.keys():
            return ""
        return f"the backend {self.backend} has no registers that could wrap or saturate"

    def populations(self) -> list[Mapping[str, Any]]:
        """Return name, spikes per inference and per neuron and step, wraps and saturations of each, as JSON values.

        The latter are null where they are not counted, see :attr:`uncounted`.
        """
        updates = self.samples * self.steps
        return [
            {
                "name": name,
                "spikes_per_inference": count / self.samples,
                "rate": count / (updates * self._cells[name]),
                "wraps": self.wraps.get(name),
                "clips": self.clips.get(name),
            }
            for name, count in self.spikes.items()
        ]

"""A part of a set of samples, in whatever form the set is kept."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.errors import UsageError
from neurodeploy.models.spikes import Drawn, Fingerprinted, LabelledSpikes, Labels, Samples, stratified_pick

Indices = npt.NDArray[np.integer[Any]]


class Part:
    """The samples at ``indices`` of ``whole``, which is read only where it is asked for."""

    def __init__(self, whole: LabelledSpikes, indices: Indices) -> None:
        self.whole, self.indices = whole, indices

    @property
    def labels(self) -> Labels:
        """The class of each sample."""
        return self.whole.labels[self.indices]

    def __len__(self) -> int:
        return len(self.indices)

    def take(self, indices: Indices) -> Samples:
        """Return the samples at ``indices``, counted in the part."""
        return self.whole.take(self.indices[indices])

    def save(self, path: Path) -> None:
        """Write an event file."""
        self.take(np.arange(len(self))).save(path)

    def fingerprint(self) -> bytes:
        """Return bytes that differ where a sample, its label or the order does."""
        if not isinstance(self.whole, Fingerprinted):
            samples = self.take(np.arange(len(self)))
            return hashlib.sha256(samples.spikes.tobytes() + samples.labels.tobytes()).digest()
        return self.whole.fingerprint() + self.indices.astype("<i8").tobytes()


class DrawnPart(Part):
    """A part of samples that are drawn before they are read."""

    def draw(self, indices: Indices, draws: Sequence[np.random.Generator]) -> Samples:
        """Return the samples at ``indices``, counted in the part, each drawn from its own generator."""
        assert isinstance(self.whole, Drawn)
        return self.whole.draw(self.indices[indices], draws)


def stratified_part(samples: LabelledSpikes, number: int, seed: int) -> LabelledSpikes:
    """Return ``number`` of ``samples`` with each class in its share, the same for the same seed; all where it is 0.

    Raises :class:`UsageError` where there are not that many.
    """
    if not number:
        return samples
    if number > len(samples):
        found = f"asks for {number}, {len(samples)} are there"
        raise UsageError("data.train_samples", found, "ask for fewer, or leave it out for all")
    kind = DrawnPart if isinstance(samples, Drawn) else Part
    return kind(samples, stratified_pick(samples.labels, number, seed))

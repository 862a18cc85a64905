"""Labelled images and videos that stay in their files, and are decoded when they are taken."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.files import replacing
from neurodeploy.models.data.decoding import in_threads
from neurodeploy.models.data.listing import Listing
from neurodeploy.models.spikes import Labels, Samples
from neurodeploy.npzstream import NpzWriter

Frames = npt.NDArray[np.uint8]
Shape = tuple[int, int, int, int]

#: A file, how many frames it has, and a generator, or None for the view of tests -> frames of the one shape.
View = Callable[[Path, int, np.random.Generator | None], Frames]

#: Samples that are decoded at a time where many are written.
_BLOCK = 64


@dataclass(frozen=True, eq=False)
class OnDisk:
    """The samples of one side of a dataset.

    Attributes
    ----------
    files : one a sample.
    shape : steps, channels, height, width of every sample, as ``view`` makes it.
    view : decodes one.
    way : what ``view`` does, in words, since it is part of what the samples are.
    saved : indices of the samples that :meth:`save` writes, all where None: a file of a whole test side may be larger
        than the dataset.
    """

    files: Listing
    shape: Shape
    view: View
    way: str
    saved: npt.NDArray[np.int64] | None = None

    @property
    def labels(self) -> Labels:
        """The class of each sample, int64."""
        return self.files.labels

    def __len__(self) -> int:
        return len(self.files)

    def select(self, indices: npt.NDArray[np.integer[Any]]) -> OnDisk:
        """Return the samples at ``indices``, in that order; nothing is read."""
        return replace(self, files=self.files.select(indices), saved=None)

    def take(self, indices: npt.NDArray[np.integer[Any]]) -> Samples:
        """Return the samples at ``indices``, in that order, as tests see them.

        Raises :class:`neurodeploy.errors.InputError` for a file that cannot be decoded.
        """
        return self._decoded(indices, [None] * len(indices))

    def draw(self, indices: npt.NDArray[np.integer[Any]], draws: Sequence[np.random.Generator]) -> Samples:
        """Return the samples at ``indices`` as training sees them, each drawn from its own generator."""
        return self._decoded(indices, draws)

    def fingerprint(self) -> bytes:
        """Return bytes that tell these samples from others: of names, sizes and view, but not of what files hold."""
        return hashlib.sha256(self.files.fingerprint() + f"{self.shape};{self.way}".encode()).digest()

    def save(self, path: Path) -> None:
        """Write an event file with the keys ``spikes`` and ``labels``, a block of samples at a time."""
        chosen = np.arange(len(self)) if self.saved is None else self.saved
        with replacing(path) as temporary, NpzWriter(temporary) as file:
            file.reserve("spikes", (len(chosen), *self.shape), np.uint8)
            for start in range(0, len(chosen), _BLOCK):
                file.append("spikes", self.take(chosen[start : start + _BLOCK]).spikes)
            file.add("labels", self.labels[chosen])

    def _decoded(self, indices: npt.NDArray[np.integer[Any]], draws: Sequence[np.random.Generator | None]) -> Samples:
        frames = np.empty((len(indices), *self.shape), np.uint8)

        def decode(row: int) -> None:
            index = int(indices[row])
            frames[row] = self.view(self.files.path(index), int(self.files.frames[index]), draws[row])

        in_threads(decode, range(len(indices)))
        return Samples(frames, self.labels[indices])

"""Labelled clips as lists of counts: what is mostly silence is kept without it, and made dense batch by batch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.events import EventInput
from neurodeploy.files import replacing
from neurodeploy.models.spikes import Labels, Samples
from neurodeploy.npz import write_npz

Shape = tuple[int, int, int, int]

#: A count that a frame can hold; more events than that in one cell and step are as good as that many.
LARGEST_COUNT = 255


@dataclass(frozen=True, eq=False)
class Counts:
    """One clip: ``cells`` int32 [n], rising indices into its frames in C order, and ``counts`` uint8 [n], above 0."""

    cells: npt.NDArray[np.int32]
    counts: npt.NDArray[np.uint8]


def sparse(frames: npt.NDArray[np.integer[Any]]) -> Counts:
    """Return dense ``frames`` [steps, channels, height, width] as counts; what passes 255 becomes 255."""
    cells = np.flatnonzero(frames)
    counts = np.minimum(frames.ravel()[cells], LARGEST_COUNT)
    return Counts(cells.astype(np.int32), counts.astype(np.uint8))


@dataclass(frozen=True, eq=False)
class Clips:
    """Labelled clips of one shape, taken from a common store.

    Attributes
    ----------
    shape : steps, channels, height, width of every clip.
    starts, ends : int64 [clips], the part of the store that is each clip's.
    cells, counts : int32 and uint8 [entries], the store, usually mapped from a file; see :class:`Counts`.
    labels : int64 [clips].
    saved : int64, the clips that :meth:`save` writes; all where None.
    """

    shape: Shape
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    cells: npt.NDArray[np.int32]
    counts: npt.NDArray[np.uint8]
    labels: Labels
    saved: npt.NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> Counts:
        part = slice(int(self.starts[index]), int(self.ends[index]))
        return Counts(np.asarray(self.cells[part]), np.asarray(self.counts[part]))

    def __iter__(self) -> Iterator[Counts]:
        return (self[index] for index in range(len(self)))

    def select(self, indices: npt.NDArray[np.integer[Any]]) -> Clips:
        """Return the clips at ``indices``, in that order, from the same store; nothing is copied."""
        return Clips(
            self.shape, self.starts[indices], self.ends[indices], self.cells, self.counts, self.labels[indices]
        )

    def relabelled(self, labels: Labels) -> Clips:
        """Return the same clips under other ``labels`` int64 [clips]."""
        return Clips(self.shape, self.starts, self.ends, self.cells, self.counts, labels)

    def take(self, indices: npt.NDArray[np.integer[Any]]) -> Samples:
        """Return the clips at ``indices``, in that order, dense: uint8 [clips, steps, channels, height, width]."""
        frames = np.zeros((len(indices), int(np.prod(self.shape))), np.uint8)
        for row, index in zip(frames, indices, strict=True):
            clip = self[int(index)]
            row[clip.cells] = clip.counts
        return Samples(frames.reshape(len(indices), *self.shape), self.labels[indices])

    @cached_property
    def spikes(self) -> EventInput:
        """All clips as the events of one port, for simulation: a cell's count is the payload of its one event."""
        cells, payload, sample = self._columns()
        size = int(np.prod(self.shape[1:]))
        return EventInput(len(self), self.shape[0], cells // size, cells % size, sample, payload)

    def fingerprint(self) -> bytes:
        """Return the SHA-256 of all that these clips are: shape, every count and its place, labels, order."""
        digest = hashlib.sha256(f"{self.shape};".encode())
        for column in (self.ends - self.starts, self.labels):
            digest.update(np.ascontiguousarray(column, "<i8").data)
        for clip in self:
            digest.update(np.ascontiguousarray(clip.cells, "<i4").data)
            digest.update(np.ascontiguousarray(clip.counts).data)
        return digest.digest()

    def save(self, path: Path) -> None:
        """Write an event file with lists of events and ``labels``; equal clips give equal bytes."""
        if self.saved is not None:
            return self.select(self.saved).save(path)
        cells, payload, sample = self._columns()
        size = int(np.prod(self.shape[1:]))
        columns: dict[str, npt.NDArray[Any]] = {
            "t": (cells // size).astype(np.int16),
            "index": cells % size,
            "sample": sample,
            "payload": payload,
            "samples": np.array(len(self)),
            "steps": np.array(self.shape[0]),
            "labels": self.labels,
        }
        with replacing(path) as temporary:
            write_npz(temporary, columns)

    def _columns(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.uint8], npt.NDArray[np.int32]]:
        """Return cells, counts and the number of the clip of every entry, clip by clip."""
        clips = list(self)
        cells = np.concatenate([np.zeros(0, np.int32), *(clip.cells for clip in clips)])
        counts = np.concatenate([np.zeros(0, np.uint8), *(clip.counts for clip in clips)])
        return cells, counts, np.repeat(np.arange(len(clips), dtype=np.int32), self.ends - self.starts)


def gather(clips: Iterable[Counts], shape: Shape, labels: Labels) -> Clips:
    """Return single clips as :class:`Clips` in memory."""
    parts = list(clips)
    ends = np.cumsum([len(part.cells) for part in parts], dtype=np.int64)
    starts = np.concatenate([np.zeros(1, np.int64), ends[:-1]]) if parts else ends
    cells = np.concatenate([part.cells for part in parts] or [np.zeros(0, np.int32)])
    counts = np.concatenate([part.counts for part in parts] or [np.zeros(0, np.uint8)])
    return Clips(shape, starts, ends, cells, counts, labels)

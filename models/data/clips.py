"""Labelled clips as lists of counts: what is mostly silence is kept without it, and made dense batch by batch."""

from __future__ import annotations

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
    """

    shape: Shape
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    cells: npt.NDArray[np.int32]
    counts: npt.NDArray[np.uint8]
    labels: Labels

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
        size = int(np.prod(self.shape[1:]))
        clips = list(self)
        cells = np.concatenate([clip.cells for clip in clips] or [np.zeros(0, np.int32)]).astype(np.int64)
        payload = np.concatenate([clip.counts for clip in clips] or [np.zeros(0, np.uint8)])
        sample = np.repeat(np.arange(len(clips)), [len(clip.cells) for clip in clips])
        return EventInput(len(clips), self.shape[0], cells // size, cells % size, sample, payload)

    def save(self, path: Path) -> None:
        """Write an event file with lists of events and ``labels``; equal clips give equal bytes."""
        events = self.spikes
        assert events.sample is not None
        assert events.payload is not None
        columns: dict[str, npt.NDArray[Any]] = {
            "t": events.t.astype(np.int16),
            "index": events.index.astype(np.int32),
            "sample": events.sample.astype(np.int32),
            "payload": events.payload,
            "samples": np.array(events.samples),
            "steps": np.array(events.steps),
            "labels": self.labels,
        }
        with replacing(path) as temporary:
            write_npz(temporary, columns)


def gather(clips: Iterable[Counts], shape: Shape, labels: Labels) -> Clips:
    """Return single clips as :class:`Clips` in memory."""
    parts = list(clips)
    ends = np.cumsum([len(part.cells) for part in parts], dtype=np.int64)
    starts = np.concatenate([np.zeros(1, np.int64), ends[:-1]]) if parts else ends
    cells = np.concatenate([part.cells for part in parts] or [np.zeros(0, np.int32)])
    counts = np.concatenate([part.counts for part in parts] or [np.zeros(0, np.uint8)])
    return Clips(shape, starts, ends, cells, counts, labels)

"""Events become frames, by equal number or by equal time, at the sensor's size or smaller."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.errors import InputError
from neurodeploy.models.data.clips import LARGEST_COUNT, Counts, Shape

Ints = npt.NDArray[np.integer[Any]]

#: Up to so many cells an event a table of all cells is filled; beyond, sorting the events is quicker.
_CELLS_AN_EVENT = 64


@dataclass(frozen=True, eq=False)
class Events:
    """What a sensor sent, event by event: ``t`` int64 in us, ``x`` to the right, ``y`` down, ``p`` 1 where brighter.

    Events are in the order of their times; :func:`in_order` makes them so.
    """

    t: npt.NDArray[np.int64]
    x: Ints
    y: Ints
    p: Ints

    def __len__(self) -> int:
        return len(self.t)

    def at(self, which: npt.NDArray[Any] | slice) -> Events:
        """Return the events that an index array, a mask or a slice chooses."""
        return Events(self.t[which], self.x[which], self.y[which], self.p[which])

    def between(self, start: int, end: int) -> Events:
        """Return the events with ``start`` <= t < ``end``, in microseconds."""
        first, last = np.searchsorted(self.t, (start, end))
        return self.at(slice(int(first), max(int(first), int(last))))


def in_order(events: Events) -> Events:
    """Return ``events`` in the order of their times; equal times keep the order of the file."""
    return events if (np.diff(events.t) >= 0).all() else events.at(np.argsort(events.t, kind="stable"))


def by_count(events: Events, steps: int) -> Ints:
    """Return the frame of each event: N // steps events to a frame, what is left over in the last one."""
    size = len(events) // steps
    if not size:
        return np.full(len(events), steps - 1)
    return np.minimum(np.arange(len(events)) // size, steps - 1)


def by_time(events: Events, steps: int) -> Ints:
    """Return the frame of each event: ``steps`` equal spans of time from the first event to the last."""
    if not len(events):
        return np.zeros(0, np.int64)
    since = events.t - events.t[0]
    return np.asarray(since * steps // (since[-1] + 1))


#: The ways to cut a clip into frames, by the name that a recipe's [data] gives them.
FRAMING: dict[str, Callable[[Events, int], Ints]] = {"count": by_count, "time": by_time}


def frames(events: Events, sensor: tuple[int, int], shape: Shape, framing: str) -> Counts:
    """Return how many events each cell of ``shape`` [steps, 2, height, width] gets, OFF in channel 0, ON in channel 1.

    Where ``shape`` is smaller than the ``sensor`` (height, width), a cell sums the events of all pixels whose place it
    covers: pixel x of w goes to column floor(x * width / w), so no event is lost. What passes 255 becomes 255.

    Raises :class:`InputError` where an event lies outside the sensor.
    """
    steps, channels, height, width = shape
    for axis, values, size in (("x", events.x, sensor[1]), ("y", events.y, sensor[0])):
        if len(values) and (values.min() < 0 or values.max() >= size):
            worst = values.max() if values.max() >= size else values.min()
            found = f"has an event at {axis} = {worst} on a sensor of {sensor[1]} x {sensor[0]} pixels"
            raise InputError("a recording", found, "is it this dataset's?")
    step = FRAMING[framing](events, steps)
    rows, columns = events.y * height // sensor[0], events.x * width // sensor[1]
    return _counted(((step * channels + events.p) * height + rows) * width + columns, steps * channels * height * width)


def _counted(cells: Ints, size: int) -> Counts:
    """Return how often each of ``size`` cells stands in ``cells``."""
    if size <= _CELLS_AN_EVENT * len(cells):
        table = np.bincount(cells, minlength=size)
        found = np.flatnonzero(table)
        numbers = table[found]
    else:
        found, numbers = np.unique(cells, return_counts=True)
    return Counts(found.astype(np.int32), np.minimum(numbers, LARGEST_COUNT).astype(np.uint8))

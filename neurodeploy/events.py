"""Spikes as lists of events, for input that comes from an event camera or is mostly silence."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.errors import InputError

Ints = npt.NDArray[np.integer[Any]]


#: What an event has; the last two may be left out.
COLUMNS = ("t", "index", "sample", "payload")

#: Steps over all samples at most for which 64 bits surely count.
_MOST_STEPS = 1 << 62
_NONE = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class EventInput:
    """What enters one port, event by event: the other form of an integer array [samples, steps, *shape].

    Attributes
    ----------
    samples, steps : the extent.
    t, index : integer [events], the step of each event and its cell, counted through the port's shape in (C, H, W)
        order.
    sample : integer [events], the sample of each event; not needed where there is one sample.
    payload : integer [events]; 1 everywhere where not given.

    Columns may be given as anything that :func:`numpy.asarray` takes. Events are sorted by sample and step; within a
    step they have any order, and a cell has at most one event. :func:`check_events` says so of what is not.
    """

    samples: int
    steps: int
    t: Ints
    index: Ints
    sample: Ints | None = None
    payload: Ints | None = None

    def __post_init__(self) -> None:
        for column in COLUMNS:
            if (values := getattr(self, column)) is not None:
                object.__setattr__(self, column, np.asarray(values))

    @property
    def shape(self) -> tuple[int, int]:
        """Samples and steps, as the first two extents of a dense array."""
        return self.samples, self.steps

    def __len__(self) -> int:
        return self.samples

    def __getitem__(self, samples: slice) -> EventInput:
        """Return some samples in a row, as a dense array does."""
        begin, end, _ = samples.indices(self.samples)
        sample = np.zeros(self.t.size, dtype=np.int64) if self.sample is None else self.sample
        cut = (sample >= begin) & (sample < end)
        payload = None if self.payload is None else self.payload[cut]
        return EventInput(max(end - begin, 0), self.steps, self.t[cut], self.index[cut], sample[cut] - begin, payload)

    def step_numbers(self) -> npt.NDArray[np.int64]:
        """Return for each event its step, counted over all samples, int64 [events]."""
        t = np.asarray(self.t, dtype=np.int64)
        return t if self.sample is None else t + np.asarray(self.sample, dtype=np.int64) * self.steps

    def payloads(self) -> Ints:
        """Return the payload of each event."""
        return np.ones(self.t.size, dtype=np.uint8) if self.payload is None else self.payload

    def dense(self, shape: tuple[int, ...]) -> Ints:
        """Return the same spikes as an array [samples, steps, *shape]: uint8 without payloads, else of their type."""
        payloads = self.payloads()
        flat = np.zeros((self.samples * self.steps, int(np.prod(shape))), dtype=payloads.dtype)
        flat[self.step_numbers(), self.index.astype(np.int64)] = payloads
        return flat.reshape(self.samples, self.steps, *shape)


def check_events(name: str, shape: tuple[int, ...], events: EventInput) -> EventInput:
    """Return the events of port ``name`` if they are what :class:`EventInput` says, columns perhaps of another type.

    Raises
    ------
    InputError : columns that are no whole numbers or of unequal length, an event outside samples, steps or shape,
        events that are not sorted, two events of one cell in one step.
    """
    subject, cells = f"input {name!r}", math.prod(shape)
    if (ordered := _in_order(events, cells)) is not None:
        return ordered
    if events.samples < 1 or events.steps < 1:
        raise InputError(subject, f"has {events.samples} samples of {events.steps} steps", "give at least one of each")
    if events.samples * events.steps > _MOST_STEPS:
        found = f"has {events.samples:,} samples of {events.steps:,} steps, {_MOST_STEPS:,} steps can be counted"
        raise InputError(subject, found, "give the extent that the events have")
    limits = {"t": events.steps, "index": cells, "sample": events.samples, "payload": None}
    for column, limit in limits.items():
        if (values := getattr(events, column)) is not None:
            _check_column(subject, column, values, events.t.size, limit)
    if events.sample is None and events.samples > 1:
        raise InputError(subject, f"does not say to which of {events.samples} samples events belong", "give sample")
    _check_order(subject, cells, events)
    return events


def _in_order(events: EventInput, cells: int) -> EventInput | None:
    """Return the events, columns as kernels take them, if one pass finds nothing to refuse.

    A step's events in any other order than that of their cells take a closer look.
    """
    from neurodeploy.event_order import rising

    t, index, sample, payload = events.t, events.index, events.sample, events.payload
    given = [values for values in (t, index, sample, payload) if values is not None]
    sound = all(values.dtype.kind in "iu" and values.shape == (t.size,) for values in given)
    extent = min(events.samples, events.steps) >= 1 and events.samples * events.steps <= _MOST_STEPS
    if not (sound and extent) or (sample is None and events.samples > 1):
        return None
    t, index, sample = whole_column(t), whole_column(index), None if sample is None else whole_column(sample)
    if not rising(t, index, _NONE if sample is None else sample, events.samples, events.steps, cells):
        return None
    same = t is events.t and index is events.index and sample is events.sample
    return events if same else replace(events, t=t, index=index, sample=sample)


def whole_column(values: Ints, kind: type[np.signedinteger[Any]] = np.int64) -> Ints:
    """Return a column of one type, in one piece and writable: for each other form kernels would be compiled anew.

    What 64 signed bits do not hold comes out below 0.
    """
    return values if values.dtype == kind and values.flags.carray else np.array(values, dtype=kind, order="C")


def whole_numbers(subject: str, name: str, values: npt.NDArray[Any]) -> Ints:
    """Return values as integers if that is what they are: float and bool arrays may hold whole numbers too."""
    if values.dtype.kind in "iu":
        return values
    if values.dtype == np.bool_:
        return values.view(np.uint8)
    if values.dtype.kind != "f":
        raise InputError(subject, f"its {name} is of type {values.dtype}", "store integers")
    if (unusual := unusual_numbers(values)) is not None:
        raise InputError(subject, f"its {name} {unusual}", "store integers")
    if (broken := values != np.trunc(values)).any():
        raise InputError(subject, f"its {name} holds fractions, such as {values[broken][0]}", "store integers")
    if values.size and np.abs(values).max() >= 1 << 63:
        raise InputError(subject, f"its {name} holds {np.abs(values).max():g}, beyond 64 bits", "store integers")
    return values.astype(np.int64)


def unusual_numbers(values: npt.NDArray[Any]) -> str | None:
    """Return that floats hold NaN or infinity, how many and where the first one is; None where all are numbers."""
    finite = np.isfinite(values)
    if finite.all():
        return None
    first = [int(i) for i in np.unravel_index(int(finite.argmin()), values.shape)]
    return f"holds NaN or infinity in {np.count_nonzero(~finite):,} of {values.size:,} places, the first at {first}"


def _check_column(subject: str, column: str, values: npt.NDArray[Any], number: int, limit: int | None) -> None:
    if values.ndim != 1 or values.size != number:
        found = f"its {column} has shape {list(values.shape)}, its t {number} entries"
        raise InputError(subject, found, "give lists of one entry an event")
    if values.dtype.kind not in "iu" and values.size:
        whole_numbers(subject, column, values)
        raise InputError(subject, f"its {column} is of type {values.dtype}", "convert it to integers")
    if limit is not None and values.size and not (values.min() >= 0 and values.max() < limit):
        found = f"its {column} is {values.min()} to {values.max()}, allowed are 0 to {limit - 1}"
        raise InputError(subject, found, "drop those events, or give the extent that they have")


def _check_order(subject: str, cells: int, events: EventInput) -> None:
    """Refuse events that are not sorted by sample and step, and two in one place."""
    steps = events.step_numbers()
    keys = steps * cells
    keys += events.index.astype(np.int64, copy=False)
    if (keys[1:] > keys[:-1]).all():
        return
    if (back := steps[1:] < steps[:-1]).any():
        at = int(np.flatnonzero(back)[0]) + 1
        found = f"its events are not sorted by sample and step: event {at} is earlier than the one before"
        raise InputError(subject, found, "sort them: numpy.lexsort((t, sample))")
    keys.sort()
    if (twice := keys[1:] == keys[:-1]).any():
        step, cell = divmod(int(keys[1:][twice][0]), cells)
        found = f"has two events at cell {cell} in step {step % events.steps} of sample {step // events.steps}"
        raise InputError(subject, found, "give one, with their sum as payload")


class Densified(Mapping[str, Ints]):
    """Inputs by port as dense arrays; those given as events are made dense when they are asked for."""

    def __init__(self, inputs: Mapping[str, Ints | EventInput], shapes: Mapping[str, tuple[int, ...]]) -> None:
        self._inputs, self._shapes = dict(inputs), shapes

    def __getitem__(self, name: str) -> Ints:
        values = self._inputs[name]
        if isinstance(values, EventInput):
            values = self._inputs[name] = values.dense(self._shapes[name])
        return values

    def __iter__(self) -> Iterator[str]:
        return iter(self._inputs)

    def __len__(self) -> int:
        return len(self._inputs)

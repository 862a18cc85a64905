"""Spikes as lists of events, for input that comes from an event camera or is mostly silence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.errors import InputError

Ints = npt.NDArray[np.integer[Any]]


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

    Events are sorted by sample and step; within a step they have any order, and a cell has at most one event.
    """

    samples: int
    steps: int
    t: Ints
    index: Ints
    sample: Ints | None = None
    payload: Ints | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Samples and steps, as the first two extents of a dense array."""
        return self.samples, self.steps

    def __len__(self) -> int:
        return len(self.t)

    def step_numbers(self) -> npt.NDArray[np.int64]:
        """Return for each event its step, counted over all samples, int64 [events]."""
        before = 0 if self.sample is None else np.asarray(self.sample, dtype=np.int64) * self.steps
        return np.asarray(self.t, dtype=np.int64) + before

    def payloads(self) -> Ints:
        """Return the payload of each event."""
        return np.ones(len(self), dtype=np.uint8) if self.payload is None else self.payload

    def dense(self, shape: tuple[int, ...]) -> Ints:
        """Return the same spikes as an array [samples, steps, *shape]: uint8 without payloads, else of their type."""
        payloads = self.payloads()
        flat = np.zeros((self.samples * self.steps, int(np.prod(shape))), dtype=payloads.dtype)
        flat[self.step_numbers(), self.index] = payloads
        return flat.reshape(self.samples, self.steps, *shape)


def check_events(name: str, shape: tuple[int, ...], events: EventInput) -> EventInput:
    """Return the events of port ``name`` if they are what :class:`EventInput` says, else raise :class:`InputError`."""
    subject, cells = f"input {name!r}", int(np.prod(shape))
    if events.samples < 1 or events.steps < 1:
        raise InputError(subject, f"has {events.samples} samples of {events.steps} steps", "give at least one of each")
    limits = {"t": events.steps, "index": cells, "sample": events.samples, "payload": None}
    for column, limit in limits.items():
        values = getattr(events, column)
        if values is None:
            continue
        if not isinstance(values, np.ndarray) or values.shape != (len(events),) or values.dtype.kind not in "iu":
            raise InputError(
                subject, f"its {column} is no list of {len(events)} whole numbers", "one a event, all alike"
            )
        if limit is not None and values.size and not (values.min() >= 0 and values.max() < limit):
            found = f"its {column} is {values.min()} to {values.max()}, allowed are 0 to {limit - 1}"
            raise InputError(subject, found, "drop those events, or give the extent that they have")
    if events.sample is None and events.samples > 1:
        raise InputError(subject, f"does not say to which of {events.samples} samples events belong", "give sample")
    steps = events.step_numbers()
    if (steps[1:] < steps[:-1]).any():
        raise InputError(
            subject, "its events are not sorted by sample and step", "sort them: numpy.lexsort((t, sample))"
        )
    keys = np.sort(steps * cells + events.index)
    if (twice := keys[1:] == keys[:-1]).any():
        step, cell = divmod(int(keys[1:][twice][0]), cells)
        found = f"has two events at cell {cell} in step {step % events.steps} of sample {step // events.steps}"
        raise InputError(subject, found, "give one, with their sum as payload")
    return events


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

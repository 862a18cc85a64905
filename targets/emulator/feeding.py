"""Brings what enters a network into the arrays that the kernel reads, without a pass over zeros where it can."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.events import EventInput, whole_column
from neurodeploy.network import Network
from neurodeploy.targets.emulator.memory import BYTES, EVENTS, INTS, Inputs
from neurodeploy.targets.emulator.packing import Int32

Spikes = npt.NDArray[np.integer[Any]]

#: Payloads are cut to this; far smaller ones already go through the golden model.
_MOST = int(np.iinfo(np.int32).max)
_NONE: Int32 = np.zeros(0, dtype=np.int32)


def dense_inputs(network: Network, spikes: Mapping[str, Spikes]) -> Inputs:
    """Return arrays [samples, steps, *shape of the port] as they are, ports side by side."""
    flat = [values.reshape(*values.shape[:2], -1) for values in (spikes[port.name] for port in network.ports)]
    joined = flat[0] if len(flat) == 1 else np.concatenate(flat, axis=2)
    joined = np.ascontiguousarray(joined if joined.dtype == np.uint8 else joined.clip(-_MOST, _MOST).astype(np.int32))
    if joined.dtype == np.uint8:
        return Inputs(BYTES, dense=joined, cells=joined.shape[2])
    return Inputs(INTS, wide=joined, cells=joined.shape[2])


def event_inputs(network: Network, perm: Int32, events: Mapping[str, EventInput]) -> Inputs:
    """Return the events of all ports in internal order, sorted by step, port and cell.

    ``perm`` is that of the program: the internal index within its port of every cell in torch order.
    """
    from neurodeploy.targets.emulator import event_lists

    ports, (samples, steps) = len(network.ports), next(iter(events.values())).shape
    given = [events[port.name] for port in network.ports]
    first = np.zeros((samples, steps, ports + 1), dtype=np.int64)
    rows, wheres = first.reshape(-1, ports + 1), [whole_column(each.step_numbers(), np.int64) for each in given]
    for nth, where in enumerate(wheres):
        event_lists.count(where, nth, rows)
    event_lists.add_up(rows)
    total = sum(where.size for where in wheres)
    indices, payloads, begin = np.empty(total, dtype=np.int32), np.ones(total, dtype=np.int32), 0
    for nth, (port, each, where) in enumerate(zip(network.ports, given, wheres, strict=True)):
        inner = perm[begin : begin + math.prod(port.shape)]
        cells = whole_column(each.index, np.int64)
        sent = _NONE if each.payload is None else whole_column(each.payload.clip(-_MOST, _MOST), np.int32)
        event_lists.place(where, cells, sent, inner, nth, rows, indices, payloads)
        begin += inner.size
    return Inputs(EVENTS, first=first, indices=indices, payloads=payloads, width=ports + 1)


def loudest(inputs: Inputs) -> int:
    """Return the largest |payload|."""
    values = (inputs.dense, inputs.wide, inputs.payloads)[inputs.form]
    return max(abs(int(values.min())), abs(int(values.max()))) if values.size else 0

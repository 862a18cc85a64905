"""Brings what enters a network into the arrays that the kernel reads, without a pass over zeros where it can."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.events import EventInput
from neurodeploy.network import Network
from neurodeploy.targets.emulator.memory import BYTES, EVENTS, INTS, Inputs
from neurodeploy.targets.emulator.packing import Int32

Spikes = npt.NDArray[np.integer[Any]]

#: Payloads are cut to this; far smaller ones already go through the golden model.
_MOST = int(np.iinfo(np.int32).max)


def dense_inputs(network: Network, spikes: Mapping[str, Spikes]) -> Inputs:
    """Return arrays [samples, steps, *shape of the port] as they are, ports side by side."""
    flat = [spikes[port.name].reshape(*spikes[port.name].shape[:2], -1) for port in network.ports]
    joined = flat[0] if len(flat) == 1 else np.concatenate(flat, axis=2)
    joined = np.ascontiguousarray(joined if joined.dtype == np.uint8 else joined.clip(-_MOST, _MOST).astype(np.int32))
    forms = {BYTES: np.zeros((*joined.shape[:2], 0), np.uint8), INTS: np.zeros((*joined.shape[:2], 0), np.int32)}
    form = BYTES if joined.dtype == np.uint8 else INTS
    forms[form] = joined
    none, first = np.zeros(0, dtype=np.int32), np.zeros((*joined.shape[:2], 1), dtype=np.int64)
    return Inputs(form, forms[BYTES], forms[INTS], first, none, none, cells=joined.shape[2])


def event_inputs(network: Network, perm: Int32, events: Mapping[str, EventInput]) -> Inputs:
    """Return the events of all ports in internal order, sorted by step, port and cell.

    ``perm`` is that of the program: the internal index within its port of every cell in torch order.
    """
    ports, sizes = len(network.ports), [int(np.prod(port.shape)) for port in network.ports]
    samples, steps = next(iter(events.values())).shape
    keys, payloads = [], []
    for nth, (port, inner) in enumerate(zip(network.ports, np.split(perm, np.cumsum(sizes)[:-1]), strict=True)):
        given = events[port.name]
        keys.append((given.step_numbers() * ports + nth) * max(sizes) + inner[given.index])
        payloads.append(given.payloads().clip(-_MOST, _MOST).astype(np.int32))
    key, payload = np.concatenate(keys), np.concatenate(payloads)
    if (key[1:] < key[:-1]).any():
        order = np.argsort(key)
        key, payload = key[order], payload[order]
    where, index = np.divmod(key, max(sizes))
    edges = np.zeros(samples * steps * ports + 1, dtype=np.int64)
    np.cumsum(np.bincount(where, minlength=samples * steps * ports), out=edges[1:])
    first = np.lib.stride_tricks.sliding_window_view(edges, ports + 1)[::ports].reshape(samples, steps, ports + 1)
    none = (np.zeros((samples, steps, 0), np.uint8), np.zeros((samples, steps, 0), np.int32))
    return Inputs(EVENTS, *none, np.ascontiguousarray(first), index.astype(np.int32), payload, width=ports + 1)


def loudest(inputs: Inputs) -> int:
    """Return the largest |payload|."""
    values = (inputs.dense, inputs.wide, inputs.payloads)[inputs.form]
    return max(abs(int(values.min())), abs(int(values.max()))) if values.size else 0

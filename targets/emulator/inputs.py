"""Lists the input events of one step in internal order, sorted, straight from a dense array."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from neurodeploy.targets.emulator.columns import CHANNELS, HEIGHT, WIDTH
from neurodeploy.targets.emulator.rows import OPTIONS


@intrinsic  # type: ignore[untyped-decorator]
def word(context, address):  # type: ignore[no-untyped-def]
    """Return the eight bytes at an address, aligned or not."""

    def code(_: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load(builder.inttoptr(arguments[0], ir.IntType(64).as_pointer()), align=1)

    return types.uint64(types.intp), code


@njit(**OPTIONS)
def list_fired(s, at, size, offset, indices, begin):  # type: ignore[no-untyped-def]
    """List which of the ``size`` flags from ``s[at]`` on are set, as offset + place, from ``indices[begin]`` on.

    Return where the list ends. Eight flags are looked at together and their indices written without a branch, so that
    the list needs room for one more entry than there are flags.
    """
    since, to, whole = np.uint64(at), begin, size & ~7
    first = s.ctypes.data + at
    for block in range(0, whole, 8):
        if word(first + block):
            for i in range(block, block + 8):
                indices[np.uint64(to)] = offset + i
                to += s[since + np.uint64(i)]
    for i in range(whole, size):
        indices[np.uint64(to)] = offset + i
        to += s[since + np.uint64(i)]
    return to


@njit(**OPTIONS)
def list_port(dense, at, part, indices, payloads, begin):  # type: ignore[no-untyped-def]
    """List a port's nonzero cells of one step, in torch order from ``dense[at]`` on, by internal index.

    Return how many there are and how loud the loudest is: 1 where all payloads are 1, else at least 2. Eight bytes of
    every channel are looked at together; both lists need room for one entry more than the port has cells.
    """
    channels, plane = part[CHANNELS], part[HEIGHT] * part[WIDTH]
    step, address, to = 8 // dense.itemsize, dense.ctypes.data, begin
    low, high = np.int64(0), np.int64(1)
    for place in range(0, plane, step):
        some = min(step, plane - place)
        found = np.uint64(some < step)
        if some == step:
            for c in range(channels):
                found |= word(address + dense.itemsize * (at + c * plane + place))
        if found == 0:
            continue
        for i in range(place, place + some):
            for c in range(channels):
                value = np.int64(dense[np.uint64(at + c * plane + i)])
                indices[np.uint64(to)] = i * channels + c
                payloads[np.uint64(to)] = value
                to += np.int64(value != 0)
                low, high = min(low, value), max(high, value)
    return to - begin, high if low == 0 and high == 1 else max(np.int64(2), high, -low)


@njit(**OPTIONS)
def copy_events(events, first, end, indices, payloads, begin):  # type: ignore[no-untyped-def]
    """Copy the events [first, end) of a list given as such; return as :func:`list_port`."""
    low, high = np.int64(1), np.int64(1)
    for e in range(first, end):
        value = np.int64(events.payloads[e])
        indices[begin + e - first] = events.indices[e]
        payloads[begin + e - first] = value
        low, high = min(low, value), max(high, value)
    return end - first, np.int64(1) if low == high else max(np.int64(2), high, -low)

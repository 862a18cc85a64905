"""Lists the events of one step: of the neurons that fired, and of what enters, in internal order."""

from __future__ import annotations

import numpy as np

from neurodeploy.targets.emulator import columns as c
from neurodeploy.targets.emulator.jit import first_way, njit
from neurodeploy.targets.emulator.pointers import beyond, bits_set, lowest, nonzero, store_eight, store_marked, unusual
from neurodeploy.targets.emulator.rows import OPTIONS

i32, u64 = np.int32, np.uint64

#: For each byte the places of the bits that are set in it, one a byte, from the lowest on.
_PLACES = np.array(
    [sum(bit << 8 * n for n, bit in enumerate(b for b in range(8) if byte >> b & 1)) for byte in range(256)], np.uint64
)


@njit(inline="always")
def _marked(flags, place, end):
    """Return which of the flags [place, end) are not 0, but at most 64 of them, as bits; place is 0, 64 or so on."""
    if place + 64 <= end:
        return nonzero(beyond(flags, place))
    if place:
        return nonzero(beyond(flags, end - 64)) >> u64(64 + place - end)
    bits = np.uint64(0)
    for i in range(place, end):
        bits |= np.uint64(flags[i] != 0) << np.uint64(i - place)
    return bits


@njit(inline="always")
def _list_by_table(bits, offset, to, indices):
    """List the places of the bits that are set, plus offset, from ``to`` on; return where the list ends then."""
    for byte in range(0, 64, 8):
        eight = bits >> np.uint64(byte) & np.uint64(255)
        store_eight(beyond(indices, to), _PLACES[eight], i32(offset + byte))
        to += bits_set(eight)
    return to


@njit(inline="always")
def _list_by_instruction(bits, offset, to, indices):
    """As :func:`_list_by_table`, on processors with AVX-512."""
    for half in range(0, 64, 16):
        sixteen = bits >> np.uint64(half) & np.uint64(0xFFFF)
        store_marked(beyond(indices, to), sixteen, i32(offset + half))
        to += bits_set(sixteen)
    return to


#: Feature of a processor -> how it lists bits; the first that it has.
WAYS = (("+avx512f", _list_by_instruction), ("", _list_by_table))
_list_bits = first_way(WAYS)

#: Of a word with at most so many bits they are listed one by one.
_FEW = 8


@njit(inline="always")
def _list_four(bits, offset, to, indices):
    """List the four lowest bits, or what is left and something after it; return the bits above them."""
    for nth in range(4):
        indices[to + nth] = i32(offset + lowest(bits))
        bits &= bits - np.uint64(1)
    return bits


@njit(inline="always")
def _list_few(bits, number, offset, to, indices):
    """List at most :data:`_FEW` bits without asking after every one whether it is the last."""
    rest = _list_four(bits, offset, to, indices)
    if number > 4:
        _list_four(rest, offset, to + 4, indices)


@njit(inline="always")
def _list_word(bits, offset, to, indices):
    """List the bits of a word; return where the list ends then."""
    number = bits_set(bits)
    if number > _FEW:
        _list_bits(bits, offset, to, indices)
    elif number:
        _list_few(bits, number, offset, to, indices)
    return to + number


@njit(**OPTIONS)
def list_fired(s, size, offset, indices, grain, edges, listed):
    """List which of ``size`` flags are set, as offset + place; return how many. Up to sixteen entries more are written.

    Few branches depend on single flags: some at a time become the places of those that are set.

    Unless ``grain`` is 0, note from ``edges[0]`` on where in the list, which has ``listed`` entries already, every
    stretch of so many flags begins; grain divides 64, or 64 divides it.
    """
    to, edge, due = np.int64(0), np.int64(0), np.int64(0)
    for place in range(0, size, 64):
        bits = _marked(s, place, size)
        if grain and place == due:
            start, end = 0, min(64, size - place)
            while start < end:  # a range by a step that is not known divides first
                edges[edge] = listed + to + bits_set(bits & ((np.uint64(1) << np.uint64(start)) - np.uint64(1)))
                edge, start = edge + 1, start + grain
            due += max(grain, 64)
        to = _list_word(bits, offset + place, to, indices)
    return to


@njit(**OPTIONS)
def mark_edges(indices, number, grain, edges, last):
    """Note where in a sorted list each of ``last`` stretches of ``grain`` cells begins, and where the last one ends."""
    e, limit = np.int64(0), np.int64(0)
    for place in range(last):
        edges[place] = e
        limit += grain
        while e < number and indices[e] < limit:
            e += 1
    edges[last] = number


@njit(inline="always")
def _all_plain(values, size):
    """Return whether all values are 0 or 1."""
    found = u64(0) if size < 64 else unusual(beyond(values, size - 64))
    for place in range(0, size - 63, 64):
        found |= unusual(beyond(values, place))
    for i in range(size if size < 64 else 0):
        found |= u64(values[i]) >> u64(1)
    return found == u64(0)


@njit(inline="always")
def _spread(bits):
    """Return the 32 lowest bits with a bit between any two."""
    bits &= u64(0xFFFFFFFF)
    bits = (bits | bits << u64(16)) & u64(0x0000FFFF0000FFFF)
    bits = (bits | bits << u64(8)) & u64(0x00FF00FF00FF00FF)
    bits = (bits | bits << u64(4)) & u64(0x0F0F0F0F0F0F0F0F)
    bits = (bits | bits << u64(2)) & u64(0x3333333333333333)
    return (bits | bits << u64(1)) & u64(0x5555555555555555)


@njit(inline="always")
def _list_plain(dense, channels, plane, indices):
    """As :func:`list_port` where there are one or two channels and all values are 0 or 1; return how many are 1."""
    to = np.int64(0)
    for place in range(0, plane, 64):
        word = bits = _marked(dense, place, plane)
        others = _marked(beyond(dense, plane), place, plane) if channels == 2 else u64(0)
        if bits | others:
            for nth in range(channels):
                if channels == 2:
                    half = u64(32 * nth)
                    word = _spread(bits >> half) | _spread(others >> half) << u64(1)
                to = _list_word(word, channels * place + 64 * nth, to, indices)
    return to


@njit(**OPTIONS)
def list_bytes(dense, part, indices, payloads):
    """As :func:`list_port` of values of a byte; payloads are not listed where all are 1."""
    channels, plane = part[c.CHANNELS], part[c.HEIGHT] * part[c.WIDTH]
    if channels <= 2 and _all_plain(dense, channels * plane):
        return _list_plain(dense, channels, plane, indices), np.int64(1)
    return list_port(dense, part, indices, payloads)


@njit(**OPTIONS)
def list_port(dense, part, indices, payloads):
    """List a port's nonzero cells of one step, given in torch order, by internal index.

    Return how many there are and how loud the loudest is: 1 where all payloads are 1, else at least 2.
    """
    channels, plane = part[c.CHANNELS], part[c.HEIGHT] * part[c.WIDTH]
    to, low, high = np.int64(0), np.int64(1), np.int64(1)
    for place in range(0, plane, 64):
        bits = np.uint64(0)
        for channel in range(channels):
            bits |= _marked(dense, channel * plane + place, channel * plane + min(place + 64, plane))
        while bits:
            i = place + lowest(bits)
            bits &= bits - np.uint64(1)
            for channel in range(channels):  # no branch on a value, which nobody can foresee
                value = np.int64(dense[channel * plane + i])
                silent = np.int64(value == 0)
                indices[to] = i * channels + channel
                payloads[to] = value
                to += 1 - silent
                low, high = min(low, value + silent), max(high, value)
    return to, np.int64(1) if low == high else max(np.int64(2), high, -low)


@njit(**OPTIONS)
def copy_events(from_indices, from_payloads, number, indices, payloads):
    """Copy a list of events; return how loud the loudest is, as :func:`list_port`."""
    low, high = np.int64(1), np.int64(1)
    for e in range(number):
        value = np.int64(from_payloads[e])
        indices[e] = from_indices[e]
        payloads[e] = value
        low, high = min(low, value), max(high, value)
    return np.int64(1) if low == high else max(np.int64(2), high, -low)

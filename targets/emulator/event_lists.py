"""Puts events that were given by port into the lists that the kernels read, in one pass over them."""

from __future__ import annotations

import numpy as np

from neurodeploy.targets.emulator.jit import njit
from neurodeploy.targets.emulator.pointers import lowest
from neurodeploy.targets.emulator.rows import OPTIONS


@njit(cache=True, **OPTIONS)
def count(where, port, first):
    """Add to ``first[step, port + 1]`` the events of a port in each step; ``where`` is int64 [events], their steps."""
    for e in range(where.size):
        first[where[e], port + 1] += 1


@njit(cache=True, **OPTIONS)
def add_up(first):
    """Turn the numbers in ``first[:, 1:]``, int64 [steps, ports + 1], into where each port's events begin and end."""
    total = np.int64(0)
    for step in range(first.shape[0]):
        first[step, 0] = total
        for port in range(1, first.shape[1]):
            total += first[step, port]
            first[step, port] = total


@njit(cache=True, **OPTIONS)
def place(where, cells, sent, inner, port, first, indices, payloads):
    """Write the events of a port, in order of steps, to where ``first`` says, sorted by internal index.

    Parameters
    ----------
    cells, sent : int64 and int32 [events], cell in torch order and payload; no payloads where all are 1.
    inner : int32 [cells], the internal index of each cell.
    indices, payloads : int32 [events of all ports], what is written; payloads are 1 already.
    """
    flags, loud = np.zeros((inner.size + 63) // 64, dtype=np.uint64), np.zeros(0, dtype=np.int32)
    if sent.size:
        loud = np.empty(inner.size, dtype=np.int32)
    e = 0
    while e < where.size:
        step, start = where[e], e
        begin = first[step, port]
        end = start + first[step, port + 1] - begin
        last, rising = np.int32(-1), True
        for e in range(start, end):
            index = inner[cells[e]]
            rising &= index > last
            last = index
            indices[begin + e - start] = index
            if sent.size:
                payloads[begin + e - start] = sent[e]
        e = end
        if not rising:
            _sort(indices[begin : begin + end - start], payloads[begin : begin + end - start], flags, loud)


@njit(**OPTIONS)
def _sort(indices, payloads, flags, loud):
    """Sort the events of a step, none of which are of one cell, by flags of the cells, 64 to a word and clear again.

    loud : room for a payload of each cell, or none where all are 1.
    """
    low, high = flags.size, 0
    for e in range(indices.size):
        word = indices[e] >> 6
        flags[word] |= np.uint64(1) << np.uint64(indices[e] & 63)
        low, high = min(low, word), max(high, word)
        if loud.size:
            loud[indices[e]] = payloads[e]
    to = 0
    for word in range(low, high + 1):
        bits = flags[word]
        flags[word] = 0
        while bits:
            cell = word * 64 + lowest(bits)
            bits &= bits - np.uint64(1)
            indices[to] = cell
            if loud.size:
                payloads[to] = loud[cell]
            to += 1

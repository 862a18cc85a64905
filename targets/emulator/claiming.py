"""How a thread takes its turn: it claims what waits for nothing; see :mod:`neurodeploy.targets.emulator.turns`."""

from __future__ import annotations

import numpy as np

from neurodeploy.targets.emulator.jit import njit
from neurodeploy.targets.emulator.pointers import acquire, beyond, release, swap
from neurodeploy.targets.emulator.turns import APART

#: What :func:`claim` answers where there is no task: none yet, and never again.
NOTHING, FINISHED = -1, -2


@njit(inline="always")
def _ready(turns, group, chunk):
    """Return whether a group can run a chunk."""
    for rule in range(turns.first[group], turns.first[group + 1]):
        other, offset = turns.waits[2 * rule], turns.waits[2 * rule + 1]
        if acquire(beyond(turns.done, other * APART)) < chunk + offset:
            return False
    return True


@njit(inline="always")
def claim(turns, groups, chunks):
    """Return a group that nobody else runs now and its chunk, or :data:`NOTHING` or :data:`FINISHED`.

    The last that can run goes first: what it reads is in the caches still.
    """
    left = False
    for group in range(groups - 1, -1, -1):
        chunk = acquire(beyond(turns.done, group * APART))
        if chunk >= chunks:
            continue
        left = True
        taken = beyond(turns.claimed, group * APART)
        if acquire(taken) == 0 and _ready(turns, group, chunk) and swap(taken, 0, 1):
            chunk = acquire(beyond(turns.done, group * APART))  # another thread may have run it in between
            if chunk < chunks and _ready(turns, group, chunk):
                return group, chunk
            release(taken, 0)
    return (NOTHING if left else FINISHED), np.int64(0)


@njit(inline="always")
def give_back(turns, group, chunk):
    """Say that a chunk of a group is done and that others may run the next one."""
    release(beyond(turns.done, group * APART), chunk + 1)
    release(beyond(turns.claimed, group * APART), 0)

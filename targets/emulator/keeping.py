"""Writes what is recorded of a step: into the caches, or past them where nobody reads it soon."""

from __future__ import annotations

from neurodeploy.targets.emulator.jit import njit
from neurodeploy.targets.emulator.pointers import address, beyond, stream_line


@njit(inline="always")
def keep(source, number, goal, streams):
    """Copy int32 cells, past the caches where ``streams``."""
    if streams:
        stream(source, number, goal, 16)
    else:
        copy(source, number, goal)


@njit(inline="always")
def copy(source, number, goal):
    """Copy cells."""
    for i in range(number):
        goal[i] = source[i]


@njit(inline="always")
def stream(source, number, goal, lanes):
    """Copy past the caches; ``lanes`` cells fill a cache line. What does not fill one is copied as ever."""
    lines = number // lanes if address(goal) & 63 == 0 else 0
    for i in range(lines):
        stream_line(beyond(source, i * lanes), beyond(goal, i * lanes))
    whole = lines * lanes
    copy(beyond(source, whole), number - whole, beyond(goal, whole))

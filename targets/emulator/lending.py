"""Memory for recordings that comes back for the next run once nobody looks at it any more.

The system clears every page that it hands out, and takes back what is freed; for a recording of some megabytes both
together take longer than it takes the kernel to write it. What comes back is kept up to :data:`KEPT` bytes.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.targets.emulator.packing import aligned

#: Bytes from which an array is lent; the system's own allocator keeps smaller ones by itself.
LENT = 1 << 18
#: Bytes that wait for the next run at most.
KEPT = 1 << 27
#: How many times as large as what is asked for memory may be that is lent again.
_WASTE = 1.5

#: What came back, the oldest first, by identity: single operations on a dict need no lock.
_shelf: dict[int, npt.NDArray[np.uint8]] = {}


class _Loan:
    """The owner of lent memory: numpy keeps it as long as any view of the array lives."""

    def __init__(self, memory: npt.NDArray[np.uint8], shape: tuple[int, ...], kind: npt.DTypeLike) -> None:
        self._memory = memory
        described = np.dtype(kind).str
        self.__array_interface__ = {"version": 3, "shape": shape, "typestr": described, "data": (_start(memory), False)}

    def __del__(self) -> None:
        _put_back(self._memory)


def lend(shape: tuple[int, ...], kind: npt.DTypeLike) -> npt.NDArray[Any]:
    """Return an array, not cleared; one that is lent begins with a cache line."""
    size = math.prod(shape) * np.dtype(kind).itemsize
    if size < LENT:
        return np.empty(shape, kind)
    return np.asarray(_Loan(_taken(size), shape, kind))


def waiting() -> int:
    """Return how many bytes wait for the next run."""
    return sum(memory.nbytes for memory in list(_shelf.values()))


def _start(memory: npt.NDArray[np.uint8]) -> int:
    return int(memory.__array_interface__["data"][0])


def _taken(size: int) -> npt.NDArray[np.uint8]:
    """Return the smallest memory that waits and suffices without much waste, else new memory."""
    enough = [(memory.nbytes, key) for key, memory in list(_shelf.items()) if size <= memory.nbytes <= _WASTE * size]
    found = _shelf.pop(min(enough)[1], None) if enough else None
    return aligned(size, np.uint8) if found is None else found


def _put_back(memory: npt.NDArray[np.uint8]) -> None:
    if memory.nbytes > KEPT:
        return
    _shelf[id(memory)] = memory
    while waiting() > KEPT:
        _shelf.pop(next(iter(list(_shelf))), None)

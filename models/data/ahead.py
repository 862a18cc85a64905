"""Batches made ahead of the loop that uses them."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

#: Batches that wait at most; one being used, one ready and one being made keep a loop from waiting.
DEPTH = 2

#: Seconds between two looks at whether anybody still wants what is made.
_LOOK = 0.1


@dataclass(frozen=True)
class _Failure:
    error: BaseException


class _End:
    pass


class ahead(Iterator[T], Generic[T]):
    """Iterate over ``items`` while a thread makes the next ``depth`` of them; order and items stay the same.

    What making an item raises is raised in the loop, in its place. A loop that is left early, or :meth:`close`, ends
    the thread. ``waited`` is how many seconds the loop has waited in all: near 0 where items are made fast enough.
    """

    def __init__(self, items: Iterable[T], depth: int = DEPTH) -> None:
        self.waited = 0.0
        self._ready: queue.Queue[T | _Failure | _End] = queue.Queue(depth)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=_fill, args=(iter(items), self._ready, self._stop), daemon=True)
        self._thread.start()

    def __next__(self) -> T:
        began = time.perf_counter()
        if self._stop.is_set():
            raise StopIteration
        item = self._ready.get()
        self.waited += time.perf_counter() - began
        if isinstance(item, _Failure):
            self.close()
            raise item.error
        if isinstance(item, _End):
            self.close()
            raise StopIteration
        return item

    def close(self) -> None:
        """End the thread; what it has made is dropped."""
        self._stop.set()

    def __del__(self) -> None:
        self._stop.set()


def _fill(items: Iterator[T], ready: queue.Queue[T | _Failure | _End], stop: threading.Event) -> None:
    """Run in the thread; holds no reference to the iterator that reads, so that dropping that one ends this."""
    try:
        for item in items:
            if not _put(ready, item, stop):
                return
        _put(ready, _End(), stop)
    except BaseException as error:  # noqa: BLE001 - whatever it is, the loop gets it
        _put(ready, _Failure(error), stop)


def _put(ready: queue.Queue[T | _Failure | _End], item: T | _Failure | _End, stop: threading.Event) -> bool:
    while not stop.is_set():
        try:
            ready.put(item, timeout=_LOOK)
        except queue.Full:
            continue
        return True
    return False

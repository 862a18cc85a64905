"""A function over many items in several threads, its results in the order of the items."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

#: More threads than this do not read faster.
MOST_THREADS = 8


def mapped(function: Callable[[T], R], items: Iterable[T], threads: int = 0) -> Iterator[R]:
    """Yield ``function(item)`` of all ``items`` in their order, computed in ``threads`` threads.

    0 threads are one for each core of the machine, up to 8. At most two results a thread wait, so that memory does not
    grow with the items. What the function raises is raised in its place; what was not begun by then is not done.
    """
    threads = threads or min(os.cpu_count() or 1, MOST_THREADS)
    waiting: deque[Future[R]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) >= 2 * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for each in waiting:
                each.cancel()

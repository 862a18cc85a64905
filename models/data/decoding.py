"""The threads that read and decode files: as many as the processor has room for, shared by everything that loads.

What is decoded stands where its item did, so that a batch tells neither the number of threads nor their speed. FFmpeg
and Pillow let go of Python's lock while they work.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import lru_cache
from typing import TypeVar

from neurodeploy.errors import UsageError

T = TypeVar("T")
R = TypeVar("R")

#: Names another number of threads than one for each processor core that this process may use.
THREADS_VARIABLE = "NEURODEPLOY_DATA_THREADS"

#: Items of :func:`in_threads` that wait for a thread at a time; a dataset has millions of files.
_BLOCK = 4096


def in_threads(function: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """Return ``function`` of each item, in order, computed in the decoding threads; otherwise as :func:`mapped`."""
    return list(mapped(function, items, _BLOCK))


def mapped(function: Callable[[T], R], items: Iterable[T], ahead: int = 0) -> Iterator[R]:
    """Yield ``function`` of each item, in order, computed in the decoding threads.

    At most ``ahead`` items, two for each thread where it is 0, are taken and not yet yielded, so that memory does not
    grow with their number. Raises what the first item in order to fail has raised; by then, and when the
    iterator is left early, no item is being worked on any more.
    """
    pool, tasks = _pool(threads()), deque[Future[R]]()
    try:
        for item in items:
            tasks.append(pool.submit(function, item))
            if len(tasks) >= (ahead or 2 * threads()):
                yield tasks.popleft().result()
        while tasks:
            yield tasks.popleft().result()
    finally:
        for task in tasks:
            task.cancel()
        wait(tasks)


def threads() -> int:
    """Return how many threads decode."""
    text = os.environ.get(THREADS_VARIABLE)
    if text is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not text.isdecimal() or not 1 <= int(text) <= 1024:
        raise UsageError(THREADS_VARIABLE, f"{text!r} is no number of threads", "give 1 to 1024, or leave it out")
    return int(text)


@lru_cache(maxsize=1)
def _pool(number: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(number, thread_name_prefix="decoding")

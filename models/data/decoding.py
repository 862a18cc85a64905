"""The threads that decode files: as many as the processor has room for, shared by everything that loads.

What is decoded is put where its index says, so that a batch tells neither the number of threads nor their speed. FFmpeg
and Pillow let go of Python's lock while they work; memory holds one file for each thread beside the batch.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from functools import lru_cache
from itertools import islice
from typing import TypeVar

from neurodeploy.errors import UsageError

T = TypeVar("T")
R = TypeVar("R")

#: Names another number of threads than one for each processor core that this process may use.
THREADS_VARIABLE = "NEURODEPLOY_DATA_THREADS"

#: Items that wait for a thread at a time; a dataset has millions of files, and a waiting one takes a kilobyte.
_BLOCK = 4096


def in_threads(function: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """Return ``function`` of each item, in order, computed in the decoding threads.

    Raises what the first item in order to fail has raised; by then no item is being worked on any more.
    """
    pool, left, found = _pool(threads()), iter(items), list[R]()
    while block := list(islice(left, _BLOCK)):
        found += _in_order([pool.submit(function, item) for item in block])
    return found


def _in_order(tasks: list[Future[R]]) -> list[R]:
    wait(tasks, return_when=FIRST_EXCEPTION)
    # Tasks begin in order: one that can still be cancelled comes after the one that failed.
    for task in tasks:
        task.cancel()
    wait(tasks)
    return [task.result() for task in tasks]


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

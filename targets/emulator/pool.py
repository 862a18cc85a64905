"""Threads that wait for the next run: to start them takes as long as a short run takes."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache


@cache
def pool(threads: int) -> ThreadPoolExecutor:
    """Return so many threads, which all runs of this process share; each starts when it is first needed."""
    return ThreadPoolExecutor(threads, thread_name_prefix="neurodeploy")


if hasattr(os, "register_at_fork"):  # threads do not survive a fork
    os.register_at_fork(after_in_child=pool.cache_clear)

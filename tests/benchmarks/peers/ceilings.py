"""What this machine can do at best in the operations that a simulation consists of, measured beside it.

clock : cycles, from a chain of multiplications and additions in 64 bits that each wait for the one before. The floor
    grants one vector of eight int32 additions a cycle.
additions : int32 additions in the nearest cache whose sums stay in registers, the most that a loop reaches.
accumulations : the same with sums in memory, ``sums[i] += row[i]``, what a straightforward loop reaches.
updates : leaky integrate-and-fire neurons in the nearest cache where nothing can wrap or saturate: decay of current and
    membrane, threshold, reset, spike.
multiplications : multiply-adds of a float32 matrix product of 1024 x 1024 x 1024.

Each per second, the best of some tries, on one thread and on as many as there are processors.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np

from tests.benchmarks.peers.serving import Job, serve

ROWS, WIDTH, NEURONS, SIDE = 4, 1024, 1024, 1024
TRIES = 4
#: Cycles that a link of the chain takes: three for a product of 64 bits, one for a sum.
LATENCY = 4
f64, i32, u64 = np.float64, np.int32, np.uint64


@numba.njit(nogil=True, cache=True)
def chain(links):  # type: ignore[no-untyped-def]
    """Return the end of a chain of which no link can be foreseen."""
    x = u64(1)
    for _ in range(links):
        x = u64(u64(x * x) + u64(1442695040888963407))
    return x


@numba.njit(nogil=True, cache=True)
def add_up(rows, times):  # type: ignore[no-untyped-def]
    """Return a mixture of the sums over all rows."""
    found = i32(0)
    for k in range(times):
        total = i32(0)
        for i in range(len(rows)):
            total = i32(total + rows[i])
        found ^= i32(total + k)
    return found


@numba.njit(nogil=True, cache=True)
def add_rows(sums, rows, times):  # type: ignore[no-untyped-def]
    """Add rows to sums again and again."""
    for k in range(times):
        row = rows[k % len(rows)]
        for i in range(len(sums)):
            sums[i] += row[i]


@numba.njit(nogil=True, cache=True)
def update_neurons(a, u, v, s, keep_u, keep_v, threshold, times):  # type: ignore[no-untyped-def]
    """Do steps of leaky integrate-and-fire neurons; ``keep`` are shares of 1, products of them exact in doubles."""
    for _ in range(times):
        for i in range(len(a)):
            current = i32(i32(f64(u[i]) * keep_u) + i32(a[i] << i32(6)))
            potential = i32(i32(f64(v[i]) * keep_v) + current)
            fires = i32(potential > threshold)
            u[i], v[i], s[i] = current, i32(potential & i32(fires - i32(1))), np.uint8(fires)


#: Makes the data of one thread and returns what works on it for some hundredths of a second and says how often.
Maker = Callable[[], Callable[[], int]]


def clock() -> Callable[[], int]:
    def work(links: int = 10_000_000) -> int:
        chain(links)
        return links * LATENCY

    return work


def additions() -> Callable[[], int]:
    rows = np.ones(ROWS * WIDTH, np.int32)

    def work(times: int = 400_000) -> int:
        add_up(rows, times)
        return times * len(rows)

    return work


def accumulations() -> Callable[[], int]:
    sums, rows = np.zeros(WIDTH, np.int32), np.ones((ROWS, WIDTH), np.int32)

    def work(times: int = 500_000) -> int:
        add_rows(sums, rows, times)
        return times * WIDTH

    return work


def updates() -> Callable[[], int]:
    a = np.random.default_rng(0).integers(-500, 600, NEURONS).astype(np.int32)
    u, v, s = np.zeros(NEURONS, np.int32), np.zeros(NEURONS, np.int32), np.zeros(NEURONS, np.uint8)

    def work(times: int = 60_000) -> int:
        update_neurons(a, u, v, s, 3071 / 4096, 3584 / 4096, i32(2000 << 6), times)
        return times * NEURONS

    return work


MAKERS: tuple[Maker, ...] = (clock, additions, accumulations, updates)


def rate(make: Maker, threads: int) -> float:
    """Return how often all threads together do it in a second, each on memory of its own."""
    workers, best = [make() for _ in range(threads)], 0.0
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(TRIES):
            begin = time.perf_counter()
            done = sum(pool.map(lambda work: work(), workers))
            best = max(best, done / (time.perf_counter() - begin))
    return best


def multiplications(threads: int) -> float:
    """Return multiply-adds a second of torch's float32 matrix product."""
    import torch

    torch.set_num_threads(threads)
    a, b, best = torch.rand(SIDE, SIDE), torch.rand(SIDE, SIDE), 0.0
    out = a @ b
    for _ in range(TRIES):
        begin = time.perf_counter()
        torch.mm(a, b, out=out)
        best = max(best, SIDE**3 / (time.perf_counter() - begin))
    return best


class Ceilings(Job):
    """All ceilings once."""

    def __init__(self) -> None:
        processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self.threads = sorted({1, processors})
        self.found: dict[str, dict[int, float]] = {}

    def run(self) -> dict[str, dict[int, float]]:
        self.found = {make.__name__: {threads: rate(make, threads) for threads in self.threads} for make in MAKERS}
        self.found["multiplications"] = {threads: multiplications(threads) for threads in self.threads}
        return self.found

    def notes(self) -> dict[str, Any]:
        return self.found


if __name__ == "__main__":
    serve(Ceilings)

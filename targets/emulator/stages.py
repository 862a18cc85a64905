"""Several threads within one sample: populations in stages, each a chunk of steps ahead of the next.

Where to cut is measured: the first chunk runs stage by stage on one thread and each is timed. State and lists of events
are shared; a stage writes only its own. What the kernel scribbles on is one a thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from threading import Semaphore

import numpy as np

from neurodeploy.targets.emulator import columns as c
from neurodeploy.targets.emulator import kernel
from neurodeploy.targets.emulator.memory import Inputs, Memory, Outputs, with_scratch
from neurodeploy.targets.emulator.program import Tables

Span = tuple[int, int]

#: Seconds of work from which threads that wait for each other pay.
_WORTH = 4e-3
#: How many chunks a stage may be ahead of any that reads from it; the lists of events have room for no more.
_AHEAD = 2


def run_sample(tables: Tables, memory: Memory, inputs: Inputs, outputs: Outputs, sample: int, threads: int) -> None:
    """Run the steps of one sample on up to ``threads`` threads, from cleared state where they begin with its first."""
    first, end = outputs.first_t, outputs.first_t + outputs.s.shape[1]
    chunks = [(t, min(t + c.CHUNK, end)) for t in range(first, end, c.CHUNK)]

    def run(stage: Span, chunk: Span, own: Memory) -> None:
        kernel.run(tables, own, inputs, outputs, (sample, sample + 1), chunk, stage)

    groups = _groups(tables)
    seconds = [_timed(run, group, chunks[0], memory) for group in groups]
    stages = _cut(groups, seconds, threads) if sum(seconds) * (len(chunks) - 1) > _WORTH else [(0, groups[-1][1])]
    if len(stages) == 1:
        run(stages[0], (chunks[0][1], end), memory)
        return
    own = [memory, *(with_scratch(memory, tables) for _ in stages[1:])]
    ready = [Semaphore(0) for _ in stages]
    room = {(nth, reader): Semaphore(_AHEAD) for nth in range(len(stages)) for reader in _readers(tables, stages, nth)}

    def follow(nth: int) -> None:
        before = [semaphore for (writer, _), semaphore in room.items() if writer == nth]
        after = [semaphore for (_, reader), semaphore in room.items() if reader == nth]
        for chunk in chunks[1:]:
            if nth:
                ready[nth].acquire()
            for semaphore in before:
                semaphore.acquire()
            run(stages[nth], chunk, own[nth])
            for semaphore in after:
                semaphore.release()
            if nth + 1 < len(stages):
                ready[nth + 1].release()

    with ThreadPoolExecutor(len(stages)) as pool:
        list(pool.map(follow, range(len(stages))))


def _readers(tables: Tables, stages: list[Span], nth: int) -> set[int]:
    """Return the later stages that read what a stage writes: the next one, and others that skips lead to.

    The first stage also lists what enters.
    """
    rows, ports = tables.populations, len(tables.parts) - len(tables.populations)
    first, end = stages[nth]
    written = set(rows[first:end, c.PART].tolist()) | set(range(ports if nth == 0 else 0))
    read = [tables.projections[rows[a, c.FIRST] : rows[b - 1, c.END], c.SOURCE].tolist() for a, b in stages]
    return {later for later in range(nth + 1, len(stages)) if written & set(read[later])}


def _timed(run: Callable[[Span, Span, Memory], None], stage: Span, chunk: Span, memory: Memory) -> float:
    start = time.perf_counter()
    run(stage, chunk, memory)
    return time.perf_counter() - start


def _groups(tables: Tables) -> list[Span]:
    """Return the populations that loops tie together, [first, end) in running order."""
    rows, groups = tables.populations, [0]
    while groups[-1] < len(rows):
        first = groups[-1]
        groups.append(int(rows[first, c.UNTIL]) if rows[first, c.LOOPS] else first + 1)
    return list(pairwise(groups))


def _cut(groups: list[Span], seconds: list[float], threads: int) -> list[Span]:
    """Return up to ``threads`` stages of neighbouring groups that take about as long as each other."""
    ends = np.cumsum(seconds)
    wanted = ends[-1] * np.arange(1, threads) / threads
    cuts = sorted({int(np.abs(ends - share).argmin()) + 1 for share in wanted} - {len(groups)})
    edges = [0, *cuts, len(groups)]
    return [(groups[a][0], groups[b - 1][1]) for a, b in pairwise(edges)]

"""Several threads within one sample, which take turns as :mod:`neurodeploy.targets.emulator.turns` says.

State and lists of events are shared; what the kernel scribbles on is one a thread. Threads wait for each other within
the kernel and not in Python: a chunk of a small network takes less time than waking a thread.
"""

from __future__ import annotations

import time
import weakref

from neurodeploy.targets.emulator import job
from neurodeploy.targets.emulator.memory import Inputs, Memory, Outputs, with_scratch
from neurodeploy.targets.emulator.pool import pool
from neurodeploy.targets.emulator.program import Program
from neurodeploy.targets.emulator.turns import Turns, shared, turns

#: Seconds that a thread sleeps which found nothing to do for longer than the kernel looks for it.
_NAP = 5e-5

_TURNS: weakref.WeakKeyDictionary[Program, Turns] = weakref.WeakKeyDictionary()


def run_sample(program: Program, memory: Memory, inputs: Inputs, outputs: Outputs, sample: int, threads: int) -> None:
    """Run the steps of one sample on up to ``threads`` threads, from cleared state where they begin with its first."""
    if (found := _TURNS.get(program)) is None:
        found = _TURNS[program] = turns(program.tables)
    taken = shared(found)
    memory.found[:] = 0
    if outputs.first_t == 0:
        for state in (memory.u, memory.v, memory.extremes):
            state[:] = 0

    def help_out() -> None:
        follow(with_scratch(memory, program.tables))

    def follow(own: Memory) -> None:
        while not job.run(program.tables, own, inputs, outputs, (sample, sample + 1), taken):
            time.sleep(_NAP)

    others = min(threads, len(taken.groups)) - 1
    helpers = [pool(others).submit(help_out) for _ in range(others)]
    follow(memory)
    for helper in helpers:
        if not helper.cancel():  # one that has not begun would find nothing left
            helper.result()

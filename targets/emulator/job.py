"""What a call of the kernel is told: one array of addresses and numbers.

To hand dozens of arrays to a compiled function, and to find their types each time, takes a tenth of a short run. What
stays the same from call to call is written once.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate
from typing import Any, NamedTuple

from neurodeploy.targets.emulator.memory import Inputs, Memory, Outputs
from neurodeploy.targets.emulator.program import Tables
from neurodeploy.targets.emulator.turns import ALONE, Turns


class Call(NamedTuple):
    """What of a run a call does.

    first, end : the samples [first, end).
    steps, cells : extents of the arrays.
    ports, populations : how many the network has.
    groups : how many take turns; 0 where one thread runs all.
    """

    first: int
    end: int
    steps: int
    cells: int
    ports: int
    populations: int
    groups: int


#: Where the fields of each begin; those of Tables come first. Then how many there are.
MEMORY, INPUTS, OUTPUTS, CALL, TURNS, SIZE = accumulate(
    len(kind._fields) for kind in (Tables, Memory, Inputs, Outputs, Call, Turns)
)


def run(
    tables: Tables,
    memory: Memory,
    inputs: Inputs,
    outputs: Outputs,
    samples: tuple[int, int],
    turns: Turns = ALONE,
) -> bool:
    """Run the samples [first, end) on one thread, or its share of them; return whether all is done.

    Wraps, clips and payloads of the call are left in ``memory.found``, where threads share a sample beside others.
    """
    from neurodeploy.targets.emulator import kernel

    job, populations = memory.job, len(tables.populations)
    if job[0] == 0:
        job[:INPUTS] = _numbers((*tables, *memory))
    steps, cells = outputs.s.shape[1:]
    call = Call(*samples, steps, cells, len(tables.parts) - populations, populations, turns.number)
    job[INPUTS:SIZE] = _numbers((*inputs, *outputs, *call, *turns))
    return bool(kernel.run(job))


def _numbers(values: Iterable[Any]) -> list[int]:
    """Return numbers as they are, the addresses of arrays, and 0 for what is not there."""
    return [value if isinstance(value, int) else address(value) for value in values]


def address(array: Any) -> int:
    """Return where an array begins; 0 where there is none."""
    return 0 if array is None else int(array.__array_interface__["data"][0])

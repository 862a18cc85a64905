"""What a call of the kernel is told: one array of addresses and numbers.

To hand dozens of arrays to a compiled function, and to find their types each time, takes a tenth of a short run. What
stays the same from call to call is written once.
"""

from __future__ import annotations

from collections.abc import Callable
from ctypes import addressof, c_char
from functools import cache
from itertools import accumulate
from struct import Struct
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
_TOLD = Struct(f"={SIZE - INPUTS}q")


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
    job, populations = memory.job, len(tables.populations)
    if job[0] == 0:
        job[:INPUTS] = [_number(value) for value in (*tables, *memory)]
    _, steps, cells = outputs.s.shape
    call = Call(*samples, steps, cells, len(tables.parts) - populations, populations, turns.number)
    _TOLD.pack_into(job, INPUTS * job.itemsize, *map(_number, (*inputs, *outputs, *call, *turns)))
    return bool(_kernel()(job))


def _number(value: Any) -> int:
    """Return a number as it is, the address of an array, and 0 for what is not there."""
    if isinstance(value, int):
        return value
    if value is None:
        return 0
    try:
        return addressof(c_char.from_buffer(value))
    except (TypeError, ValueError):  # of an array that must not be written, or is empty: the other way takes longer
        return int(value.__array_interface__["data"][0])


@cache
def _kernel() -> Callable[[Any], Any]:
    from neurodeploy.targets.emulator import kernel

    run_call: Callable[[Any], Any] = kernel.run
    return run_call

"""What a call of the kernel works on, read from its one array; see :mod:`neurodeploy.targets.emulator.job`."""

from __future__ import annotations

from neurodeploy.targets.emulator.jit import njit
from neurodeploy.targets.emulator.job import CALL, INPUTS, MEMORY, OUTPUTS, TURNS, Call
from neurodeploy.targets.emulator.memory import Inputs, Memory, Outputs
from neurodeploy.targets.emulator.pointers import beyond, chars, ints, longs, words
from neurodeploy.targets.emulator.program import Tables
from neurodeploy.targets.emulator.turns import Turns


@njit(inline="always")
def bare_tables(job):
    """Return tables of pointers."""
    return Tables(
        longs(job[0]),
        longs(job[1]),
        longs(job[2]),
        ints(job[3]),
        words(job[4]),
        words(job[5]),
        ints(job[6]),
        ints(job[7]),
        ints(job[8]),
        ints(job[9]),
        ints(job[10]),
    )


@njit(inline="always")
def bare_memory(job):
    """Return memory of pointers."""
    its = beyond(job, MEMORY)
    return Memory(
        longs(its[0]),
        longs(its[1]),
        ints(its[2]),
        ints(its[3]),
        longs(its[4]),
        ints(its[5]),
        longs(its[6]),
        ints(its[7]),
        ints(its[8]),
        longs(its[9]),
        longs(its[10]),
        ints(its[11]),
        ints(its[12]),
        words(its[13]),
        longs(its[14]),
        chars(its[15]),
        longs(its[16]),
        chars(its[17]),
        ints(its[18]),
        its[19],
        its[20],
        its[21],
        its[22],
        its[23],
        job,
    )


@njit(inline="always")
def bare_inputs(job):
    """Return inputs of pointers."""
    its = beyond(job, INPUTS)
    return Inputs(its[0], chars(its[1]), ints(its[2]), longs(its[3]), ints(its[4]), ints(its[5]), its[6], its[7])


@njit(inline="always")
def bare_outputs(job):
    """Return outputs of pointers."""
    its = beyond(job, OUTPUTS)
    return Outputs(chars(its[0]), ints(its[1]), ints(its[2]), its[3], its[4], its[5], its[6], its[7])


@njit(inline="always")
def bare_call(job):
    """Return which part of it a call runs."""
    its = beyond(job, CALL)
    return Call(its[0], its[1], its[2], its[3], its[4], its[5], its[6])


@njit(inline="always")
def bare_turns(job):
    """Return turns of pointers."""
    its = beyond(job, TURNS)
    return Turns(longs(its[0]), longs(its[1]), longs(its[2]), longs(its[3]), longs(its[4]))

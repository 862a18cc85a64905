"""What the kernel works on: as arrays for Python, and as bare pointers for the kernel itself."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from neurodeploy.targets.emulator.columns import (
    CELLS,
    CHUNK,
    COUT,
    EDGES,
    END,
    FIRST,
    HIN,
    HISTORY,
    LINE,
    PIECES,
    SIZE,
    WIN,
)
from neurodeploy.targets.emulator.packing import aligned
from neurodeploy.targets.emulator.pointers import pointer
from neurodeploy.targets.emulator.program import Tables
from neurodeploy.targets.emulator.rows import BLOCKS, OPTIONS

#: Entries between a part's lists of events: without them lists of a power of two would compete for places in the cache.
SPARE = 80
#: Cells by which sums are longer than a population: a packed row is padded, and zeros are added beyond its end.
OVERHANG = BLOCKS[-1]


class Memory(NamedTuple):
    """What changes while a network runs.

    counts, loud : int64 [parts, slots], events in a step and how loud the loudest is (1: all payloads are 1).
    indices, payloads : int32, sorted by index within a step; payloads are not kept where loud is 1.
    starts : int64 [parts], where a part's first list begins; its lists are its size and ``SPARE`` apart.
    u, v : int32, the neurons; extremes int64 [pieces, 2], peak |u| and -(lowest v) after the last step.
    edges : int32, where in each list each stretch of the part's grain begins, and last where the list ends.
    edge_starts : int64 [parts], where those of a part's first list begin; those of its lists lie side by side.
    sums, own, line : sums of a population, or of a line of it, and those of one projection, int32; those of one line of
        a convolution, int16, cleared by whoever takes them.
    arriving : int64 [CHUNK], a bound of what arrives at any neuron of a population in the steps of a chunk.
    gathered : uint8 [projections of a population, CHUNK], 1 where a convolution gathers.
    marks : int32 [projections of a population, CHUNK, places], edges of positions where the grain is a line.
    slots, places : extents of the arrays above.
    """

    counts: Any
    loud: Any
    indices: Any
    payloads: Any
    starts: Any
    edges: Any
    edge_starts: Any
    u: Any
    v: Any
    extremes: Any
    sums: Any
    own: Any
    line: Any
    arriving: Any
    gathered: Any
    marks: Any
    slots: int
    places: int


class Outputs(NamedTuple):
    """Where what happens is written.

    s : uint8 [samples, steps, cells] in internal order; u and v : int32 likewise, or empty.
    found : int64 [populations, 2], to which how many u wrapped and how many v saturated is added.
    keeps_u, keeps_v : whether u and v are wanted.
    """

    s: Any
    u: Any
    v: Any
    found: Any
    keeps_u: bool
    keeps_v: bool


class Inputs(NamedTuple):
    """What enters, either dense or as events; events are read where ``cells`` is 0.

    dense : uint8 or int32 [samples, steps, cells of all ports] in torch order.
    first : int64 [samples, steps, ports + 1], where each port's events begin.
    indices, payloads : int32, internal index within the port, sorted within a step.
    cells, width : extents of a step of ``dense`` and of ``first``.
    """

    dense: Any
    first: Any
    indices: Any
    payloads: Any
    cells: int
    width: int


def memory(tables: Tables, cells: int) -> Memory:
    """Return memory for one network; ``cells`` is the number of its neurons."""
    history, projections = tables.parts[:, HISTORY], tables.projections
    lists, slots = (tables.parts[:, SIZE] + SPARE) * history, int(history.max())
    edges = tables.parts[:, EDGES] * history
    counts = np.zeros((len(lists), slots), dtype=np.int64)
    cells_of_a_line = int((projections[:, LINE] * projections[:, COUT]).max(initial=0))
    most = max(int(tables.populations[:, CELLS].max()), cells_of_a_line) + OVERHANG
    fan = int((tables.populations[:, END] - tables.populations[:, FIRST]).max())
    places = 1 + int((projections[:, HIN] * projections[:, WIN]).max(initial=0))
    line = aligned(cells_of_a_line + OVERHANG, np.int16)
    line[:] = 0
    return Memory(
        counts=counts,
        loud=np.ones_like(counts),
        indices=np.empty(int(lists.sum()), dtype=np.int32),
        payloads=np.empty(int(lists.sum()), dtype=np.int32),
        starts=np.cumsum(lists) - lists,
        edges=np.empty(int(edges.sum()), dtype=np.int32),
        edge_starts=np.cumsum(edges) - edges,
        u=aligned(cells, np.int32),
        v=aligned(cells, np.int32),
        extremes=np.zeros((int(tables.populations[:, PIECES].sum()), 2), dtype=np.int64),
        sums=aligned(most, np.int32),
        own=aligned(most, np.int32),
        line=line,
        arriving=np.zeros(CHUNK, dtype=np.int64),
        gathered=np.zeros((fan, CHUNK), dtype=np.uint8),
        marks=np.empty((fan, CHUNK, places), dtype=np.int32),
        slots=slots,
        places=places,
    )


@njit(**OPTIONS)
def bare_tables(tables):  # type: ignore[no-untyped-def]
    """Return tables of pointers."""
    return Tables(
        pointer(tables.parts),
        pointer(tables.populations),
        pointer(tables.projections),
        pointer(tables.reach),
        pointer(tables.packed),
        pointer(tables.short),
        pointer(tables.wide),
        pointer(tables.threshold),
        pointer(tables.keep_current),
        pointer(tables.keep_voltage),
        pointer(tables.bias),
    )


@njit(**OPTIONS)
def bare_memory(memory):  # type: ignore[no-untyped-def]
    """Return memory of pointers."""
    return Memory(
        pointer(memory.counts),
        pointer(memory.loud),
        pointer(memory.indices),
        pointer(memory.payloads),
        pointer(memory.starts),
        pointer(memory.edges),
        pointer(memory.edge_starts),
        pointer(memory.u),
        pointer(memory.v),
        pointer(memory.extremes),
        pointer(memory.sums),
        pointer(memory.own),
        pointer(memory.line),
        pointer(memory.arriving),
        pointer(memory.gathered),
        pointer(memory.marks),
        memory.slots,
        memory.places,
    )


@njit(**OPTIONS)
def bare_inputs(inputs):  # type: ignore[no-untyped-def]
    """Return inputs of pointers."""
    first, indices, payloads = pointer(inputs.first), pointer(inputs.indices), pointer(inputs.payloads)
    return Inputs(pointer(inputs.dense), first, indices, payloads, inputs.cells, inputs.width)


@njit(**OPTIONS)
def bare_outputs(outputs):  # type: ignore[no-untyped-def]
    """Return outputs of pointers."""
    u, v, found = pointer(outputs.u), pointer(outputs.v), pointer(outputs.found)
    return Outputs(pointer(outputs.s), u, v, found, outputs.keeps_u, outputs.keeps_v)

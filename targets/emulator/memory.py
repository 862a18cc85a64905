"""What the kernel works on."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from neurodeploy.targets.emulator import columns as c
from neurodeploy.targets.emulator.packing import BLOCKS, aligned
from neurodeploy.targets.emulator.program import Tables

#: Entries between a part's lists of events: without them lists of a power of two would compete for places in the cache.
SPARE = 80
#: Cells by which sums are longer than a population: a packed row is padded, and zeros are added beyond its end.
OVERHANG = BLOCKS[-1]
#: Bytes of spikes from which a recording is written past the caches: more than the nearer ones hold. Fetching a line
#: that is about to be overwritten takes as long as writing it, and there is nothing but such lines.
CACHED = 1 << 22
#: Room for the numbers that the kernel is told.
_NUMBERS = 80
#: Cells from which some more a step are worth it, so that steps begin with a cache line, and the cells of a line.
_MANY, _LINE = 2048, 64


class Memory(NamedTuple):
    """What changes while a network runs.

    counts, loud : int64 [parts, slots], events in a step and how loud the loudest is (1: all payloads are 1).
    indices, payloads : int32, sorted by index within a step; payloads are not kept where loud is 1.
    starts : int64 [parts], where a part's first list begins; its lists are its size and ``SPARE`` apart.
    u, v : int32, the neurons; extremes int64 [pieces, 2], peak |u| and -(lowest v) after the last step.
    edges : int32, where in each list each stretch of the part's grain begins, and last where the list ends.
    edge_starts : int64 [parts], where those of a part's first list begin; those of its lists lie side by side.
    sums, own, line : sums of a population, or of a line of it, and those of one projection, int32; those of the
        lines of a piece that a convolution reaches, int16, cleared by whoever takes them.
    ends : int64 [4], extremes, wraps and clips of the neurons updated last.
    flags : uint8, the spikes of a piece on their way past the caches.
    arriving : int64 [CHUNK], a bound of what arrives at any neuron of a population in the steps of a chunk.
    gathered : uint8 [projections of a population, CHUNK], 1 where a convolution gathers.
    marks : int32 [projections of a population, CHUNK, places], edges of positions where the grain is a line.
    found : int64 [parts, 3], to which how many u wrapped and how many v saturated is added, and of which the last
        column, how loud the loudest event of a port is, is raised.
    slots, places, cells, pieces, parts : extents of the arrays above.
    job : int64, all of this as the kernel takes it, from the first call on (:mod:`neurodeploy.targets.emulator.job`).
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
    found: Any
    sums: Any
    own: Any
    line: Any
    ends: Any
    flags: Any
    arriving: Any
    gathered: Any
    marks: Any
    slots: int
    places: int
    cells: int
    pieces: int
    parts: int
    job: Any


class Outputs(NamedTuple):
    """Where what happens is written.

    s : uint8 [samples, steps, cells] in internal order; u : int32 likewise, or with a last axis of 0.
    v : int32 [samples, steps, cells_v], those of whole populations from the cell ``first_v`` on.
        Of many cells there are a few more than the network has, so that every step begins with a cache line.
    keeps_u : whether u is wanted.
    first_t : the step of a sample with which the arrays begin, not 0 where a run goes on.
    streams : whether what is written goes past the caches.
    """

    s: Any
    u: Any
    v: Any
    keeps_u: bool
    first_v: int
    cells_v: int
    first_t: int = 0
    streams: bool = False


#: Forms that input comes in.
BYTES, INTS, EVENTS = range(3)


class Inputs(NamedTuple):
    """What enters, in one of three forms; the arrays of the others are not there.

    dense, wide : uint8 and int32 [samples, steps, cells of all ports] in torch order.
    first : int64 [samples, steps, ports + 1], where each port's events begin.
    indices, payloads : int32, internal index within the port, sorted within a step.
    cells, width : extents of a step of the dense array and of ``first``.
    """

    form: int
    dense: Any = None
    wide: Any = None
    first: Any = None
    indices: Any = None
    payloads: Any = None
    cells: int = 0
    width: int = 0


def memory(tables: Tables, cells: int) -> Memory:
    """Return memory for one network; ``cells`` is the number of its neurons."""
    history = tables.parts[:, c.HISTORY]
    lists, slots = (tables.parts[:, c.SIZE] + SPARE) * history, int(history.max())
    edges = tables.parts[:, c.EDGES] * history
    counts = np.zeros((len(lists), slots), dtype=np.int64)
    pieces = int(tables.populations[-1, [c.BEFORE, c.PIECES]].sum())
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
        extremes=np.zeros((pieces, 2), dtype=np.int64),
        found=np.zeros((len(lists), 3), dtype=np.int64),
        slots=slots,
        places=_places(tables),
        cells=cells,
        pieces=pieces,
        parts=len(lists),
        **_scratch(tables),
    )


def _scratch(tables: Tables) -> dict[str, Any]:
    """Return the fields of :class:`Memory` that say nothing once a population's step is over."""
    projections = tables.projections
    line_cells = int((projections[:, c.LINE] * projections[:, c.COUT]).max(initial=0))
    words = max(line_cells, int((tables.populations[:, c.LINES] * tables.populations[:, c.PITCH]).max(initial=0)))
    most = max(int(tables.populations[:, c.CELLS].max()), line_cells) + OVERHANG
    fan = int((tables.populations[:, c.END] - tables.populations[:, c.FIRST]).max())
    line = aligned(words + OVERHANG, np.int16)
    line[:] = 0
    return {
        "sums": aligned(most, np.int32),
        "own": aligned(most, np.int32),
        "line": line,
        "ends": np.zeros(4, dtype=np.int64),
        "flags": aligned(most, np.uint8),
        "arriving": np.zeros(c.CHUNK, dtype=np.int64),
        "gathered": np.zeros((fan, c.CHUNK), dtype=np.uint8),
        "marks": np.empty((fan, c.CHUNK, _places(tables)), dtype=np.int32),
        "job": np.zeros(_NUMBERS, dtype=np.int64),
    }


def with_scratch(shared: Memory, tables: Tables) -> Memory:
    """Return memory that shares all but what a thread scribbles on."""
    return shared._replace(**_scratch(tables))


def lined_up(cells: int) -> int:
    """Return by how many cells the steps of a recording are apart."""
    return -(-cells // _LINE) * _LINE if cells >= _MANY else cells


def _places(tables: Tables) -> int:
    """Return room for the edges of the positions of any convolution's source."""
    return 1 + int((tables.projections[:, c.HIN] * tables.projections[:, c.WIN]).max(initial=0))

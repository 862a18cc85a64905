"""What the kernel works on, as bare pointers; see :mod:`neurodeploy.targets.emulator.pointers` for why."""

from __future__ import annotations

from neurodeploy.targets.emulator.jit import njit
from neurodeploy.targets.emulator.memory import Inputs, Memory, Outputs
from neurodeploy.targets.emulator.pointers import pointer
from neurodeploy.targets.emulator.program import Tables


@njit(inline="always")
def bare_tables(tables):
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


@njit(inline="always")
def bare_memory(memory):
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
        pointer(memory.ends),
        pointer(memory.flags),
        pointer(memory.arriving),
        pointer(memory.gathered),
        pointer(memory.marks),
        memory.slots,
        memory.places,
    )


@njit(inline="always")
def bare_inputs(inputs):
    """Return inputs of pointers."""
    dense, wide, first = pointer(inputs.dense), pointer(inputs.wide), pointer(inputs.first)
    indices, payloads = pointer(inputs.indices), pointer(inputs.payloads)
    return Inputs(inputs.form, dense, wide, first, indices, payloads, inputs.cells, inputs.width)


@njit(inline="always")
def bare_outputs(outputs):
    """Return outputs of pointers."""
    u, v, found = pointer(outputs.u), pointer(outputs.v), pointer(outputs.found)
    first_v, cells_v, first_t = outputs.first_v, outputs.cells_v, outputs.first_t
    return Outputs(pointer(outputs.s), u, v, found, outputs.keeps_u, first_v, cells_v, first_t, outputs.streams)

"""Any network compiled to flat arrays that the step-by-step kernel runs, whatever the topology.

Cells are laid out as in :mod:`neurodeploy.targets.emulator.program`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from neurodeploy.network import (
    Convolution,
    Network,
    Population,
    Port,
    Projection,
    Sparse,
    stored_weights,
)
from neurodeploy.targets.emulator import parameters
from neurodeploy.targets.emulator.common import common_scale, exact_payload, plain, uniform
from neurodeploy.targets.emulator.packing import channel_last, to_internal

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Weights = npt.NDArray[np.signedinteger[Any]]

DENSE, TAPS, MERGED, SPARSE = 0, 1, 2, 3
EACH, UNIFORM, BEYOND = 0, 1, 2


class StepwiseTables(NamedTuple):
    """What the kernel reads; every row belongs to a part (ports first, then populations) or a projection.

    parts [parts, 3]: size, offset among the cells of its kind, slots of event history.
    populations [populations, 7] in running order: part, cell offset, size, uniform (0 or 1; 2 for neurons beyond the
    plain one), first projection, end, and the shift from a sum of weights to what the update takes.
    projections [projections, 20]: kind, source part, lag, exponent beyond that shift, weight offset, target size, and
    for a convolution source C, H, W, target C, H, W, then kernel, stride, padding and dilation as (H, W) pairs.
    extra [projections]: groups of a convolution tap by tap; first row in ``phases`` [rows, 3] of one with merged taps;
    first of the ``pointers`` of sparse rows, which delimit each source's ``targets``.
    weights: int8, int16 or int32, whichever holds them all.
    models [populations, 9]: see :mod:`neurodeploy.targets.emulator.parameters`.
    imaginary [projections]: whether it reaches the second input of its target.
    spare: cells of the states and sums that only neurons beyond the plain one have.
    """

    parts: Int64
    populations: Int64
    projections: Int64
    extra: Int64
    phases: Int64
    weights: Weights
    threshold: Int32
    keep_current: Int32
    keep_voltage: Int32
    bias: Int32
    lower: Int32
    models: Int64
    imaginary: Int64
    pointers: Int64
    targets: Int32
    spare: int


@dataclass(frozen=True, eq=False)
class StepwiseProgram:
    """The tables of a network and how to read the kernel's answer.

    perm : internal index within its port of every input cell in torch order.
    cells : population -> slice of the internal cell axis.
    exact_payload : the largest spike payload for which no 32-bit sum can overflow.
    """

    tables: StepwiseTables
    perm: Int32
    cells: dict[str, slice]
    population_cells: int
    exact_payload: int


class StepwiseMemory(NamedTuple):
    """What changes while a network runs.

    history : counts int64 [parts, slots], indices and payloads int32 of the events, and where those of each part
        begin, int64 [parts + 1]; a part's slots lie one after another, its size apart.
    state : u, v and two more that only neurons beyond the plain one have, int32 [cells].
    sums : what reaches a population, that of one projection, and that at second inputs, int32 [cells].
    """

    history: tuple[Int64, Int32, Int32, Int64]
    state: tuple[Int32, Int32, Int32, Int32]
    sums: tuple[Int32, Int32, Int32]


def stepwise_memory(program: StepwiseProgram) -> StepwiseMemory:
    """Return memory for one sample at a time."""
    parts, cells, spare = program.tables.parts, program.population_cells, program.tables.spare
    starts = np.concatenate([[0], np.cumsum(parts[:, 0] * parts[:, 2])]).astype(np.int64)
    counts = np.zeros((len(parts), int(parts[:, 2].max())), dtype=np.int64)

    def zeros(size: int) -> Int32:
        return np.zeros(size, dtype=np.int32)

    return StepwiseMemory(
        history=(counts, zeros(starts[-1]), zeros(starts[-1]), starts),
        state=(zeros(cells), zeros(cells), zeros(spare), zeros(spare)),
        sums=(zeros(cells), zeros(cells), zeros(spare)),
    )


def compile_stepwise(network: Network) -> StepwiseProgram:
    """Return the program of a network."""
    parts: list[Port | Population] = [*network.ports, *network.order]
    index = {part.name: i for i, part in enumerate(parts)}
    rows, population_cells = _part_rows(network, parts)
    projections: list[list[int]] = []
    populations: list[tuple[int, ...]] = []
    weights: list[Weights] = []
    extra: list[int] = []
    phases: list[tuple[int, int, int]] = []
    pointers: list[Int64] = []
    targets: list[Int32] = []
    position = synapses = 0
    for population in network.order:
        first, incoming = len(projections), network.into(population.name)
        halved, exponent = common_scale(incoming)
        for projection in incoming:
            table = _weight_table(network, projection, halved)
            beyond = projection.weight_exponent - exponent
            head = [table.kind, index[projection.source], network.lag(projection), beyond, position, population.size]
            projections.append([*head, *_geometry(network, projection)])
            at = {MERGED: len(phases), SPARSE: sum(map(len, pointers))}
            extra.append(at.get(table.kind, table.groups))
            phases += table.phases
            pointers.append(table.pointers + synapses)
            targets.append(table.targets)
            synapses += table.targets.size
            weights.append(table.weights)
            position += table.weights.size
        row, shift = index[population.name], exponent + halved + parameters.first_shift(population.neuron)
        span = (first, len(projections))
        populations.append((row, rows[row][1], population.size, _update_kind(population), *span, shift))
    graded = any(p.neuron.graded for p in network.populations)
    extended = any(_update_kind(p) == BEYOND for p in network.populations)
    tables = StepwiseTables(
        parts=np.array(rows, dtype=np.int64).reshape(-1, 3),
        populations=np.array(populations, dtype=np.int64).reshape(-1, 7),
        projections=np.array(projections, dtype=np.int64).reshape(-1, 20),
        extra=np.array(extra, dtype=np.int64),
        phases=np.array(phases, dtype=np.int64).reshape(-1, 3),
        weights=_narrow(np.concatenate([*weights, np.zeros(0, np.int32)]), graded=graded),
        **parameters.columns(network, channel_last),
        models=parameters.rows(network, graded=graded),
        imaginary=np.array([p.imaginary for q in network.order for p in network.into(q.name)], dtype=np.int64),
        pointers=np.concatenate([*pointers, np.zeros(0, np.int64)]),
        targets=np.concatenate([*targets, np.zeros(0, np.int32)]),
        spare=population_cells if extended else 0,
    )
    return StepwiseProgram(
        tables=tables,
        perm=np.concatenate([to_internal(port.shape) for port in network.ports]),
        cells={p.name: slice(rows[index[p.name]][1], rows[index[p.name]][1] + p.size) for p in network.order},
        population_cells=population_cells,
        exact_payload=exact_payload(network),
    )


def _part_rows(network: Network, parts: list[Port | Population]) -> tuple[list[tuple[int, int, int]], int]:
    """Return size, offset and history of every part, and how many cells the populations have."""
    rows, offsets = [], {Port: 0, Population: 0}
    for part in parts:
        size = int(np.prod(part.shape))
        history = 1 + max((network.lag(projection) for projection in network.out_of(part.name)), default=0)
        rows.append((size, offsets[type(part)], history))
        offsets[type(part)] += size
    return rows, offsets[Population]


def _update_kind(population: Population) -> int:
    """Return which of the kernel's updates a population takes."""
    if not plain(population.neuron):
        return BEYOND
    return UNIFORM if uniform(population) else EACH


def _narrow(weights: npt.NDArray[np.int32], *, graded: bool) -> Weights:
    """Return the weights in the narrowest type that holds them: less memory to read is more speed.

    Beside graded spikes they stay int32, for each pair of types is another kernel to compile.
    """
    if graded:
        return weights
    low, high = (int(weights.min()), int(weights.max())) if weights.size else (0, 0)
    for narrow in (np.int8, np.int16):
        if np.iinfo(narrow).min <= low and high <= np.iinfo(narrow).max:
            return weights.astype(narrow)
    return weights


@dataclass(frozen=True, eq=False)
class _WeightTable:
    """A projection's weights in the kernel's order, and which of its routines reads them."""

    kind: int
    weights: Int32
    groups: int = 1
    phases: tuple[tuple[int, int, int], ...] = ()
    pointers: Int64 = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    targets: Int32 = field(default_factory=lambda: np.zeros(0, dtype=np.int32))


def _weight_table(network: Network, projection: Projection, halved: int) -> _WeightTable:
    """Return weights as [source cell, target cell], or those of a convolution, flat."""
    connection = projection.connection
    weight = (stored_weights(connection) >> halved).astype(np.int32)
    if isinstance(connection, Sparse):
        return _sparse_table(network, projection, connection, weight)
    if not isinstance(connection, Convolution):
        by_source = channel_last(weight, network.by_name[projection.source].shape).T
        table = channel_last(by_source, network.by_name[projection.target].shape)
        return _WeightTable(DENSE, np.ascontiguousarray(table).ravel())
    stride, gap = connection.stride[1], connection.dilation[1]
    if connection.groups == 1 and gap // math.gcd(stride, gap) == 1:
        return _merged_table(weight, stride, gap)
    _, per_group, kernel_y, kernel_x = weight.shape
    by_group = weight.reshape(connection.groups, -1, per_group, kernel_y, kernel_x)
    taps = np.ascontiguousarray(by_group.transpose(3, 4, 0, 2, 1))
    return _WeightTable(TAPS, taps.ravel(), connection.groups)


def _sparse_table(network: Network, projection: Projection, connection: Sparse, weight: Int32) -> _WeightTable:
    """Return the synapses source by source, ends in internal order."""
    source = to_internal(network.by_name[projection.source].shape)[connection.indices]
    target = to_internal(network.by_name[projection.target].shape)[connection.rows]
    order = np.lexsort((target, source))
    pointers = np.concatenate([[0], np.cumsum(np.bincount(source, minlength=connection.shape[1]))])
    return _WeightTable(SPARSE, weight[order], pointers=pointers.astype(np.int64), targets=target[order])


def _merged_table(weight: Int32, stride: int, gap: int) -> _WeightTable:
    """Return for each phase of x within a stride [kernel row, source channel, taps from the last, target channel].

    A tap k is used by the phase in which ``k * gap`` lies; taken from the last, its taps reach positions left to right.
    """
    blocks, phases, position = [], [], 0
    for phase in range(stride):
        taps = [k for k in range(weight.shape[3]) if k * gap % stride == phase][::-1]
        blocks.append(weight[:, :, :, taps].transpose(2, 1, 3, 0).ravel())
        phases.append((position, len(taps), taps[0] if taps else 0))
        position += blocks[-1].size
    return _WeightTable(MERGED, np.concatenate(blocks), phases=tuple(phases))


def _geometry(network: Network, projection: Projection) -> list[int]:
    connection = projection.connection
    if not isinstance(connection, Convolution):
        return [0] * 14
    source, target = (network.by_name[name].shape for name in (projection.source, projection.target))
    pairs = (connection.weight.shape[2:], connection.stride, connection.padding, connection.dilation)
    return [*source, *target, *(value for pair in pairs for value in pair)]

"""A network compiled to flat arrays that one kernel runs whatever the topology, so that nothing is compiled per shape.

Cells of a (C, H, W) part are laid out channel-last, ``(y * W + x) * C + c``: what one spike adds through one kernel tap
is then a contiguous vector of output channels, as it is a row of a dense matrix.
"""

from __future__ import annotations

import math
import weakref
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from neurodeploy.fixedpoint import DECAY_ONE, INPUT_LIMIT, STATE_SHIFT
from neurodeploy.network import Convolution, Network, Population, Port, Projection, Shape

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Weights = npt.NDArray[np.signedinteger[Any]]

DENSE, TAPS, MERGED = 0, 1, 2

_PROGRAMS: weakref.WeakKeyDictionary[Network, Program] = weakref.WeakKeyDictionary()


class Tables(NamedTuple):
    """What the kernel reads; every row belongs to a part (ports first, then populations) or a projection.

    parts [parts, 3]: size, offset among the cells of its kind, slots of event history.
    populations [populations, 7] in running order: part, cell offset, size, uniform (0 or 1), first projection, end, and
    the shift from a sum of weights to state units.
    projections [projections, 20]: kind, source part, lag, exponent beyond that shift, weight offset, target size, and
    for a convolution source C, H, W, target C, H, W, then kernel, stride, padding and dilation as (H, W) pairs.
    extra [projections]: groups of a convolution tap by tap; first row in ``phases`` [rows, 3] of one with merged taps.
    weights: int8, int16 or int32, whichever holds them all.
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


@dataclass(frozen=True, eq=False)
class Program:
    """The tables of a network and how to read the kernel's answer.

    perm : internal index within its port of every input cell in torch order.
    cells : population -> slice of the internal cell axis.
    exact_payload : the largest spike payload for which no 32-bit sum can overflow.
    """

    tables: Tables
    perm: Int32
    cells: dict[str, slice]
    population_cells: int
    exact_payload: int


def compiled(network: Network) -> Program:
    """Return the program of a network, compiled once as long as the network lives."""
    if network not in _PROGRAMS:
        _PROGRAMS[network] = compile_network(network)
    return _PROGRAMS[network]


def compile_network(network: Network) -> Program:
    """Return the program of a network."""
    parts: list[Port | Population] = [*network.ports, *network.order]
    index = {part.name: i for i, part in enumerate(parts)}
    rows, population_cells = _part_rows(network, parts)
    projections: list[list[int]] = []
    populations: list[tuple[int, ...]] = []
    weights: list[Weights] = []
    extra: list[int] = []
    phases: list[tuple[int, int, int]] = []
    position = 0
    for population in network.order:
        first, incoming = len(projections), network.into(population.name)
        halved, exponent = _common_scale(incoming)
        for projection in incoming:
            table = _weight_table(network, projection, halved)
            beyond = projection.weight_exponent - exponent
            head = [table.kind, index[projection.source], network.lag(projection), beyond, position, population.size]
            projections.append([*head, *_geometry(network, projection)])
            extra.append(len(phases) if table.kind == MERGED else table.groups)
            phases += table.phases
            weights.append(table.weights)
            position += table.weights.size
        row, shift = index[population.name], STATE_SHIFT + exponent + halved
        span = (first, len(projections))
        populations.append((row, rows[row][1], population.size, int(_uniform(population)), *span, shift))
    bound = max((_input_bound(network, p) for p in network.populations), default=0)
    tables = Tables(
        parts=np.array(rows, dtype=np.int64).reshape(-1, 3),
        populations=np.array(populations, dtype=np.int64).reshape(-1, 7),
        projections=np.array(projections, dtype=np.int64).reshape(-1, 20),
        extra=np.array(extra, dtype=np.int64),
        phases=np.array(phases, dtype=np.int64).reshape(-1, 3),
        weights=_narrow(np.concatenate([*weights, np.zeros(0, np.int32)])),
        **_neuron_tables(network),
    )
    return Program(
        tables=tables,
        perm=np.concatenate([_to_internal(port.shape) for port in network.ports]),
        cells={p.name: slice(rows[index[p.name]][1], rows[index[p.name]][1] + p.size) for p in network.order},
        population_cells=population_cells,
        exact_payload=INPUT_LIMIT // max(bound, 1),
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


def _uniform(population: Population) -> bool:
    lif = population.neuron
    return all(values.size == 1 for values in (lif.threshold, lif.current_decay, lif.voltage_decay, lif.bias))


def _common_scale(projections: list[Projection]) -> tuple[int, int]:
    """Return (1 if all weights are even, else 0) and the exponent that all projections of a population share.

    Both move into the one shift of its summed input. A negative exponent rounds each projection's sum by itself and
    cannot be shared, nor can weights be halved before it.
    """
    lowest = min((p.weight_exponent for p in projections), default=0)
    if lowest < 0:
        return 0, 0
    return int(not any((p.connection.weight & 1).any() for p in projections)), lowest


def _narrow(weights: npt.NDArray[np.int32]) -> Weights:
    """Return the weights in the narrowest type that holds them: less memory to read is more speed."""
    low, high = (int(weights.min()), int(weights.max())) if weights.size else (0, 0)
    for narrow in (np.int8, np.int16):
        if np.iinfo(narrow).min <= low and high <= np.iinfo(narrow).max:
            return weights.astype(narrow)
    return weights


def _to_internal(shape: Shape) -> Int32:
    """Return for each cell in torch order its internal index, int32 [size]."""
    size = int(np.prod(shape))
    if len(shape) != 3:
        return np.arange(size, dtype=np.int32)
    channels, height, width = shape
    return np.arange(size, dtype=np.int32).reshape(height, width, channels).transpose(2, 0, 1).ravel()


def _channel_last(values: npt.NDArray[Any], shape: Shape) -> npt.NDArray[Any]:
    """Return an array whose last axis runs over a part's cells, moved from torch to internal order."""
    if len(shape) != 3:
        return values
    split = values.reshape(*values.shape[:-1], *shape)
    return np.moveaxis(split, -3, -1).reshape(values.shape)


@dataclass(frozen=True, eq=False)
class _WeightTable:
    """A projection's weights in the kernel's order, and which of its routines reads them."""

    kind: int
    weights: Int32
    groups: int = 1
    phases: tuple[tuple[int, int, int], ...] = ()


def _weight_table(network: Network, projection: Projection, halved: int) -> _WeightTable:
    """Return weights as [source cell, target cell], or those of a convolution, flat."""
    connection = projection.connection
    weight = (connection.weight >> halved).astype(np.int32)
    if not isinstance(connection, Convolution):
        by_source = _channel_last(weight, network.by_name[projection.source].shape).T
        table = _channel_last(by_source, network.by_name[projection.target].shape)
        return _WeightTable(DENSE, np.ascontiguousarray(table).ravel())
    stride, gap = connection.stride[1], connection.dilation[1]
    if connection.groups == 1 and gap // math.gcd(stride, gap) == 1:
        return _merged_table(weight, stride, gap)
    _, per_group, kernel_y, kernel_x = weight.shape
    by_group = weight.reshape(connection.groups, -1, per_group, kernel_y, kernel_x)
    taps = np.ascontiguousarray(by_group.transpose(3, 4, 0, 2, 1))
    return _WeightTable(TAPS, taps.ravel(), connection.groups)


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


def _input_bound(network: Network, population: Population) -> int:
    """Return the largest |sum| that spikes of payload 1 can make at one neuron of the population."""
    total = 0
    for projection in network.into(population.name):
        weight = np.abs(projection.connection.weight.astype(np.int64))
        total += int(weight.reshape(len(weight), -1).sum(axis=1).max(initial=0)) << max(projection.weight_exponent, 0)
    return total


def _neuron_tables(network: Network) -> dict[str, Int32]:
    """Return per-cell parameters in running order; threshold and bias in state units, decays as what is kept."""
    columns: dict[str, list[Int32]] = {"threshold": [], "keep_current": [], "keep_voltage": [], "bias": []}
    for population in network.order:
        lif = population.neuron
        exponent, bias = lif.bias_exponent, lif.bias.astype(np.int64)
        values = {
            "threshold": lif.threshold << STATE_SHIFT,
            "keep_current": DECAY_ONE - lif.current_decay,
            "keep_voltage": DECAY_ONE - lif.voltage_decay,
            "bias": bias << exponent if exponent >= 0 else bias >> -exponent,
        }
        for name, column in values.items():
            full = np.broadcast_to(column, population.shape).ravel()
            columns[name].append(_channel_last(full, population.shape).astype(np.int32))
    return {name: np.concatenate([*arrays, np.zeros(0, np.int32)]) for name, arrays in columns.items()}

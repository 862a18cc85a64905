"""A plain network compiled to flat arrays that one kernel runs whatever the topology: nothing is compiled per shape.

Cells of a (C, H, W) part are laid out channel-last, ``(y * W + x) * C + c``: what one spike adds through one kernel tap
is then a contiguous vector of output channels, as it is a row of a dense matrix.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from neurodeploy.network import Convolution, Network, Population, Port, Projection, stored_weights
from neurodeploy.targets.emulator import columns as c
from neurodeploy.targets.emulator import parameters
from neurodeploy.targets.emulator.common import common_scale, exact_payload, uniform
from neurodeploy.targets.emulator.packing import (
    BLOCKS,
    WORDS,
    Sweep,
    channel_last,
    dense_rows,
    filled,
    fits,
    joined,
    landings,
    pack,
    padded,
    shorten,
    sweep_rows,
    tap_rows,
    to_internal,
)

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Words = npt.NDArray[np.int16]
#: Where rows begin, whether in a narrow table, cells of a row, rows.
Place = tuple[int, int, int, int]
#: Pieces whose extremes fill a cache line.
_PIECES_A_LINE = 4


class Tables(NamedTuple):
    """What the kernel reads.

    parts, populations, projections : int64 [rows, columns] with the columns of
        :mod:`neurodeploy.targets.emulator.columns`. Parts are the ports, then the populations in running order;
        projections stand together by target.
    landings : int32 [cells of source lines, 2], ``landings`` of all convolutions, one after another.
    packed : packed rows of int8 weights, of dense projections and of convolutions tap by tap.
    short : rows of int16 weights, of convolutions.
    wide : rows of all other weights.
    threshold, keep_current, keep_voltage, bias : by cell; thresholds and biases in state units, decays as what is kept
        of 4096.
    """

    parts: Int64
    populations: Int64
    projections: Int64
    landings: Int32
    packed: Words
    short: Words
    wide: Int32
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
    spare : :class:`~neurodeploy.targets.emulator.memory.Memory` of runs that are over, for the next ones: the system
        takes longer to hand out fresh memory than a short run takes.
    """

    tables: Tables
    perm: Int32
    cells: dict[str, slice]
    population_cells: int
    exact_payload: int
    spare: deque[Any] = field(default_factory=deque)


def compile_network(network: Network) -> Program:
    """Return the program of a plain network."""
    parts: list[Port | Population] = [*network.ports, *network.order]
    index = {part.name: i for i, part in enumerate(parts)}
    part_rows, population_cells = _part_rows(network, parts)
    rows = _Rows()
    populations: list[tuple[int, ...]] = []
    for population, loop in zip(network.order, _loops(network), strict=True):
        first, incoming = len(rows.projections), network.into(population.name)
        halved, exponent = common_scale(incoming)
        for projection in incoming:
            head = [index[projection.source], network.lag(projection), projection.weight_exponent - exponent]
            rows.add(network, projection, head, halved)
        row, shift = index[population.name], exponent + halved + parameters.first_shift(population.neuron)
        span = (first, len(rows.projections))
        pieces, before = _pieces(population, incoming), _next_line(populations)
        part = (row, part_rows[row][1], population.size, int(uniform(population)))
        height = part_rows[row][c.HEIGHT]
        lines = (height // pieces, population.size // height)
        pitch = _pitch(rows.projections[slice(*span)], lines[1]) if part[-1] else 0
        populations.append((*part, *span, shift, pieces, before, *lines, pitch, *loop))
    neurons: dict[str, Any] = dict(parameters.columns(network, channel_last))
    tables = Tables(
        parts=np.array(part_rows, dtype=np.int64).reshape(-1, c.PART_COLUMNS),
        populations=np.array(populations, dtype=np.int64).reshape(-1, c.POPULATION_COLUMNS),
        **rows.arrays(),
        **{name: column for name, column in neurons.items() if name in Tables._fields},
    )
    return Program(
        tables=tables,
        perm=np.concatenate([to_internal(port.shape) for port in network.ports]),
        cells={p.name: slice(part_rows[index[p.name]][1], part_rows[index[p.name]][1] + p.size) for p in network.order},
        population_cells=population_cells,
        exact_payload=exact_payload(network),
    )


def _part_rows(network: Network, parts: list[Port | Population]) -> tuple[list[tuple[int, ...]], int]:
    """Return the rows of all parts, and how many cells the populations have."""
    rows: list[tuple[int, ...]] = []
    offsets = {Port: 0, Population: 0}
    for part in parts:
        size = int(np.prod(part.shape))
        lag = max((network.lag(projection) for projection in network.out_of(part.name)), default=0)
        history = 1 << (2 * c.CHUNK + lag - 1).bit_length()  # a stage may be a chunk ahead of the next one
        extents = part.shape if len(part.shape) == 3 else (1, 1, size)
        grain = _grain(network, part)
        edges = size // grain + 1 if grain else 0
        rows.append((size, offsets[type(part)], history, *extents, grain, edges))
        offsets[type(part)] += size
    return rows, offsets[Population]


def _pieces(population: Population, incoming: list[Projection]) -> int:
    """Return in how many pieces a population is updated: a few lines each of a map that only convolutions reach."""
    if len(population.shape) != 3 or not all(isinstance(p.connection, Convolution) for p in incoming):
        return 1
    height, line = population.shape[1], population.size // population.shape[1]
    return next(n for n in range(1, height + 1) if height % n == 0 and (n == height or height // n * line <= c.PIECE))


def _next_line(populations: list[tuple[int, ...]]) -> int:
    """Return where a population's pieces begin, so that what is kept of them shares no cache line with another's."""
    end = populations[-1][c.BEFORE] + populations[-1][c.PIECES] if populations else 0
    return -(-end // _PIECES_A_LINE) * _PIECES_A_LINE


def _pitch(projections: list[list[int]], line: int) -> int:
    """Return how far apart lines of 16-bit sums are; 0 where something else than one convolution adds to them.

    Nor are there any where a line does not consist of whole vectors, or another scale follows.
    """
    if len(projections) != 1 or projections[0][c.KIND] != c.CONVOLUTION or projections[0][c.BEYOND] or line % WORDS:
        return 0
    return -(-projections[0][c.LINE] * projections[0][c.COUT] // WORDS) * WORDS


def _loops(network: Network) -> list[tuple[int, int]]:
    """Return for each population in running order the end of the run that loops tie it into, and whether one does."""
    place = {population.name: i for i, population in enumerate(network.order)}
    until, loops = [i + 1 for i in range(len(place))], [0] * len(place)
    for projection in network.projections:
        source, target = place.get(projection.source, -1), place[projection.target]
        for i in range(target, source + 1):
            until[i], loops[i] = max(until[i], source + 1), 1
    for i in reversed(range(len(place))):  # runs that overlap are one
        until[i] = max(until[i : until[i]])
    return list(zip(until, loops, strict=True))


class _Rows:
    """Collects the projections' rows and weight tables."""

    def __init__(self) -> None:
        self.projections: list[list[int]] = []
        self.packed: list[Words] = []
        self.short: list[Words] = []
        self.wide: list[Int32] = []
        self.landings: list[Int32] = []

    def add(self, network: Network, projection: Projection, head: list[int], halved: int) -> None:
        """Append one projection whose weights are divided by 2 to the power of ``halved``."""
        connection = projection.connection
        weight = (stored_weights(connection) >> halved).astype(np.int32)
        size = np.abs(weight.astype(np.int64)).reshape(len(weight), -1)
        bounds = [int(size.max(initial=0)), int(size.sum(axis=1).max(initial=0))]
        source, target = (network.by_name[name].shape for name in (projection.source, projection.target))
        if not isinstance(connection, Convolution):
            rows = self._rows(dense_rows(weight, source, target), np.int8)
            self.projections.append([c.DENSE, *head, *rows, *bounds, *[0] * (c.PROJECTION_COLUMNS - c.CIN)])
            return
        (kernel, stride, padding, dilation), groups = _axes(connection), connection.groups
        whole = WORDS if groups == 1 else BLOCKS[-1]
        sweep = Sweep.along(source[2], target[2], kernel[1], stride[1], padding[1], dilation[1])
        rows = self._rows(sweep_rows(weight, sweep, stride[1], dilation[1], groups), np.int16, whole)
        runs = groups == 1 == dilation[1] and fits(weight, np.int8)
        taps = self._rows(tap_rows(weight), np.int8) if runs else (-1, 0, 0, 0)
        geometry = [*source, *target, *kernel, *stride, *padding, dilation[0], groups]
        extra = [sweep.span, sweep.margin, sweep.line, sum(map(len, self.landings)), taps[0], *taps[2:]]
        self.projections.append([c.CONVOLUTION, *head, *rows, *bounds, *geometry, *extra])
        self.landings.append(landings(source, sweep, stride[1], padding[1], groups, target[0], rows[2]))

    def _rows(self, rows: Int32, kind: type[np.int8] | type[np.int16], whole: int = BLOCKS[-1]) -> Place:
        """Store rows, narrow ones with a multiple of ``whole`` cells; return their place."""
        tables = self.packed if kind is np.int8 else self.short
        if not fits(rows, kind):
            begin = sum(table.size for table in self.wide)
            self.wide.append(filled(rows.ravel()))
            return begin, 0, rows.shape[1], len(rows)
        begin = sum(table.size for table in tables)
        tables.append(filled(pack(rows) if kind is np.int8 else shorten(rows, whole)))
        return begin, 1, padded(rows.shape[1], whole), len(rows)

    def arrays(self) -> dict[str, Any]:
        """Return the arrays of :class:`Tables` that describe projections."""
        return {
            "projections": np.array(self.projections, dtype=np.int64).reshape(-1, c.PROJECTION_COLUMNS),
            "landings": np.concatenate([*self.landings, np.zeros((0, 2), np.int32)]),
            "packed": joined(self.packed, np.int16),
            "short": joined(self.short, np.int16),
            "wide": joined(self.wide, np.int32),
        }


def _axes(connection: Convolution) -> tuple[tuple[int, int], ...]:
    """Return kernel, stride, padding and dilation as (H, W) pairs."""
    _, _, height, width = connection.weight.shape
    return (height, width), connection.stride, connection.padding, connection.dilation


def _grain(network: Network, part: Port | Population) -> int:
    """Return after how many cells the kernel notes where it is in the part's events; 0 where nobody asks.

    Positions are noted where their channels fill words of 64 flags or divide them evenly; else lines.
    """
    if not any(isinstance(p.connection, Convolution) for p in network.out_of(part.name)):
        return 0
    channels, _, width = part.shape
    whole = channels % 64 == 0 or channels in (8, 16, 32)
    return channels if whole and isinstance(part, Population) else channels * width

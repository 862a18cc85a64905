"""Which rows of synapses a projection has on a core: how many, and how long. :mod:`neurodeploy.memory` has their words.

A dense projection has a row for each source neuron. Of a convolution the chip file names what has one (:data:`ROWS`):
every source neuron, every distinct set of kernel taps by which source positions reach the core, every tap, or every
source channel.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import NamedTuple

from neurodeploy.network import Convolution, Shape
from neurodeploy.tiling import Axis, Range, Spans, spatial_axes


@dataclass(frozen=True)
class Row:
    """``count`` rows of ``synapses`` synapses each, onto ``runs`` equal runs of neighbouring targets; 0 onto none."""

    count: int
    synapses: int
    runs: int = 0


class TapSets(NamedTuple):
    """By which taps source positions of one axis reach a span of targets: ``sets`` pairs (taps, positions alike)."""

    positions: int
    sets: tuple[tuple[int, int], ...]


@lru_cache(maxsize=65536)
def tap_sets(axis: Axis, spans: tuple[Range, ...]) -> TapSets:
    """Return the tap sets of one axis; of several spans the union of sets, each as often as in any one span."""
    merged: dict[tuple[int, ...], int] = {}
    positions = 0
    cells = axis.cells()
    for start, stop in spans:
        taps: dict[int, list[int]] = {}
        for row in cells[start:stop].tolist():
            for tap, cell in enumerate(row):
                if cell >= 0:
                    taps.setdefault(cell, []).append(tap)
        positions = max(positions, len(taps))
        for found, count in Counter(tuple(sorted(each)) for each in taps.values()).items():
            merged[found] = max(count, merged.get(found, 0))
    return TapSets(positions, tuple((len(found), count) for found, count in merged.items()))


class Patch(NamedTuple):
    """What of a convolution a core holds: source channels per group, its groups, kernel taps, and tap sets.

    ``groups`` pairs the target channels that groups have on the core with the number of groups that have so many.
    """

    inputs: int
    groups: tuple[tuple[int, int], ...]
    kernel: int
    height: TapSets
    width: TapSets


def patch_of(connection: Convolution, source: Shape, target: Shape, spans: Spans) -> tuple[int, Patch]:
    """Return how many source neurons have a synapse on a core, and what of the convolution it holds.

    Parameters
    ----------
    source, target : shapes of the two ends.
    spans : per axis of the target the cells of the core's box, or of all boxes that it may hold.
    """
    _, inputs, tall, wide = connection.weight.shape
    axes = spatial_axes(connection, source, target)
    height, width = (tap_sets(axis, spans[1 + i]) for i, axis in enumerate(axes))
    distinct = spans[0] if connection.groups > 1 else spans[0][:1]  # without groups the first span is a largest one
    size = connection.weight.shape[0] // connection.groups
    span = max(distinct, key=lambda found: (_groups_touched(size, found), found[1] - found[0]))
    sources = inputs * _groups_touched(size, span) * height.positions * width.positions
    return sources, Patch(inputs, _by_group(size, span), tall * wide, height, width)


def _groups_touched(size: int, span: Range) -> int:
    return (span[1] - 1) // size - span[0] // size + 1


def _by_group(size: int, span: Range) -> tuple[tuple[int, int], ...]:
    """Return how many channels of the span the groups have that it touches, each number with how often it occurs."""
    start, stop = span
    touched = _groups_touched(size, span)
    if touched == 1:
        return ((stop - start, 1),)
    found = Counter((size - start % size, (stop - 1) % size + 1))
    found[size] += touched - 2
    return tuple((channels, groups) for channels, groups in found.items() if groups)


def _kernel_tap_rows(patch: Patch) -> list[Row]:
    """Return one row per tap and source channel, which all positions share."""
    return [Row(patch.kernel * patch.inputs * groups, channels, 1) for channels, groups in patch.groups]


def _tap_set_rows(patch: Patch) -> list[Row]:
    """Return one row per source channel and distinct tap set, which the positions alike share."""
    return [Row(patch.inputs * groups, taps * channels, taps) for channels, groups, taps, _ in _rows_by_set(patch)]


def _source_rows(patch: Patch) -> list[Row]:
    """Return one row per source neuron, shared with no other."""
    return [
        Row(patch.inputs * groups * count, taps * channels, taps)
        for channels, groups, taps, count in _rows_by_set(patch)
    ]


def _rows_by_set(patch: Patch) -> Iterator[tuple[int, int, int, int]]:
    for (channels, groups), (tall, rows), (wide, columns) in product(patch.groups, patch.height.sets, patch.width.sets):
        yield channels, groups, tall * wide, rows * columns


def _kernel_block_rows(patch: Patch) -> list[Row]:
    """Return one block per source channel: its taps times its target channels, each rounded up to a power of two."""
    taps = power_of_two(patch.kernel)
    return [Row(patch.inputs * groups, taps * power_of_two(channels)) for channels, groups in patch.groups]


def rows_per_source(_shape: Shape, sources: int, neurons: int) -> list[Row]:
    """Return one row per source neuron of a dense projection."""
    return [Row(sources, neurons)]


def _dense_blocks(shape: Shape, _sources: int, neurons: int) -> list[Row]:
    """Return the blocks of a dense projection taken as a convolution whose kernel covers its whole source."""
    return [Row(shape[0], power_of_two(math.prod(shape[1:])) * power_of_two(neurons))]


def power_of_two(count: int) -> int:
    """Return the least power of two that is not below a positive count."""
    return 1 << (count - 1).bit_length()


#: Name in a chip file -> the rows a dense projection has on a core; names without an entry have one per source neuron.
DENSE_ROWS: dict[str, Callable[[Shape, int, int], list[Row]]] = {"kernel-block": _dense_blocks}

#: Name in a chip file -> the rows a convolution has on a core.
ROWS: dict[str, Callable[[Patch], list[Row]]] = {
    "kernel-tap": _kernel_tap_rows,
    "tap-set": _tap_set_rows,
    "source": _source_rows,
    "kernel-block": _kernel_block_rows,
}

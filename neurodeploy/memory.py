"""How many words of a core's memory synapses, axons and neurons take, by the formulas a chip file names.

A projection onto a core is a set of rows of synapses (:data:`ROWS`), a row takes whole words (:data:`PACKING`)::

    entry   words = sum over entries of k <= E synapses: ceil((k b + header) / word)      Loihi, each entry padded
    row     words = ceil((n b + header) / word)                                           Loihi 2, each row padded
    b = weight bits + index bits + delay bits

Loihi: nengo-loihi and NxTF agree on the formula. Loihi 2: recovered from tables the vendor's compiler printed.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import NamedTuple

import numpy as np

from neurodeploy.network import Convolution, Projection, Shape, Sparse
from neurodeploy.targets.chip import Chip, Encoding
from neurodeploy.tiling import Axis, Range, Spans, spatial_axes


@dataclass(frozen=True)
class Row:
    """``count`` rows of ``synapses`` synapses each."""

    count: int
    synapses: int


@dataclass(frozen=True)
class Stored:
    """What one projection takes on one core.

    Attributes
    ----------
    sources : source neurons with a synapse on the core, the input axons it needs.
    words : synapse words.
    longest : words of its longest row.
    axon_in : words of input axon memory.
    """

    sources: int
    words: int
    longest: int
    axon_in: int


def entry_words(synapses: int, bits: int, *, entry: int = 64, header: int = 10, word: int = 64) -> int:
    """Return the words of a row cut into entries of at most ``entry`` synapses of ``bits`` bits each."""
    full, rest = divmod(synapses, entry)
    tail = -(-(rest * bits + header) // word) if rest else 0
    return full * -(-(entry * bits + header) // word) + tail


def row_words(synapses: int, bits: int, *, header: int = 10, word: int = 64) -> int:
    """Return the words of a row of ``synapses`` synapses of ``bits`` bits each."""
    return -(-(synapses * bits + header) // word) if synapses else 0


#: Name in a chip file -> words of one row: (encoding, synapses, bits, word bits).
PACKING: dict[str, Callable[[Encoding, int, int, int], int]] = {
    "entry": lambda e, n, bits, word: entry_words(n, bits, entry=e.entry_synapses, header=e.header, word=word),
    "row": lambda e, n, bits, word: row_words(n, bits, header=e.header, word=word),
}


def stored_weight_bits(chip: Chip, bits: int) -> int:
    """Return the narrowest synapse of the chip that holds a weight of ``bits`` bits, or its widest."""
    return next((width for width in chip.weight_bits if width >= bits), chip.weight_bits[-1])


def synapse_bits(
    chip: Chip, encoding: Encoding, weight_bits: int, targets: int, delay: int = 0, *, gaps: bool = False
) -> int:
    """Return the bits of one synapse among ``targets`` neurons of a core.

    With ``gaps`` in its row a synapse must name its target, however short the index of a full row may be.
    """
    named = (targets - 1).bit_length()
    index = max(named, encoding.index_least)
    index = index if gaps else min(index, encoding.index_most)
    return stored_weight_bits(chip, weight_bits) + index + (delay.bit_length() if encoding.delay_in_synapse else 0)


def synapse_words(chip: Chip, encoding: Encoding, rows: Iterable[Row], bits: int) -> tuple[int, int]:
    """Return the words of all rows, and of the longest one."""
    packing = PACKING[encoding.packing]
    total = longest = 0
    for row in rows:
        words = packing(encoding, row.synapses, bits, chip.word_bits)
        total, longest = total + row.count * words, max(longest, words)
    return total, longest


def stored(
    chip: Chip, projection: Projection, source: Shape, target: Shape, spans: Spans, *, padded: int, neurons: int
) -> Stored:
    """Return what a projection takes on the core that holds a box of its target.

    Parameters
    ----------
    source, target : shapes of its two ends.
    spans : per axis of the target the cells of the box; several of them where the box may be any of several, and the
        answer is then an upper bound for all.
    padded : cells of the source's tiles, the unused ones beyond its border included.
    neurons : of the core, which the index of a synapse must tell apart.
    """
    if isinstance(projection.connection, Sparse):
        return _stored_sparse(chip, projection, projection.connection, target, spans, neurons=neurons)
    if isinstance(projection.connection, Convolution):
        encoding = chip.encodings["convolution"]
        sources, patch = _patch(projection.connection, source, target, spans)
        rows = ROWS[encoding.rows](patch)
    else:
        encoding = chip.encodings["dense"]
        sources = padded if encoding.pads_source else math.prod(source)
        rows = DENSE_ROWS.get(encoding.rows, _rows_per_source)(source, sources, neurons)
    bits = synapse_bits(chip, encoding, projection.weight_bits, neurons, projection.delay)
    words, longest = synapse_words(chip, encoding, rows, bits)
    axon_in = math.ceil(encoding.axon_in_per_source * sources + encoding.axon_in_per_core)
    return Stored(sources, words, longest, axon_in)


def _stored_sparse(
    chip: Chip, projection: Projection, connection: Sparse, target: Shape, spans: Spans, *, neurons: int
) -> Stored:
    """Return the most that sparse rows take on any of the boxes: one row a source that has a synapse there."""
    encoding = chip.encodings["dense"]
    bits = synapse_bits(chip, encoding, projection.weight_bits, neurons, projection.delay, gaps=True)
    extents = target if len(spans) == len(target) else (math.prod(target),)
    cells = np.unravel_index(connection.rows, extents)
    most = Stored(0, 0, 0, 0)
    for box in product(*spans):
        inside = np.logical_and.reduce([(a <= axis) & (axis < b) for axis, (a, b) in zip(cells, box, strict=True)])
        rows = np.unique(connection.indices[inside], return_counts=True)[1]
        words, longest = synapse_words(chip, encoding, [Row(n, k) for k, n in Counter(rows.tolist()).items()], bits)
        axon_in = math.ceil(encoding.axon_in_per_source * len(rows) + encoding.axon_in_per_core)
        found = (len(rows), words, longest, axon_in)
        known = (most.sources, most.words, most.longest, most.axon_in)
        most = Stored(*map(max, zip(found, known, strict=True)))
    return most


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
    """What of a convolution a core holds: source channels per group, target channels of each group, and tap sets."""

    inputs: int
    channels: tuple[int, ...]
    kernel: int
    height: TapSets
    width: TapSets


def _patch(connection: Convolution, source: Shape, target: Shape, spans: Spans) -> tuple[int, Patch]:
    _, inputs, tall, wide = connection.weight.shape
    axes = spatial_axes(connection, source, target)
    height, width = (tap_sets(axis, spans[1 + i]) for i, axis in enumerate(axes))
    distinct = spans[0] if connection.groups > 1 else spans[0][:1]  # without groups the first span is a largest one
    channels = max((_by_group(connection, span) for span in distinct), key=lambda found: (len(found), sum(found)))
    return inputs * len(channels) * height.positions * width.positions, Patch(
        inputs, channels, tall * wide, height, width
    )


def _by_group(connection: Convolution, span: Range) -> tuple[int, ...]:
    """Return how many channels of the span each group has that it touches."""
    size = connection.weight.shape[0] // connection.groups
    start, stop = span
    return tuple(
        min(stop, (group + 1) * size) - max(start, group * size) for group in range(start // size, -(-stop // size))
    )


def _kernel_tap_rows(patch: Patch) -> list[Row]:
    """Return one row per tap and source channel, which all positions share."""
    return [Row(patch.kernel * patch.inputs, channels) for channels in patch.channels]


def _tap_set_rows(patch: Patch) -> list[Row]:
    """Return one row per source channel and distinct tap set, which the positions alike share."""
    return [Row(patch.inputs, taps * channels) for channels, taps, _ in _rows_by_set(patch)]


def _source_rows(patch: Patch) -> list[Row]:
    """Return one row per source neuron, shared with no other."""
    return [Row(patch.inputs * count, taps * channels) for channels, taps, count in _rows_by_set(patch)]


def _rows_by_set(patch: Patch) -> Iterator[tuple[int, int, int]]:
    for channels, (tall, rows), (wide, columns) in product(patch.channels, patch.height.sets, patch.width.sets):
        yield channels, tall * wide, rows * columns


def _kernel_block_rows(patch: Patch) -> list[Row]:
    """Return one block per source channel: its taps times its target channels, each rounded up to a power of two."""
    return [Row(patch.inputs, power_of_two(patch.kernel) * power_of_two(channels)) for channels in patch.channels]


def _rows_per_source(_shape: Shape, sources: int, neurons: int) -> list[Row]:
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

"""How many words of a core's memory synapses, axons and neurons take, by the formulas a chip file names.

A projection onto a core is a set of rows (:mod:`neurodeploy.rows`), and a row takes whole words (:data:`PACKING`)::

    entry   words = sum over entries of k <= E synapses: ceil((k b + header) / word)      Loihi, each entry padded
    row     words = ceil((n b + header) / word)                                           Loihi 2, each row padded
    b = weight bits + index bits + delay bits

Where a chip file says ``runs``, a row whose targets are neighbours is stored the shorter way: as it is, or one entry or
more for each run of neighbours, whose header names the first of them once instead of every synapse naming its own::

    run     words = sum over runs, and their entries of k <= E synapses: ceil((k (b - index) + header + index) / word)

What counts as neighbours is a core's own business: it numbers the channels of a place one after the other, so a kernel
tap leads to one run of all the channels a tile has.

Loihi: nengo-loihi and NxTF agree on the formula. Loihi 2: recovered from tables the vendor's compiler printed.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import product

import numpy as np

from neurodeploy.network import Convolution, Projection, Shape, Sparse
from neurodeploy.rows import DENSE_ROWS, ROWS, Row, patch_of, rows_per_source
from neurodeploy.targets.chip import Chip, Encoding
from neurodeploy.tiling import Spans


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
    index = index_bits(encoding, targets, gaps=gaps)
    return stored_weight_bits(chip, weight_bits) + index + (delay.bit_length() if encoding.delay_in_synapse else 0)


def index_bits(encoding: Encoding, targets: int, *, gaps: bool = False) -> int:
    """Return the bits by which a synapse names its target among so many neurons of a core."""
    index = max((targets - 1).bit_length(), encoding.index_least)
    return index if gaps else min(index, encoding.index_most)


@dataclass(frozen=True)
class RowWords:
    """The words of rows of one projection on one core.

    Attributes
    ----------
    bits : of one synapse that names its target.
    index : those of them that name it.
    word : bits of a word.
    """

    encoding: Encoding
    bits: int
    index: int
    word: int

    def __call__(self, synapses: int, runs: int = 0) -> int:
        """Return the words of a row of so many synapses, onto so many runs of neighbouring targets."""
        plain = PACKING[self.encoding.packing](self.encoding, synapses, self.bits, self.word)
        if not (self.encoding.runs and runs):
            return plain
        header, entry = self.encoding.header + self.index, self.encoding.entry_synapses
        run = entry_words(synapses // runs, self.bits - self.index, entry=entry, header=header, word=self.word)
        return min(plain, runs * run)


def row_words_of(chip: Chip, kind: str, projection: Projection, neurons: int, *, gaps: bool = False) -> RowWords:
    """Return what tells the words of a projection's rows.

    Parameters
    ----------
    kind : a key of the chip's encodings.
    neurons : of the core, which the index of a synapse must tell apart.
    gaps : whether a row leaves out targets, so that a synapse must name its own.
    """
    encoding = chip.encodings[kind]
    bits = synapse_bits(chip, encoding, projection.weight_bits, neurons, projection.delay, gaps=gaps)
    return RowWords(encoding, bits, index_bits(encoding, neurons, gaps=gaps), chip.word_bits)


def _total_words(words: RowWords, rows: Iterable[Row]) -> tuple[int, int]:
    """Return the words of all rows, and of the longest one."""
    total = longest = 0
    for row in rows:
        each = words(row.synapses, row.runs)
        total, longest = total + row.count * each, max(longest, each)
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
        kind, encoding = "convolution", chip.encodings["convolution"]
        sources, patch = patch_of(projection.connection, source, target, spans)
        rows = ROWS[encoding.rows](patch)
    else:
        kind, encoding = "dense", chip.encodings["dense"]
        sources = padded if encoding.pads_source else math.prod(source)
        rows = DENSE_ROWS.get(encoding.rows, rows_per_source)(source, sources, neurons)
    words, longest = _total_words(row_words_of(chip, kind, projection, neurons), rows)
    axon_in = math.ceil(encoding.axon_in_per_source * sources + encoding.axon_in_per_core)
    return Stored(sources, words, longest, axon_in)


def _stored_sparse(
    chip: Chip, projection: Projection, connection: Sparse, target: Shape, spans: Spans, *, neurons: int
) -> Stored:
    """Return the most that sparse rows take on any of the boxes: one row a source that has a synapse there."""
    encoding = chip.encodings["dense"]
    words_of = row_words_of(chip, "dense", projection, neurons, gaps=True)
    extents = target if len(spans) == len(target) else (math.prod(target),)
    cells = np.unravel_index(connection.rows, extents)
    most = Stored(0, 0, 0, 0)
    for box in product(*spans):
        inside = np.logical_and.reduce([(a <= axis) & (axis < b) for axis, (a, b) in zip(cells, box, strict=True)])
        rows = np.unique(connection.indices[inside], return_counts=True)[1]
        words, longest = _total_words(words_of, [Row(n, k) for k, n in Counter(rows.tolist()).items()])
        axon_in = math.ceil(encoding.axon_in_per_source * len(rows) + encoding.axon_in_per_core)
        found = (len(rows), words, longest, axon_in)
        known = (most.sources, most.words, most.longest, most.axon_in)
        most = Stored(*map(max, zip(found, known, strict=True)))
    return most

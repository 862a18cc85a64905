"""Words against the figures of the vendors' tools: nengo-loihi's validation test and NxCompiler's printed tables."""

import math
from dataclasses import replace
from itertools import groupby

import numpy as np
import pytest

from neurodeploy.memory import entry_words, row_words, stored, stored_weight_bits, synapse_bits
from neurodeploy.targets.chip import load_chip
from neurodeploy.tiling import Tiling
from tests.chains import chain, conv, dense, pool, sparse, synapses

LOIHI1, LOIHI2 = load_chip("loihi1"), load_chip("loihi2")


def with_convolution(chip, **changes):
    return replace(chip, encodings={**chip.encodings, "convolution": replace(chip.encodings["convolution"], **changes)})


#: Every synapse names its target, as nengo-loihi and NxTF store convolutions unless told otherwise.
PLAIN = with_convolution(LOIHI1, runs=False)


def on_core(chip, source, connection, tile=None, bits=8):
    """Return what the first core of a tiling takes for a projection."""
    network = chain(source, connection, bits=bits)
    target = network.populations[0].shape
    tiling = Tiling(target, tile or target)
    box = next(iter(tiling.boxes()))
    neurons = math.prod(stop - start for start, stop in box)
    spans = tuple((span,) for span in box)
    return stored(chip, network.projections[0], source, target, spans, padded=math.prod(source), neurons=neurons)


def test_loihi1_entries():
    assert entry_words(600, 8) == 9 * 9 + 4
    assert entry_words(64, 8) == 9
    assert entry_words(0, 8) == 0
    # 60 synapses an entry, as NxTF has it: ten entries of ceil(490 / 64)
    assert entry_words(600, 8, entry=60) == 80


def test_loihi1_dense_rows():
    found = on_core(LOIHI1, (500,), dense(600, 500))
    assert (found.words, found.longest, found.sources) == (42_500, 85, 500)


@pytest.mark.parametrize(("inputs", "outputs", "words"), [(64, 10, 256), (128, 64, 2688), (784, 50, 12_544)])
def test_loihi2_dense(inputs, outputs, words):
    found = on_core(LOIHI2, (inputs,), dense(outputs, inputs))
    assert (found.words, found.axon_in) == (words, inputs)


@pytest.mark.parametrize(
    ("inputs", "outputs", "bits", "kernel", "words"),
    [
        (3, 24, 6, 3, 81),
        (24, 36, 6, 3, 864),
        (36, 48, 6, 3, 1620),
        (48, 64, 4, 3, 2160),
        (48, 64, 5, 3, 2592),
        (64, 64, 4, 3, 2880),
        (16, 32, 6, 3, 576),
        (32, 64, 5, 3, 1728),
        (64, 128, 5, 3, 6336),
        (128, 128, 5, 3, 12_672),
        (256, 64, 4, 3, 11_520),
        (256, 64, 5, 3, 13_824),
        (512, 256, 5, 1, 10_752),
    ],
)
def test_loihi2_convolution(inputs, outputs, bits, kernel, words):
    found = on_core(LOIHI2, (inputs, 9, 9), conv(outputs, inputs, kernel), bits=bits)
    assert found.words == words
    assert found.axon_in == 2


@pytest.mark.parametrize(
    ("axon_in", "neurons", "inputs", "outputs", "axon_map", "percent"),
    [(64, 10, 64, 10, 12, 1.71), (128, 64, 128, 64, 64, 14.72), (784, 50, 784, 50, 50, 67.14)],
)
def test_loihi2_pool_adds_up_to_the_compilers_share(axon_in, neurons, inputs, outputs, axon_map, percent):
    words = inputs * row_words(outputs, 20)
    assert round(100 / 20_000 * (axon_in + neurons + words + axon_map), 2) == percent


def test_widths():
    assert [stored_weight_bits(LOIHI1, bits) for bits in (1, 6, 7, 8, 9)] == [1, 6, 8, 8, 8]
    convolution = LOIHI1.encodings["convolution"]
    assert synapse_bits(LOIHI1, convolution, 8, targets=1024) == 18
    assert synapse_bits(LOIHI1, convolution, 8, targets=4) == 14
    dense_rows = LOIHI1.encodings["dense"]
    assert synapse_bits(LOIHI1, dense_rows, 8, targets=1024, delay=5) == 11
    assert synapse_bits(LOIHI2, LOIHI2.encodings["dense"], 8, targets=5, delay=5) == 20


def test_loihi1_convolution_stores_each_tap_set_once():
    # 3 taps, padding 1: the border cells reach through taps (0, 1) and (1, 2), all inner ones through (0, 1, 2)
    found = on_core(PLAIN, (2, 8, 8), conv(4, 2, 3, padding=(1, 1)))
    bits = 8 + 8  # 256 neurons on the core
    rows = [a * b * 4 for a in (2, 3, 2) for b in (2, 3, 2)]
    assert found.words == 2 * sum(entry_words(row, bits) for row in rows)
    assert found.sources == 2 * 8 * 8
    twice_as_wide = on_core(PLAIN, (2, 8, 16), conv(4, 2, 3, padding=(1, 1)))
    assert twice_as_wide.words == 2 * sum(entry_words(row, bits + 1) for row in rows)


@pytest.mark.parametrize(
    ("outputs", "kernel", "words", "plain"),
    [
        (64, 1, 9, 15),  # 64 weights of 8 bits after 10 bits and an index of 6; else 14 bits a synapse
        (192, 1, 27, 51),  # three entries of these; else 16 bits a synapse
        (1, 3, 3, 3),  # one channel a place: nine synapses that name their targets are shorter than nine entries
    ],
)
def test_neighbouring_targets_are_named_once(outputs, kernel, words, plain):
    connection = conv(outputs, 1, kernel, padding=(kernel // 2, kernel // 2))
    assert on_core(LOIHI1, (1, kernel, kernel), connection).longest == words
    assert on_core(PLAIN, (1, kernel, kernel), connection).longest == plain


@pytest.mark.parametrize(
    ("source", "connection", "tile"),
    [
        ((3, 5, 6), conv(20, 3, 3, padding=(1, 1)), (20, 5, 6)),
        ((2, 7, 7), conv(70, 2, 3, stride=(2, 2)), (35, 2, 3)),
        ((8, 4, 4), conv(16, 4, 1, groups=2), (16, 2, 4)),
        ((4, 6, 6), pool(4, 2), (2, 3, 3)),
    ],
)
def test_runs_are_those_of_the_synapses_themselves(source, connection, tile):
    chip = with_convolution(LOIHI1, rows="source")
    network = chain(source, connection)
    channels, tall, wide = network.populations[0].shape
    rows = {}
    for cell, target in synapses(network, network.projections[0]):
        channel, y, x = np.unravel_index(target, (channels, tall, wide))
        if channel < tile[0] and y < tile[1] and x < tile[2]:
            # On a core the channels of a place follow each other.
            rows.setdefault(cell, []).append((y * tile[2] + x) * tile[0] + channel)
    neurons = math.prod(tile)
    index = max(6, (neurons - 1).bit_length())
    expected = 0
    for numbers in rows.values():
        runs = [list(run) for _, run in groupby(sorted(numbers), key=lambda number: number // tile[0])]
        assert all(run[-1] - run[0] == len(run) - 1 for run in runs)
        named_once = sum(entry_words(len(run), 8, header=10 + index) for run in runs)
        expected += min(named_once, entry_words(len(numbers), 8 + index))
    assert on_core(chip, source, connection, tile=tile).words == expected


def test_tile_counts_only_the_sources_it_reads():
    # A tile of 4 columns reads 6 of the source, at the left border 5
    found = on_core(LOIHI1, (1, 16, 16), conv(1, 1, 3, padding=(1, 1)), tile=(1, 16, 4))
    assert found.sources == 16 * 5


def test_grouped_convolution_keeps_rows_of_its_own_group():
    found = on_core(LOIHI2, (8, 8, 8), pool(8, 2))
    assert found.words == 8 * 4 * row_words(1, 8)
    halved = on_core(LOIHI2, (8, 8, 8), pool(8, 2), tile=(4, 4, 4))
    assert halved.words == found.words // 2
    assert on_core(LOIHI1, (8, 8, 8), pool(8, 2), tile=(4, 4, 4)).sources == 4 * 8 * 8


def test_row_without_synapses_takes_no_words():
    assert row_words(0, 8) == 0


def test_sparse_rows_hold_only_what_is_stored():
    connection = sparse(200, 50, share=0.1, seed=3)
    counts = np.bincount(connection.indices, minlength=50)
    found = on_core(LOIHI1, (50,), connection)
    assert found.words == sum(entry_words(int(count), 8 + 8) for count in counts)
    assert found.sources == (counts > 0).sum()
    assert found.words < on_core(LOIHI1, (50,), dense(200, 50)).words
    upper = np.bincount(connection.indices[connection.rows < 80], minlength=50)
    assert on_core(LOIHI1, (50,), connection, tile=(80,)).sources == (upper > 0).sum()

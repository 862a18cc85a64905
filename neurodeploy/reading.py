"""How many words of synapse memory a core reads for the spikes that reach it.

A spike reads whole rows, by the encoding its chip file names: of a dense projection the one of its source neuron; of a
convolution one per tap where rows are kernel taps, otherwise the one that holds all taps by which its source position
reaches the core. The words of a row are those :mod:`neurodeploy.memory` stores::

    reads = sum over spikes and cores reached of the words of the rows read
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

from neurodeploy.fans import ConvolutionFan, DenseFan, Fan, SparseFan, Spikes, times, weighted
from neurodeploy.memory import row_words_of
from neurodeploy.network import Projection
from neurodeploy.targets.chip import Chip
from neurodeploy.tiling import Counts

#: Spikes per source neuron, [..., sources] -> words each target core reads, int64 [..., tiles].
Reader = Callable[[Spikes], Counts]

#: Rows of a convolution of which a spike reads one for each tap; of all others it reads one.
_ROW_PER_TAP = "kernel-tap"


def reader_of(chip: Chip, projection: Projection, fan: Fan) -> Reader:
    """Return what counts the words read for spikes that come through a projection."""
    if isinstance(fan, ConvolutionFan):
        return _convolution(chip, projection, fan)
    return _sparse(chip, projection, fan) if isinstance(fan, SparseFan) else _dense(chip, projection, fan)


def _dense(chip: Chip, projection: Projection, fan: DenseFan) -> Reader:
    rows = np.array(
        [row_words_of(chip, "dense", projection, n)(n) for n in fan.target.sizes().tolist()], dtype=np.int64
    )
    return lambda spikes: times(spikes.sum(axis=-1, dtype=np.int64), rows)


def _sparse(chip: Chip, projection: Projection, fan: SparseFan) -> Reader:
    rows = np.zeros_like(fan.synapses)
    for tile, neurons in enumerate(fan.target.sizes().tolist()):
        words = row_words_of(chip, "dense", projection, neurons, gaps=True)
        counts, place = np.unique(fan.synapses[tile], return_inverse=True)
        rows[tile] = np.array([words(n) for n in counts.tolist()], dtype=np.int64)[place]
    return lambda spikes: weighted(spikes, rows)


def _convolution(chip: Chip, projection: Projection, fan: ConvolutionFan) -> Reader:
    """Sum over the distinct numbers of channels, rows and columns by which a source position reaches a core."""
    per_tap = chip.encodings["convolution"].rows == _ROW_PER_TAP
    of_tile = [row_words_of(chip, "convolution", projection, n) for n in fan.target.sizes().tolist()]
    terms = []
    for values in itertools.product(*(np.unique(paths[paths > 0]).tolist() for paths in fan.paths)):
        channels, tall, wide = values
        matrices = [(paths == value).astype(np.int64) for paths, value in zip(fan.paths, values, strict=True)]
        taps = tall * wide
        rows, runs = (taps, 1) if per_tap else (1, taps)
        read_words = [rows * words(runs * channels, runs) for words in of_tile]
        terms.append((matrices, np.array(read_words, dtype=np.int64)))

    def read(spikes: Spikes) -> Counts:
        words = np.zeros((*spikes.shape[:-1], fan.target.count), dtype=np.int64)
        for matrices, rows in terms:
            words += fan.contract(spikes, matrices) * rows
        return words

    return read

"""Lists of the flags that are set, by every way that this processor has."""

from __future__ import annotations

import numpy as np
import pytest

from neurodeploy.targets.emulator import listing
from neurodeploy.targets.emulator.jit import njit, processor_features
from neurodeploy.targets.emulator.pointers import pointer
from neurodeploy.targets.emulator.rows import OPTIONS

WORDS = [0, 1, 1 << 63, (1 << 64) - 1, 0x8000_0000_0001_8001, 0x00FF_00FF_FF00_FF00]


def ways():
    has = {"", *processor_features()}
    return [pytest.param(way, id=feature or "table") for feature, way in listing.WAYS if feature in has]


@pytest.mark.parametrize("way", ways())
def test_places_of_bits(way):
    @njit(**OPTIONS)
    def call(bits, offset, to, indices):
        return way(bits, offset, to, pointer(indices))

    rng, indices = np.random.default_rng(0), np.zeros(100, np.int32)
    for word in [*WORDS, *rng.integers(0, 1 << 64, 200, np.uint64), *(rng.integers(0, 1 << 63, 50) & 0x1111)]:
        end = call(np.uint64(word), 1000, 3, indices)
        assert indices[3:end].tolist() == [1000 + place for place in range(64) if int(word) >> place & 1]


@pytest.mark.parametrize("grain", [0, 8, 16, 32, 64, 128, 4])
@pytest.mark.parametrize("size", [16, 64, 128, 320, 336])
def test_lists_and_where_their_stretches_begin(grain, size):
    """Of silent, sparse and full words, whole ones and a part of one, behind a list that has entries already."""
    rng = np.random.default_rng(size)
    for density in (0.0, 0.03, 0.1, 0.5, 1.0):
        flags = np.zeros(size + 64, np.uint8)
        flags[:size] = rng.random(size) < density
        indices, edges = np.full(size + 80, -1, np.int32), np.full(-(-size // (grain or size)) + 1, -7, np.int32)
        number = list_flags(flags, size, grain, indices, edges)
        (fired,) = np.nonzero(flags)
        assert indices[:number].tolist() == (fired + 1000).tolist()
        starts = np.arange(0, size, grain) if grain else np.zeros(0, int)
        assert edges.tolist() == [*(np.searchsorted(fired, starts) + 5).tolist(), *[-7] * (edges.size - starts.size)]


@njit(**OPTIONS)
def list_flags(flags, size, grain, indices, edges):
    return listing.list_fired(pointer(flags), size, 1000, pointer(indices), grain, pointer(edges), 5)


@pytest.mark.parametrize("kind", [np.uint8, np.int32])
@pytest.mark.parametrize("loud", [1, 2, 200])
@pytest.mark.parametrize("plane", [5, 63, 64, 100, 196])
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_ports_are_listed_by_position(channels, plane, loud, kind):
    """Whatever goes before: of few cells and of many, wherever the only loud one is."""
    rng, part = np.random.default_rng(plane), np.array([channels * plane, 0, 16, channels, 1, plane, 0, 0])
    for density in (0.0, 0.1, 0.6, 1.0):
        dense = (rng.random((channels, plane)) < density).astype(kind)
        dense[rng.integers(channels), rng.integers(plane)] = loud
        indices, payloads = np.full(dense.size + 80, -1, np.int32), np.full(dense.size + 80, -1, np.int32)
        number, found = list_values(dense.ravel(), part, indices, payloads)
        inner = dense.T.ravel()
        (sent,) = np.nonzero(inner)
        assert indices[:number].tolist() == sent.tolist()
        assert found == loud
        assert loud == 1 or payloads[:number].tolist() == inner[sent].tolist()


@njit(**OPTIONS)
def list_values(dense, part, indices, payloads):
    if dense.itemsize == 1:
        return listing.list_bytes(pointer(dense), pointer(part), pointer(indices), pointer(payloads))
    return listing.list_port(pointer(dense), pointer(part), pointer(indices), pointer(payloads))

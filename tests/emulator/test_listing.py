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

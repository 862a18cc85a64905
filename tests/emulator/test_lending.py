"""Memory of recordings: lent, kept by every view of it, given back, lent again."""

from __future__ import annotations

import numpy as np
import pytest

from neurodeploy.simulation import simulate
from neurodeploy.targets.emulator import lending, memory
from neurodeploy.targets.emulator import run as emulator
from neurodeploy.targets.emulator.lending import KEPT, LENT, lend, waiting
from tests.random_networks import random_network, random_spikes


@pytest.fixture(autouse=True)
def shelf(monkeypatch):
    """Begin with nothing that waits."""
    monkeypatch.setattr(lending, "_shelf", {})


def place(array: np.ndarray) -> int:
    return int(array.ctypes.data)


def test_memory_comes_back_with_its_last_view_alone():
    array = lend((2, LENT), np.uint8)
    at, view = place(array), array[1, 5:9]
    assert at % 64 == 0
    del array
    assert waiting() == 0
    assert place(lend((2, LENT), np.uint8)) != at
    view[:] = 7
    del view
    assert waiting() == 4 * LENT


def test_what_came_back_is_lent_again():
    array = lend((4, LENT), np.int32)
    at = place(array)
    del array
    again = lend((16 * LENT,), np.uint8)
    assert place(again) == at
    assert waiting() == 0


def test_far_larger_memory_is_not_lent_for_less():
    del_me = lend((8 * LENT,), np.uint8)
    at = place(del_me)
    del del_me
    assert place(lend((4 * LENT,), np.uint8)) != at
    assert waiting() == 12 * LENT


def test_no_more_waits_than_is_allowed():
    large = [lend((KEPT // 2 - 1,), np.uint8) for _ in range(3)]
    places = [place(array) for array in large]
    while large:
        large.pop(0)
    assert waiting() == 2 * (KEPT // 2 - 1)
    assert {place(lend((KEPT // 2 - 1,), np.uint8)) for _ in range(1)} <= set(places[1:])
    huge = lend((KEPT + 1,), np.uint8)
    del huge
    assert waiting() <= KEPT


def test_small_arrays_are_the_systems():
    lend((LENT - 1,), np.uint8)
    assert waiting() == 0


@pytest.mark.parametrize("seed", range(3))
def test_recordings_past_the_caches_are_the_same(monkeypatch, seed):
    """Of spikes, and of both states, with steps that begin with a cache line and without."""
    network = random_network(seed)
    spikes = random_spikes(network, seed)
    usual = simulate(network, spikes, record=("s", "u", "v"))
    for many in (1, 1 << 30):
        monkeypatch.setattr(memory, "_MANY", many)
        monkeypatch.setattr(emulator, "CACHED", -1)
        monkeypatch.setattr(lending, "LENT", 0)
        past = simulate(network, spikes, record=("s", "u", "v"))
        for here, there in ((usual.spikes, past.spikes), (usual.u, past.u), (usual.v, past.v)):
            assert all(np.array_equal(here[name], there[name]) for name in here)
        assert usual.wraps == past.wraps

"""The first difference is the earliest cause."""

from __future__ import annotations

import numpy as np
import pytest

from neurodeploy.comparison import compare
from neurodeploy.errors import NotEqual
from neurodeploy.simulation import simulate
from tests.random_networks import random_network, random_spikes

NETWORK = random_network(2)
SPIKES = random_spikes(NETWORK, 2)


def recording():
    return simulate(NETWORK, SPIKES, record=("s", "u", "v"))


def test_equal_counts_every_cell():
    comparison = compare(recording(), recording())
    neurons = sum(p.size for p in NETWORK.populations)
    assert comparison.equal
    assert comparison.cells == 3 * 3 * 12 * neurons
    assert "equal over" in comparison.summary()


def test_first_difference_is_by_sample_then_step_then_cause():
    other = recording()
    other.v["b"][1, 4, 0, 0, 0] += 1
    other.u["b"][1, 4, 2, 0, 0] += 7
    other.spikes["c"][2, 0, 0] ^= 1
    comparison = compare(recording(), other)
    first = comparison.first_difference
    assert (first.sample, first.step, first.population, first.quantity, first.neuron) == (1, 4, "b", "u", (2, 0, 0))
    assert first.values[1] - first.values[0] == 7
    assert comparison.differing == 3
    assert "differ in 3 of" in comparison.summary()
    assert comparison.as_dict()["first_difference"]["population"] == "b"


def test_recordings_of_different_extent_are_refused():
    short = simulate(NETWORK, {k: v[:, :5] for k, v in SPIKES.items()})
    with pytest.raises(NotEqual, match="3 samples of 12 steps against 3 of 5"):
        compare(recording(), short)


def test_only_quantities_that_both_hold_are_compared():
    assert compare(recording(), simulate(NETWORK, SPIKES)).quantities == ("s",)
    assert np.array_equal(recording().only(("u",)).u["a"], recording().u["a"])
    assert not recording().only(("u",)).v

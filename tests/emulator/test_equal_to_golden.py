"""Every fast path of the emulator against the golden model, in every u, v and s."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neurodeploy.comparison import compare
from neurodeploy.network import Dense, Network, Population, Port, Projection
from neurodeploy.neurons import Lif
from neurodeploy.simulation import simulate
from tests.random_networks import random_network, random_spikes

EVERYTHING = ("s", "u", "v")


def both(network, spikes):
    return [simulate(network, spikes, backend, EVERYTHING) for backend in ("golden", "emulator")]


@pytest.mark.parametrize("seed", range(24))
def test_random_networks(seed):
    network = random_network(seed)
    spikes = random_spikes(network, seed)
    golden, fast = both(network, spikes)
    assert compare(golden, fast).equal, compare(golden, fast).summary()
    assert golden.wraps == fast.wraps
    assert golden.clips == fast.clips


@pytest.mark.parametrize("seed", range(6))
def test_chip_time_and_graded_payloads(seed):
    network = random_network(seed).in_chip_time()
    rng = np.random.default_rng(seed)
    spikes = {k: (v * rng.integers(-6, 9, v.shape)).astype(np.int32) for k, v in random_spikes(network, seed).items()}
    golden, fast = both(network, spikes)
    assert compare(golden, fast).equal, compare(golden, fast).summary()


def test_random_networks_fire_wrap_and_clip():
    totals = np.zeros(3, dtype=int)
    for seed in range(24):
        run = simulate(random_network(seed), random_spikes(random_network(seed), seed))
        totals += [sum(int(s.sum()) for s in run.spikes.values()), sum(run.wraps.values()), sum(run.clips.values())]
    assert (totals > [1000, 100, 100]).all(), totals


def test_payload_beyond_32_bits_goes_through_the_golden_model():
    lif = Lif(100, 4096, 4096)
    projection = Projection("p", "in", "out", Dense(np.full((1, 2), 254)))
    network = Network((Port("in", (2,)),), (Population("out", (1,), lif, 1),), (projection,), ("out",))
    spikes = np.full((1, 3, 2), 1 << 24, dtype=np.int64)
    assert compare(*both(network, {"in": spikes})).equal


def test_latency_only_shifts_the_recording():
    network = random_network(3)
    forward = replace(network, projections=tuple(p for p in network.projections if p.name != "loop"))
    quiet = [replace(p, neuron=replace(p.neuron, bias=np.int32(0))) for p in forward.populations]
    forward = replace(forward, populations=tuple(quiet))
    spikes = random_spikes(forward, 3, steps=20)
    aligned, raw = simulate(forward, spikes), simulate(forward.in_chip_time(), spikes)
    for population in forward.populations:
        name, late = population.name, population.latency
        assert np.array_equal(aligned.spikes[name][:, : 20 - late], raw.spikes[name][:, late:])


def test_one_sample_does_not_reach_the_next():
    network = random_network(5)
    spikes = random_spikes(network, 5, samples=4)
    together = simulate(network, spikes, record=EVERYTHING)
    alone = simulate(network, {k: v[2:3] for k, v in spikes.items()}, record=EVERYTHING)
    for name in together.v:
        assert np.array_equal(together.v[name][2:3], alone.v[name])

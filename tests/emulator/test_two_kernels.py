"""Which kernel a network takes, and each of them on networks that the other would take."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neurodeploy.comparison import compare
from neurodeploy.network import Sparse
from neurodeploy.simulation import simulate
from neurodeploy.targets.emulator.common import runs_in_chunks
from tests.random_networks import random_network, random_spikes

EVERYTHING = ("s", "u", "v")


def with_neuron(network, name, **changes):
    changed = (replace(p, neuron=replace(p.neuron, **changes)) if p.name == name else p for p in network.populations)
    return replace(network, populations=tuple(changed))


def same(network, seed, record=EVERYTHING):
    spikes = random_spikes(network, seed)
    golden, fast = (simulate(network, spikes, backend, record) for backend in ("golden", "emulator"))
    assert fast.backend == "emulator"
    assert (golden.wraps, golden.clips) == (fast.wraps, fast.clips)
    assert set(golden.v) == set(fast.v)
    for name in golden.v:
        assert np.array_equal(golden.v[name], fast.v[name]), name
    return compare(golden, fast).equal


def test_plain_networks_and_integrators_run_in_chunks():
    assert runs_in_chunks(random_network(0))
    assert runs_in_chunks(with_neuron(random_network(0), "c", spiking=False))


@pytest.mark.parametrize("changes", [{"reset": "subtract"}, {"refractory": 1}, {"lower_threshold": -3}])
def test_one_variant_takes_its_network_to_the_stepwise_kernel(changes):
    assert not runs_in_chunks(with_neuron(random_network(0), "c", **changes))


def test_sparse_synapses_and_scheduled_resets_run_stepwise():
    network = random_network(0)
    paths = tuple(
        replace(p, connection=Sparse.from_dense(p.connection.weight)) if p.name == "loop" else p
        for p in network.projections
    )
    assert not runs_in_chunks(replace(network, projections=paths))
    assert not runs_in_chunks(replace(network, reset_interval=7))


@pytest.mark.parametrize("seed", range(8))
def test_stepwise_kernel_runs_plain_populations(seed):
    assert same(replace(random_network(seed), reset_interval=7, reset_offset=2), seed)


@pytest.mark.parametrize("name", ["a", "b", "c"])
@pytest.mark.parametrize("record", [("s",), ("s", "u"), EVERYTHING])
def test_membranes_of_integrators_from_chunks(name, record):
    for seed in range(4):
        assert same(with_neuron(random_network(seed), name, spiking=False), seed, record)

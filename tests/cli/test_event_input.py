"""``simulate --input`` on a file of events."""

from __future__ import annotations

import json

import numpy as np
import pytest

from neurodeploy.netfile import write_network
from neurodeploy.simulation import simulate
from tests.random_networks import random_network, random_spikes
from tests.test_eventfile import columns


@pytest.fixture
def net(tmp_path):
    path = tmp_path / "net.nir"
    write_network(random_network(1), path)
    return path


def test_it_runs_as_the_dense_one_and_equal_on_another_backend(run, net, tmp_path):
    dense = random_spikes(random_network(1), 1, samples=3)["input"]
    np.savez(tmp_path / "data.npz", samples=3, steps=dense.shape[1], **columns(dense))
    compared = run("simulate", net, "--input", tmp_path / "data.npz", "--compare", "golden")
    assert compared.code == 0, compared.err
    done = run("simulate", net, "--input", tmp_path / "data.npz", "--json")
    spikes = simulate(random_network(1), dense).spikes
    rows = {row["name"]: row["spikes_per_inference"] for row in json.loads(done.out)["populations"]}
    assert rows == {name: s.sum() / 3 for name, s in spikes.items()}


@pytest.mark.parametrize(
    ("t", "index", "message"),
    [
        ([2, 0], [1, 1], "its events are not sorted by sample and step: event 1 is earlier"),
        ([0, -1], [1, 1], "its t is -1 to 0"),
        ([0, 1], [1, 10_000], "its index is 1 to 10000, allowed are 0 to"),
        ([0, np.nan], [1, 1], "its t holds NaN"),
    ],
)
def test_events_that_cannot_be_are_named(run, net, tmp_path, t, index, message):
    np.savez(tmp_path / "data.npz", t=t, index=index)
    done = run("simulate", net, "--input", tmp_path / "data.npz")
    assert done.code == 3
    assert message in " ".join(done.err.split())

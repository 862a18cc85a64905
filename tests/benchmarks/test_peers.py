"""Float peers compute the network that they are given: held against the same neurons written out in NumPy."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from neurodeploy.network import Dense
from tests.benchmarks.contestants import write_data
from tests.benchmarks.workloads import CURRENT_DECAY, VOLTAGE_DECAY, Layer, Workload

KEEP_U, KEEP_V = 1 - CURRENT_DECAY / 4096, 1 - VOLTAGE_DECAY / 4096


@pytest.fixture(scope="module")
def load():
    rng = np.random.default_rng(3)

    def weights(*shape):
        return rng.integers(-40, 90, shape).astype(np.int32)

    layers = Layer(Dense(weights(7, 9)), 300, Dense(weights(7, 7))), Layer(Dense(weights(4, 7)), 400)
    return Workload("small", (9,), 30, 0.3, layers)


@pytest.fixture
def peers(monkeypatch):
    import torch

    before = torch.is_grad_enabled(), torch.get_num_threads()
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "peers"))
    import torch_peers

    yield torch_peers.PEERS
    torch.set_grad_enabled(before[0])
    torch.set_num_threads(before[1])
    sys.modules.pop("torch_peers")
    sys.modules.pop("serving")


def fired(load, spikes, current):
    """Return how often each population fires a sample, without a step a hop; with a synaptic current or not."""
    gain, counts = 1.0 if current else 4096 / CURRENT_DECAY, []
    for layer in load.layers:
        size = len(layer.connection.weight)
        u, v, s = np.zeros((len(spikes), size)), np.zeros((len(spikes), size)), np.zeros((len(spikes), size))
        sent = []
        for t in range(load.steps):
            arriving = spikes[:, t] @ layer.connection.weight.T
            arriving = arriving + (s @ layer.recurrent.weight.T if layer.recurrent else 0)
            u = KEEP_U * u + arriving if current else arriving
            v = KEEP_V * v + u
            s = (v > layer.threshold / gain).astype(float)
            v = v * (1 - s)
            sent.append(s)
        spikes = np.stack(sent, axis=1)
        counts.append(spikes.sum() / len(spikes))
    return counts


@pytest.mark.parametrize(("name", "current"), [("norse", True), ("snntorch-synaptic", True), ("snntorch-leaky", False)])
def test_a_peer_computes_the_network(peers, load, tmp_path, name, current):
    peer = peers[name](write_data(load, 2, tmp_path), 2)
    _, result = peer.timed()
    looked = peer.look(result)
    assert looked["shapes"] == [[7], [4]]
    assert tuple(result.shape) == (30, 2, 4)
    expected = fired(load, load.spikes(2).astype(float), current)
    assert looked["spikes"][0] > 20
    if name == "snntorch-synaptic":  # its reset also takes what arrives in the step after a spike
        assert 0.4 * expected[0] < looked["spikes"][0] <= expected[0]
    else:
        assert looked["spikes"] == pytest.approx(expected, abs=1)

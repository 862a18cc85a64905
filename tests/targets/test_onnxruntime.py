"""onnxruntime against the golden model, in every u, v and s."""

from __future__ import annotations

import builtins
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
from hypothesis import HealthCheck, given, seed, settings

from neurodeploy.comparison import compare
from neurodeploy.errors import BackendError, BackendMissing
from neurodeploy.neurons import Lif
from neurodeploy.simulation import simulate
from tests.benchmarks.workloads import workload
from tests.fuzz.strategies import recipes
from tests.random_networks import random_network, random_spikes
from tests.targets.onnx_nets import NETWORKS, dense, layer

EVERYTHING = ("s", "u", "v")
# The package's function of the same name hides the module as an attribute.
module = import_module("neurodeploy.targets.onnxruntime.run")


def assert_equal(network, spikes):
    golden, found = (simulate(network, spikes, backend, EVERYTHING) for backend in ("golden", "onnx"))
    outcome = compare(golden, found)
    assert outcome.equal, outcome.summary()
    assert outcome.cells == 3 * golden.samples * golden.steps * sum(p.size for p in network.populations)
    assert {name: values.dtype for name, values in golden.spikes.items()} == {
        name: values.dtype for name, values in found.spikes.items()
    }
    assert (found.wraps, found.clips) == (golden.wraps, golden.clips)
    return golden


def payloads(network, low: int, high: int, dtype=np.int64):
    rng = np.random.default_rng(1)
    return {p.name: rng.integers(low, high + 1, (2, 9, *p.shape)).astype(dtype) for p in network.ports}


@pytest.mark.parametrize("seed", range(24))
def test_random_networks(seed):
    network = random_network(seed)
    assert_equal(network, random_spikes(network, seed))


@pytest.mark.parametrize("seed", range(6))
def test_random_networks_in_chip_time(seed):
    network = random_network(seed).in_chip_time()
    assert_equal(network, random_spikes(network, seed))


@pytest.mark.parametrize("name", NETWORKS)
def test_every_kernel_and_model(name):
    network = NETWORKS[name]()
    golden = assert_equal(network, random_spikes(network, 2, samples=2, steps=15, density=0.5))
    assert any(values.any() for values in (*golden.v.values(), *golden.u.values()))


@seed(0)
@settings(max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(recipes())
def test_networks_that_hypothesis_draws(recipe):
    assert_equal(*recipe.build())


@pytest.mark.parametrize(("low", "high"), [(0, 255), (-128, 127), (-5000, 5000), (-(1 << 40), 1 << 40)])
@pytest.mark.parametrize("name", ["byte weights", "convolution", "sparse rows", "ternary, subtract", "sigma-delta"])
def test_graded_payloads_of_every_type(name, low, high):
    network = NETWORKS[name]()
    assert_equal(network, payloads(network, low, high))


def test_pairs_of_full_payloads_do_not_saturate():
    network = layer(Lif(0, 4096, 4096), replace(dense(0), weight=np.full((5, 6), 81)))
    recording = simulate(network, {"input": np.full((1, 1, 6), 255)}, "onnx", EVERYTHING)
    assert (recording.u["layer"] == 6 * 255 * 81 * 64).all()


def test_state_that_32_bits_would_overflow():
    network = layer(Lif(131071, 1, 1, bias=30000, bias_exponent=7), dense(0, 45001))
    assert_equal(network, random_spikes(network, 0, steps=30, density=0.9))


@pytest.mark.parametrize("name", ["W1", "W2", "W4"])
def test_whole_workload(name):
    load = workload(name)
    network, spikes = load.network(chip_time=False), load.spikes(1)[:, :25]
    expected, found = (simulate(network, spikes, backend, EVERYTHING) for backend in ("emulator", "onnx"))
    assert compare(expected, found).equal


def test_samples_in_portions(monkeypatch):
    network = random_network(3)
    spikes = random_spikes(network, 3, samples=5)
    whole = simulate(network, spikes, "onnx", EVERYTHING)
    monkeypatch.setattr(module, "_PORTION", 1)
    assert compare(whole, simulate(network, spikes, "onnx", EVERYTHING)).equal


def test_records_what_is_asked_and_answers_of_integrators():
    network = NETWORKS["integrator"]()
    spikes = random_spikes(network, 0)
    recording = simulate(network, spikes, "onnx")
    assert recording.readouts == ("layer",)
    assert set(recording.v) == {"layer"}
    assert not recording.u
    assert set(recording.versions) == {"onnx", "onnxruntime"}
    assert not simulate(random_network(0), random_spikes(random_network(0), 0), "onnx").v


@pytest.mark.parametrize("missing", ["onnx", "onnxruntime"])
def test_missing_package_is_named_with_the_remedy(monkeypatch, missing):
    found = builtins.__import__

    def refuse(name, *rest, **more):
        if name.split(".")[0] == missing:
            raise ImportError(f"No module named {missing!r}")
        return found(name, *rest, **more)

    monkeypatch.setattr("neurodeploy.onnxgraph.package.import_module", refuse)
    network = random_network(0)
    with pytest.raises(BackendMissing, match=rf'^{missing}: is not installed .*; pip install "neurodeploy\[onnx\]"$'):
        simulate(network, random_spikes(network, 0), "onnx")


def test_words_of_a_failing_engine_reach_the_user():
    class Broken:
        def run(self, names, feed):
            raise RuntimeError("out of memory\nsecond line")

    with pytest.raises(BackendError, match=r"^onnxruntime: failed \(out of memory\); give fewer samples$"):
        module._answers(Broken(), [], {})

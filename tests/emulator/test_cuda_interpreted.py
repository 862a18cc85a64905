"""The GPU path of the emulator against the golden model, its kernels run by Triton's interpreter on the CPU.

Triton is part of the extra ``cuda``, which the development environment installs: without it this module cannot be
imported, and the run fails.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neurodeploy.comparison import compare
from neurodeploy.network import Convolution, Dense, Network, Population, Port, Projection, Sparse
from neurodeploy.neurons import Lif, SigmaDelta
from neurodeploy.simulation import simulate
from neurodeploy.targets.emulator.cuda.device import open_device
from neurodeploy.targets.emulator.cuda.plan import planned
from neurodeploy.targets.emulator.cuda.weights import digits, digits_of
from tests.random_networks import even, mixed_network, random_lif, random_network, random_sparse, random_spikes

# The kernels are interpreted if they are first imported under this variable.
with pytest.MonkeyPatch.context() as patch:
    patch.setenv("TRITON_INTERPRET", "1")
    from neurodeploy.targets.emulator.cuda import run, selftest, synapses, weights

pytestmark = pytest.mark.usefixtures("interpreter")

EVERYTHING = ("s", "u", "v")


def assert_equal(network, spikes):
    golden = simulate(network, spikes, "golden", EVERYTHING)
    cuda = simulate(network, spikes, "emulator", EVERYTHING, device="cuda")
    assert cuda.backend == "cuda"
    assert compare(golden, cuda).equal, compare(golden, cuda).summary()
    assert golden.wraps == cuda.wraps
    assert golden.clips == cuda.clips
    return cuda


@pytest.mark.parametrize("seed", range(6))
def test_random_networks(seed):
    network = random_network(seed)
    assert_equal(network, random_spikes(network, seed))


@pytest.mark.parametrize("seed", [4, 5, 6, 13])
def test_networks_of_all_models_connections_and_resets(seed):
    network = mixed_network(seed)
    run = assert_equal(network, random_spikes(network, seed, samples=2, steps=9))
    golden = simulate(network, random_spikes(network, seed, samples=2, steps=9), "golden")
    assert {name: s.dtype for name, s in golden.spikes.items()} == {name: s.dtype for name, s in run.spikes.items()}
    assert set(golden.readouts) <= set(simulate(network, run.inputs, device="cuda").v)


def test_the_mixed_networks_hold_every_model_and_a_schedule():
    networks = [mixed_network(seed) for seed in (4, 5, 6, 13)]
    kinds = {type(p.neuron).__name__ for network in networks for p in network.populations}
    assert kinds == {"Lif", "SigmaDelta", "Resonator"}
    assert any(getattr(p.neuron, "reset", "") == "burst" for network in networks for p in network.populations)
    assert any(network.reset_interval for network in networks)
    assert any(network.readouts for network in networks)


def test_sparse_rows_too_many_for_a_matrix_are_added_synapse_by_synapse(monkeypatch):
    rng = np.random.default_rng(2)
    populations = tuple(
        Population(name, shape, random_lif(rng, shape, per_neuron=True), latency)
        for name, shape, latency in (("a", (2, 3, 4), 1), ("b", (7,), 2))
    )
    projections = (
        Projection("in-a", "in", "a", random_sparse(rng, 24, 18), -1),
        Projection("a-b", "a", "b", Sparse.from_dense(even(rng, 7, 24)), 3),
        Projection("in-b", "in", "b", random_sparse(rng, 7, 18), 1, 1),
    )
    network = Network((Port("in", (2, 3, 3)),), populations, projections, ("b",))
    monkeypatch.setattr(weights, "_FILLED", 0)
    monkeypatch.setattr(synapses, "_PORTION", 200)
    assert all(synapse.sparse is not None for layer in planned(network).layers for synapse in layer.synapses)
    assert_equal(network, {"in": rng.integers(-400, 401, (2, 8, 2, 3, 3))})


def test_what_sigma_delta_neurons_send_too_large_goes_through_the_golden_model():
    neuron = SigmaDelta(threshold=0, stage="sigma", spike_exponent=0)
    populations = (Population("a", (1,), neuron, 1), Population("b", (1,), Lif(5, 4096, 4096), 2))
    projections = (
        Projection("in-a", "in", "a", Dense([[1 << 20]])),
        Projection("a-b", "a", "b", Dense([[1 << 10]])),
    )
    network = Network((Port("in", (1,)),), populations, projections, ("b",))
    spikes = np.ones((1, 3, 1), dtype=np.uint8)
    run = simulate(network, spikes, record=EVERYTHING, device="cuda")
    assert run.backend == "golden"
    assert compare(simulate(network, spikes, "golden", EVERYTHING), run).equal


def test_random_networks_fire_wrap_and_clip():
    totals = np.zeros(3, dtype=int)
    for seed in range(6):
        run = simulate(random_network(seed), random_spikes(random_network(seed), seed), "golden")
        totals += [sum(int(s.sum()) for s in run.spikes.values()), sum(run.wraps.values()), sum(run.clips.values())]
    assert (totals > [300, 30, 30]).all(), totals


@pytest.mark.parametrize(("seed", "largest"), [(1, 200), (0, 30_000), (3, 100_000)])
def test_chip_time_and_graded_payloads(seed, largest):
    network = random_network(seed).in_chip_time()
    rng = np.random.default_rng(seed)
    spikes = {
        k: v * rng.integers(-largest, largest + 1, v.shape) for k, v in random_spikes(network, seed, samples=1).items()
    }
    assert planned(network).exact_payload > largest
    assert_equal(network, spikes)


def chain(shape, *layers):
    """Return a network of (connection, threshold) in a row, with the decays of the benchmark's workloads."""
    ports, populations, projections, source = (Port("in", shape),), [], [], "in"
    for i, (connection, threshold) in enumerate(layers):
        flat = (len(connection.weight),)
        shape = connection.output_shape(shape) if isinstance(connection, Convolution) else flat
        populations.append(Population(str(i), shape, Lif(threshold, 1025, 512)))
        projections.append(Projection(f"{source}-{i}", source, str(i), connection))
        source = str(i)
    return Network(ports, tuple(populations), tuple(projections), (source,))


def small_workload(name):
    """Return a network built like one of the workloads that speed is measured on, with fewer neurons."""
    rng = np.random.default_rng(7)

    def conv(out, into, kernel, stride):
        return Convolution(even(rng, out, into, kernel, kernel), (stride, stride), (1, 1))

    if name == "W1":
        return chain(
            (48,), (Dense(even(rng, 40, 48)), 400), (Dense(even(rng, 32, 40)), 300), (Dense(even(rng, 10, 32)), 250)
        )
    if name == "W2":
        layers = ((conv(16, 2, 5, 2), 300), (conv(32, 16, 3, 1), 500), (Dense(even(rng, 10, 32 * 5 * 5)), 900))
        return chain((2, 12, 12), *layers)
    if name == "W3":
        layers = ((conv(16, 2, 3, 2), 280), (conv(24, 16, 3, 2), 400), (Dense(even(rng, 11, 24 * 4 * 4)), 900))
        return chain((2, 16, 16), *layers)
    network = chain((24,), (Dense(even(rng, 40, 24)), 300), (Dense(even(rng, 20, 40)), 300))
    loop = Projection("0-0", "0", "0", Dense(even(rng, 40, 40) // 4))
    return replace(network, projections=(*network.projections, loop))


@pytest.mark.parametrize("name", ["W1", "W2", "W3", "W4"])
def test_shapes_of_the_workloads(name):
    network = small_workload(name)
    run = assert_equal(network, random_spikes(network, 3, samples=2, steps=9, density=0.3))
    assert all(spikes.any() for spikes in run.spikes.values())


def looped(lag_back):
    """Return two populations on a loop, the way back delayed, with drive from a port and from bias alone."""
    rng = np.random.default_rng(9)
    populations = tuple(
        Population(name, (6,), random_lif(rng, (6,), per_neuron=True), latency)
        for name, latency in (("a", 1), ("b", 2), ("biased", 1))
    )
    projections = (
        Projection("in-a", "in", "a", Dense(even(rng, 6, 5)), 2),
        Projection("a-b", "a", "b", Dense(even(rng, 6, 6)), -1),
        Projection("b-a", "b", "a", Dense(even(rng, 6, 6)), 1, lag_back - 2),
        Projection("biased-b", "biased", "b", Dense(even(rng, 6, 6)), 0),
    )
    return Network((Port("in", (5,)),), populations, projections, ("b",))


@pytest.mark.parametrize("lag_back", [2, 5])
def test_a_loop_runs_in_blocks_as_long_as_its_way_back(lag_back):
    network = looped(lag_back)
    assert [group.block for group in planned(network).groups if len(group.layers) == 2] == [lag_back]
    assert_equal(network, random_spikes(network, 1, steps=11, density=0.5))


def test_groups_run_sources_first_whatever_their_order_in_the_network():
    network = random_network(4).in_chip_time()
    turned = replace(network, populations=network.populations[::-1], projections=network.projections[::-1])
    assert_equal(turned, random_spikes(turned, 4))


@pytest.mark.parametrize("budget", [1500, 6000])
def test_samples_and_steps_are_cut_to_the_memory_there_is(budget, monkeypatch):
    network = looped(2)
    spikes = random_spikes(network, 2, samples=3, steps=13, density=0.5)
    monkeypatch.setattr(run, "BUDGET", budget)
    extent = run.fit(planned(network), open_device(), (3, 13), {"in": 1}, EVERYTHING)
    assert (extent.samples, extent.window) != (3, 13)
    assert_equal(network, spikes)


def test_sums_that_grow_beyond_32_bits_are_taken_in_64():
    weights = np.array([[1 << 21, -(1 << 20)], [-(1 << 21), 3]])
    model = Lif([131071, 500], [0, 1], [0, 4096], [32767, -32768], 24)
    network = Network(
        (Port("in", (2,)),),
        (Population("out", (2,), model, 1),),
        (Projection("p", "in", "out", Dense(weights), 3),),
        ("out",),
    )
    assert planned(network).layers[0].wide({})
    assert_equal(network, random_spikes(network, 5, samples=2, steps=20, density=0.8))


def test_a_bias_of_any_exponent_saturates_as_in_64_bits():
    rng = np.random.default_rng(3)
    model = Lif([0, 500, 131071], [4096, 9, 0], [0, 1, 4096], [32767, -32768, 1], 24)
    population = Population("out", (3,), model, 1)
    projection = Projection("p", "in", "out", Dense(even(rng, 3, 4)))
    network = Network((Port("in", (4,)),), (population,), (projection,), ("out",))
    assert not planned(network).layers[0].wide({})
    assert_equal(network, random_spikes(network, 5, steps=9))


def test_payload_beyond_32_bits_goes_through_the_golden_model():
    projection = Projection("p", "in", "out", Dense(np.full((1, 2), 254)))
    network = Network((Port("in", (2,)),), (Population("out", (1,), Lif(100, 4096, 4096), 1),), (projection,), ("out",))
    spikes = np.full((1, 3, 2), 1 << 24, dtype=np.int64)
    assert simulate(network, spikes, device="cuda").backend == "golden"


def test_digits_add_up_and_their_number_is_known_beforehand():
    values = np.array([0, 1, -1, 127, 128, -128, -129, 32_639, 32_640, -(1 << 25), (1 << 31) - 1])
    assert np.array_equal(sum(d.astype(np.int64) << (8 * i) for i, d in enumerate(digits(values))), values)
    for largest in (0, 1, 127, 128, 32_639, 32_640, 1 << 24, (1 << 31) - 1):
        assert digits_of(largest) == max(len(digits(np.array([largest]))), len(digits(np.array([-largest])))), largest


def test_float64_products_give_the_same_run(monkeypatch):
    network = random_network(0)
    monkeypatch.setattr(selftest, "approved", lambda _device: frozenset({"double"}))
    assert_equal(network, random_spikes(network, 0))

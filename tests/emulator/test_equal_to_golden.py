"""Every fast path of the emulator against the golden model, in every u, v and s."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neurodeploy.comparison import compare
from neurodeploy.network import Dense, Network, Population, Port, Projection
from neurodeploy.neurons import Lif, Resonator, SigmaDelta
from neurodeploy.simulation import simulate
from tests.random_networks import mixed_network, random_network, random_spikes

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


def graded_input(network, seed, steps=24):
    rng = np.random.default_rng(seed)
    found = random_spikes(network, seed, samples=2, steps=steps, density=0.3)
    return {k: (v * rng.choice([1, 1, 1, -2, 5], v.shape)).astype(np.int32) for k, v in found.items()}


@pytest.mark.parametrize("seed", range(40))
def test_networks_of_mixed_models(seed):
    network = mixed_network(seed)
    golden, fast = both(network, graded_input(network, seed))
    assert compare(golden, fast).equal, compare(golden, fast).summary()
    assert (golden.wraps, golden.clips) == (fast.wraps, fast.clips)
    assert {k: v.dtype for k, v in golden.spikes.items()} == {k: v.dtype for k, v in fast.spikes.items()}


def ramp(latencies, **options):
    """Return populations that count the spikes of one input in u, one after the other."""
    lif = Lif(131071, 0, 4096)
    made = tuple(Population(f"n{k}", (1,), lif, latency) for k, latency in enumerate(latencies))
    weight = Dense(np.array([[1]]))
    paths = tuple(Projection(f"p{p.name}", "in", p.name, weight, delay=max(p.latency - 1, 0)) for p in made)
    return Network((Port("in", (1,)),), made, paths, ("n0",), **options)


@pytest.mark.parametrize("backend", ["golden", "emulator"])
def test_population_k_is_cleared_in_the_steps_of_the_schedule(backend):
    network = ramp([0, 0, 0], reset_interval=4, reset_offset=2)
    run = simulate(network, np.ones((1, 12, 1), np.uint8), backend, EVERYTHING)
    for k, name in enumerate(("n0", "n1", "n2")):
        counted, expected = 0, []
        for t in range(1, 13):
            counted = 0 if t % 4 == (1 + k + 2) % 4 else counted
            counted += t > 1  # the first input arrives in the second step
            expected.append(counted * 64)
        assert run.u[name].ravel().tolist() == expected


@pytest.mark.parametrize("backend", ["golden", "emulator"])
def test_schedule_runs_in_chip_time(backend):
    forward = ramp([1, 2, 3], reset_interval=5, reset_offset=3)
    spikes = np.ones((1, 20, 1), np.uint8)
    aligned, raw = (simulate(n, spikes, backend, EVERYTHING) for n in (forward, forward.in_chip_time()))
    for population in forward.populations:
        name, late = population.name, population.latency
        assert len(set(aligned.u[name].ravel())) > 4
        assert np.array_equal(aligned.u[name][:, : 20 - late], raw.u[name][:, late:])


def test_readout_is_always_recorded_and_predicts_by_its_last_membrane():
    lif = Lif(0, 4096, 0, spiking=False)
    weight = np.array([[3, -2], [1, 1], [0, 2]])
    hidden = Population("n", (2,), Lif(1, 4096, 4096), 1)
    network = Network(
        (Port("in", (2,)),),
        (hidden, Population("li", (3,), lif, 2)),
        (Projection("a", "in", "n", Dense(np.eye(2, dtype=int) * 2)), Projection("b", "n", "li", Dense(weight))),
        ("li",),
    )
    spikes = np.array([[[1, 0], [0, 1], [0, 1]], [[1, 0], [0, 0], [0, 0]]], dtype=np.uint8)
    for backend in ("golden", "emulator"):
        run = simulate(network, spikes, backend)
        assert set(run.v) == {"li"}
        assert run.output[:, -1].tolist() == [[-64, 192, 256], [192, 64, 0]]
        assert run.predictions().tolist() == [2, 0]
        assert set(run.only(()).v) == {"li"}


def test_payload_of_a_population_beyond_32_bits_goes_through_the_golden_model():
    decoder = SigmaDelta(0, stage="sigma")
    weight = Dense(np.array([[254]]))
    network = Network(
        (Port("in", (1,)),),
        (Population("d", (1,), decoder, 1), Population("out", (1,), Lif(100, 4096, 4096), 2)),
        (Projection("p", "in", "d", weight, 14), Projection("q", "d", "out", weight)),
        ("out",),
    )
    golden, fast = both(network, {"in": np.ones((1, 6, 1), np.uint8)})
    assert compare(golden, fast).equal
    assert fast.backend == "golden"
    unheard = replace(network, populations=network.populations[:1], projections=network.projections[:1], outputs=("d",))
    golden, fast = both(unheard, {"in": np.ones((1, 6, 1), np.uint8)})
    assert compare(golden, fast).equal
    assert fast.backend == "emulator"


def test_resonator_is_driven_in_both_parts():
    neuron = Resonator(1 << 22, 0, 4096, state_exponent=0)
    paths = tuple(
        Projection(f"p{flag}", "in", "n", Dense(np.array([[2 + 5 * flag]])), imaginary=bool(flag)) for flag in (0, 1)
    )
    network = Network((Port("in", (1,)),), (Population("n", (1,), neuron, 1),), paths, ("n",))
    for run in both(network, np.ones((1, 3, 1), np.uint8)):
        assert (run.u["n"].ravel().tolist(), run.v["n"].ravel().tolist()) == ([2, 4, 6], [7, 14, 21])


def test_mixed_networks_fire_in_every_model_and_reach_the_edges():
    spikes, edges, ran = {}, np.zeros(2, dtype=int), 0
    for seed in range(40):
        network = mixed_network(seed)
        run = simulate(network, graded_input(network, seed))
        ran += run.backend == "emulator"
        edges += [sum(run.wraps.values()), sum(run.clips.values())]
        for p in network.populations:
            n = p.neuron
            lif = (n.graded, getattr(n, "reset", ""), getattr(n, "spiking", True))
            kind = getattr(n, "kind", getattr(n, "stage", lif))
            spikes[kind] = spikes.get(kind, 0) + int((run.spikes[p.name] != 0).sum())
    silent = {kind for kind in spikes if isinstance(kind, tuple) and not kind[2]}
    assert all((count > 100) != (kind in silent) for kind, count in spikes.items()), spikes
    assert len(spikes) >= 10
    assert (edges > 100).all(), edges
    assert ran >= 25

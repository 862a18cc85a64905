"""Runs in pieces: whatever the cuts, every backend ends where one run of all steps does."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from neurodeploy.errors import InputError, UsageError
from neurodeploy.events import EventInput
from neurodeploy.network import Dense, Network, Population, Port, Projection
from neurodeploy.neurons import Lif, SigmaDelta
from neurodeploy.session import Session
from neurodeploy.simulation import simulate
from neurodeploy.targets.emulator.common import runs_in_chunks
from tests.benchmarks.long import resident, small, spikes_of
from tests.random_networks import mixed_network, random_network, random_spikes

EVERYTHING = ("s", "u", "v")


def in_pieces(network, spikes, cuts, backend="emulator", record=EVERYTHING):
    """Return the recordings of consecutive steps, cut at ``cuts``."""
    samples, steps = next(iter(spikes.values())).shape[:2]
    with Session(network, samples, backend, record) as session:
        edges = [0, *cuts, steps]
        parts = [{n: v[:, a:b] for n, v in spikes.items()} for a, b in itertools.pairwise(edges)]
        recordings = [session.run(part) for part in parts]
        assert session.steps == steps
    return recordings


def same(whole, parts):
    """Whether the recordings of pieces make up that of the whole."""
    for table in ("spikes", "u", "v"):
        for name, values in getattr(whole, table).items():
            found = np.concatenate([getattr(part, table)[name] for part in parts], axis=1)
            assert found.dtype == values.dtype
            assert np.array_equal(found, values), (table, name)
    for counts in ("wraps", "clips") if all(part.wraps for part in parts) else ():
        for name, count in getattr(whole, counts).items():
            assert sum(getattr(part, counts)[name] for part in parts) == count, (counts, name)
    return True


CUTS = ([1], [5, 6], [1, 2, 3, 10], [11])


@pytest.mark.parametrize("backend", ["golden", "emulator"])
@pytest.mark.parametrize("seed", range(6))
def test_plain_networks_with_delays_and_loops(seed, backend):
    network, spikes = random_network(seed), random_spikes(random_network(seed), seed)
    assert runs_in_chunks(network)
    assert same(simulate(network, spikes, "golden", EVERYTHING), in_pieces(network, spikes, CUTS[seed % 4], backend))


@pytest.mark.parametrize("backend", ["golden", "emulator"])
@pytest.mark.parametrize("seed", range(12))
def test_every_model_with_sparse_synapses_and_scheduled_resets(seed, backend):
    network, spikes = mixed_network(seed), random_spikes(mixed_network(seed), seed)
    assert not runs_in_chunks(network)
    whole = simulate(network, spikes, "golden", EVERYTHING)
    assert same(whole, in_pieces(network, spikes, CUTS[seed % 4], backend))


def longer(seed, steps=150):
    network = random_network(seed)
    paths = tuple(replace(p, delay=p.delay + 40) if p.name in ("skip", "loop") else p for p in network.projections)
    rng = np.random.default_rng(seed)
    return replace(network, projections=paths), {
        "input": (rng.random((2, steps, *network.ports[0].shape)) < 0.1).astype(np.uint8)
    }


def test_long_delays_across_many_cuts():
    for seed in range(3):
        network, spikes = longer(seed)
        parts = in_pieces(network, spikes, [7, 8, 24, 30, 95, 127])
        assert same(simulate(network, spikes, "golden", EVERYTHING), parts)


def test_stages_within_one_sample_go_on(monkeypatch):
    monkeypatch.setattr("neurodeploy.targets.emulator.workers.STAGED", 0)
    monkeypatch.setattr("neurodeploy.targets.emulator.carrying.threads", lambda: 3)
    network, spikes = longer(5)
    parts = in_pieces(network, spikes, [40, 41, 99])
    assert same(simulate(network, spikes, "golden", EVERYTHING), parts)


@pytest.mark.parametrize("make", [lambda seed: longer(seed, 60), lambda seed: (mixed_network(seed), None)])
@pytest.mark.parametrize("seed", range(4))
def test_a_state_moves_between_backends(make, seed):
    network, spikes = make(seed)
    spikes = spikes or random_spikes(network, seed)
    samples, steps = next(iter(spikes.values())).shape[:2]
    parts, carried = [], None
    for first, backend in zip(range(0, steps, 4), ("emulator", "golden") * steps, strict=False):
        with Session(network, samples, backend, EVERYTHING, start=carried) as session:
            parts.append(session.run({name: values[:, first : first + 4] for name, values in spikes.items()}))
            carried = session.carried()
    assert carried.steps == steps
    assert same(simulate(network, spikes, "golden", EVERYTHING), parts)


def test_states_are_those_of_the_golden_model():
    for seed in range(6):
        network = mixed_network(seed)
        spikes = random_spikes(network, seed)
        found = []
        for backend in ("golden", "emulator"):
            with Session(network, len(spikes["image"]), backend) as session:
                session.run(spikes)
                found.append(session.carried())
        for name, states in found[0].neurons.items():
            for state, values in states.items():
                assert np.array_equal(values, found[1].neurons[name][state]), (seed, name, state)
        for name, sent in found[0].sent.items():
            assert np.array_equal(sent, found[1].sent[name]), (seed, name)


def chain(*neurons, weight=2):
    populations = tuple(Population(str(i), (3,), neuron, i + 1) for i, neuron in enumerate(neurons))
    names = ["in", *(p.name for p in populations)]
    paths = tuple(
        Projection(f"{a}-{b}", a, b, Dense(np.full((3, 3), weight)), delay=2) for a, b in itertools.pairwise(names)
    )
    shifted = tuple(replace(p, latency=3 * p.latency) for p in populations)
    return Network((Port("in", (3,)),), shifted, paths, (names[-1],))


def test_payloads_beyond_the_kernels_go_on_in_the_golden_model():
    plain = chain(Lif(9, 0, 0), Lif(9, 0, 0), weight=250)
    spikes = np.ones((2, 20, 3), np.int64)
    spikes[:, 9] = 1 << 25  # too loud for a 32-bit sum
    sending = chain(SigmaDelta(0, stage="sigma", activation="unit"), Lif(9, 0, 0))
    for network, values in ((plain, spikes), (sending, np.full((2, 20, 3), 300_000))):
        parts = in_pieces(network, {"in": values}, [2, 9, 12])
        assert parts[0].backend == "emulator"
        assert parts[-1].backend == "golden"
        assert same(simulate(network, {"in": values}, "golden", EVERYTHING), parts)


def test_events_and_reset():
    network, spikes = longer(2, 30)
    one = {"input": spikes["input"][:1]}
    events = []
    for a, b in ((0, 13), (13, 30)):
        t, *cell = np.nonzero(one["input"][0, a:b])
        events.append(EventInput(1, b - a, t, np.ravel_multi_index(cell, network.ports[0].shape)))
    with Session(network, record=EVERYTHING) as session:
        for _ in range(2):
            assert same(simulate(network, one, "golden", EVERYTHING), [session.run(part) for part in events])
            session.reset()


def test_what_a_session_refuses():
    network, spikes = random_network(0), random_spikes(random_network(0), 0)
    with pytest.raises(UsageError, match="'lava': keeps no state between runs; one of emulator, golden"):
        Session(network, backend="lava")
    with pytest.raises(UsageError, match="of 0 samples"):
        Session(network, 0)
    with pytest.raises(UsageError, match="cannot be recorded"):
        Session(network, record=("w",))
    session = Session(network, 2)
    with pytest.raises(InputError, match="3 samples, the session has 2"):
        session.run({"input": spikes["input"][:1].repeat(3, axis=0)})
    session.close()
    with pytest.raises(UsageError, match="session: is closed"):
        session.run({"input": spikes["input"][:1].repeat(2, axis=0)})


@pytest.mark.parametrize("variant", [False, True])
def test_a_hundred_thousand_steps_neither_drift_nor_grow(variant):
    network = small(variants=variant)
    with Session(network, 1, "emulator", EVERYTHING) as session:
        held = 0
        for piece in range(20):
            spikes = spikes_of(piece, 5000)
            before = session.carried()
            recording = session.run(spikes)
            if piece % 5 == 4:
                with Session(network, 1, "golden", EVERYTHING, start=before) as golden:
                    assert same(golden.run(spikes[:, :200]), [recording.part((slice(0, 1), slice(0, 200)))])
            held = held or resident()
        assert session.steps == 100_000
        assert resident() - held < 8 << 20

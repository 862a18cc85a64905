"""Lava and the golden model agree in u, v and s of every neuron of every population in every step."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neurodeploy.errors import Unsupported
from neurodeploy.network import Dense, Network, Population, Port, Projection
from neurodeploy.recording import Recording
from neurodeploy.targets.emulator import golden
from neurodeploy.targets.lava import run
from neurodeploy.targets.lava.netlist import streams

from . import nets

pytestmark = pytest.mark.usefixtures("lava")


def assert_equal(network: Network, spikes: dict[str, np.ndarray]) -> Recording:
    found, expected = run(network, spikes), golden.run(network, spikes, ("s", "u", "v"))
    for population in network.populations:
        name = population.name
        for quantity in ("spikes", "u", "v"):
            here, there = getattr(found, quantity)[name], getattr(expected, quantity)[name]
            assert here.shape == there.shape
            differing = np.argwhere(here != there)
            assert len(differing) == 0, f"{name} {quantity} first differs at {differing[0]}"
        assert expected.spikes[name].any(), f"{name} never fires: the test says nothing"
        assert not expected.spikes[name].all()
    assert (found.wraps, found.clips) == (expected.wraps, expected.clips)
    return found


@pytest.mark.parametrize("make", [nets.dense_chain, nets.convolutions])
def test_samples_that_follow_each_other_without_a_gap(make) -> None:
    network = make()
    assert streams(network)
    found = assert_equal(network, nets.spikes(network))
    assert (found.backend, found.outputs) == ("lava", network.outputs)
    assert set(found.versions) == {"lava-nc", "python", "numpy"}
    assert found.versions["lava-nc"] == "0.10.0"
    assert {values.dtype for values in found.u.values()} == {np.dtype(np.int32)}


def test_every_step_a_sample_of_its_own() -> None:
    network = nets.one_layer()
    assert_equal(network, nets.spikes(network, samples=9, steps=1, density=0.6))


def test_a_layer_that_feeds_itself_and_delays() -> None:
    network = nets.loops_and_delays()
    assert not streams(network)
    assert_equal(network, nets.spikes(network, samples=2, steps=16))


def test_chip_time() -> None:
    network = nets.convolutions().in_chip_time()
    assert_equal(network, nets.spikes(network, samples=1, steps=14))


def test_delays_without_lag_still_stream() -> None:
    base = nets.one_layer(delay=3)
    network = replace(base, populations=(replace(base.populations[0], latency=4),))
    assert streams(network)
    assert_equal(network, nets.spikes(network, density=0.5))


def test_pieces_that_nothing_joins() -> None:
    assert_equal(nets.islands(), nets.spikes(nets.islands(), density=0.5))


def test_graded_payloads_that_wrap_and_saturate() -> None:
    rng = np.random.default_rng(6)
    network = Network(
        (Port("input", (6,)),),
        (Population("layer", (8,), nets.lif(rng.integers(0, 131072, 8), 100, 100), 1),),
        (Projection("p", "input", "layer", Dense(nets.weights(rng, 8, 6))),),
        ("layer",),
    )
    payloads = {"input": rng.integers(-300, 301, (2, 15, 6))}
    assert_equal(network, payloads)
    expected = golden.run(network, payloads)
    assert expected.wraps["layer"] > 0
    assert expected.clips["layer"] > 0


def test_records_what_is_asked_for_and_tells_how_far_it_is() -> None:
    network = nets.one_layer()
    told: list[tuple[int, int]] = []
    found = run(network, nets.spikes(network, 1, 6), ("v",), progress=lambda done, of: told.append((done, of)))
    assert (set(found.spikes), set(found.u), set(found.v)) == ({"layer"}, set(), {"layer"})
    assert told[-1] == (7, 7)  # six steps, and one for the last to arrive
    assert found.inputs["input"].shape == (1, 6, 4)


def self_exciting(bias: int, exponent: int) -> Network:
    """Return a loop of late, leaky neurons, some of which their bias makes fire in every step."""
    base = nets.one_layer(delay=3)
    neuron = nets.lif(4, [0, 4096, 700], [0, 4096, 900], [bias, bias // 2, -7], exponent)
    loop = Projection("loop", "layer", "layer", Dense(np.array([[-9, 3, 8], [1, 2, -200], [90, 90, 1]])))
    layer = replace(base.populations[0], latency=4, neuron=neuron)
    return replace(base, populations=(layer,), projections=(*base.projections, loop))


def test_what_a_bias_makes_fire_early_does_not_reach_the_sample_through_a_loop() -> None:
    network = self_exciting(1000, 0)
    assert_equal(network, nets.spikes(network, 2, 14))


def test_a_bias_that_cannot_be_held_back_is_refused() -> None:
    network = self_exciting(32767, 8)
    with pytest.raises(Unsupported, match="'layer': its bias makes it fire before the input reaches it"):
        run(network, nets.spikes(network, 1, 4))

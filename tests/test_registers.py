"""Bounds of u and v hold for every input, and are reached where an input can reach them."""

from __future__ import annotations

import numpy as np
import pytest

from neurodeploy.choices import Choices
from neurodeploy.errors import InputError
from neurodeploy.network import Dense, Network, Population, Port, Projection
from neurodeploy.neurons import Lif
from neurodeploy.quantization import quantization
from neurodeploy.registers import reaches
from neurodeploy.simulation import simulate
from tests.test_quantization import CHIP, chain, integrator, lif


def network(weight, exponent=0, **options):
    neuron = Lif(**{"threshold": 50, "current_decay": 4096, "voltage_decay": 512, **options})
    out, into = weight.shape
    projection = Projection("w", "in", "n", Dense(weight), exponent)
    return Network((Port("in", (into,)),), (Population("n", (out,), neuron, 1),), (projection,), ("n",))


def driven(part, steps, rng):
    """Return the inputs that push hardest up and down, and random ones, [samples, steps, sources]."""
    weight = part.projections[0].connection.weight
    held = [np.repeat((row > 0)[None], steps, 0) for row in weight] + [
        np.repeat((row < 0)[None], steps, 0) for row in weight
    ]
    return np.concatenate([np.array(held), rng.random((20, steps, weight.shape[1])) < 0.5]).astype(np.uint8)


@pytest.mark.parametrize("reset", ["zero", "subtract"])
@pytest.mark.parametrize("spiking", [True, False])
@pytest.mark.parametrize("seed", range(6))
def test_no_input_leaves_the_bounds(reset, spiking, seed):
    rng = np.random.default_rng(seed)
    decays = {"current_decay": rng.integers(0, 4097), "voltage_decay": rng.choice([0, 40, 4096])}
    exponent = int(rng.choice([-2, 0, 3]))
    bias = rng.integers(-200, 200, 4)
    part = network(rng.integers(-40, 41, (4, 9)), exponent, reset=reset, spiking=spiking, bias=bias, **decays)
    reach = reaches(part, 25, {})["n"]
    run = simulate(part, driven(part, 25, rng), record=("u", "v"))
    assert run.wraps["n"] == run.clips["n"] == 0
    assert np.abs(run.u["n"]).max() <= reach.u
    assert np.abs(run.v["n"]).max() <= reach.v


def test_the_bound_of_a_readout_is_reached():
    part = network(np.array([[10, -30, 20]]), spiking=False, voltage_decay=0)
    run = simulate(part, np.repeat([[[0, 1, 0]], [[1, 0, 1]]], 40, 1).astype(np.uint8), record=("u", "v"))
    reach = reaches(part, 40, {})["n"]
    assert reach.v == -run.v["n"].min() == 40 * 30 * 64
    assert reach.u == -run.u["n"].min()


def test_payloads_of_a_port_count():
    part = network(np.array([[10, -30]]), spiking=False, voltage_decay=4096)
    assert reaches(part, 5, {"in": (-2, 3)})["n"].v == max(10 * 3 + 30 * 2, 10 * 2 + 30 * 3) * 64


def test_quantization_can_be_made_safe_from_every_input():
    weight = np.concatenate([np.full((2, 40), 1.0), np.full((2, 40), -1.0)], axis=1)
    graph = chain(lif((2,), alpha=0.99, beta=0.9, threshold=4.0), weight)
    quiet = np.zeros((2, 100, 80), np.uint8)
    quiet[:, ::20, ::9] = 1
    worst = np.repeat(np.repeat(np.arange(80)[None] >= 40, 100, 0)[None], 1, 0).astype(np.uint8)
    kept = Choices(allow_dead=True)
    seen = simulate(quantization(graph, CHIP, quiet, kept).network, worst)
    proved = quantization(graph, CHIP, quiet, Choices(ranges="every-input", allow_dead=True))
    safe = simulate(proved.network, worst)
    assert seen.wraps["n"] + seen.clips["n"] > 0
    assert safe.wraps["n"] + safe.clips["n"] == 0
    assert proved.realized[0].plan.headroom > 0
    reach = reaches(proved.network, 100, {})["n"]
    assert reach.within(24)
    told = f"n: no input of 100 steps with values 0 to 1 carries |u| beyond {reach.u:,.0f} or |v| beyond {reach.v:,.0f}"
    assert f"{told}; 24 bits hold 8,388,607" in proved.network.provenance["notes"]


def test_a_scale_that_leaves_no_weight_is_refused_by_name():
    graph = chain(integrator((1,)), np.full((1, 400), 1.0))
    large = np.full((1, 3, 400), 2**20)
    with pytest.raises(InputError, match=r"population 'n': every weight is 0 in integers"):
        quantization(graph, CHIP, large, Choices(ranges="every-input"))


def test_what_no_scale_makes_safe_is_refused_by_name(monkeypatch):
    monkeypatch.setattr("neurodeploy.quantization.MAX_HEADROOM", 0)
    graph = chain(integrator((1,)), np.full((1, 400), 1.0))
    with pytest.raises(InputError, match=r"population 'n': no scale keeps 24 bits safe from every input"):
        quantization(graph, CHIP, np.ones((1, 9, 400), np.uint8), Choices(ranges="every-input"))

"""What simulate refuses, each with the object, the finding and the limit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neurodeploy.errors import InputError, UsageError
from neurodeploy.network import Dense, Projection
from neurodeploy.simulation import simulate
from tests.random_networks import even, random_network, random_spikes

NETWORK = random_network(1)
SPIKES = random_spikes(NETWORK, 1)["input"]


@pytest.mark.parametrize(
    ("spikes", "message"),
    [
        (SPIKES[..., :-1], r"input 'input': is \[3, 12, 2.*the network takes"),
        (SPIKES[0], "the network takes"),
        (SPIKES[:0], "the network takes"),
        (SPIKES.astype(float) + 0.5, "holds fractions"),
        (np.where(SPIKES, np.nan, 0.0), "holds NaN or infinity"),
        (SPIKES.astype(str), "is of type"),
        ({"input": SPIKES, "other": SPIKES}, "ports are input"),
    ],
)
def test_spikes_that_do_not_fit(spikes, message):
    with pytest.raises(InputError, match=message):
        simulate(NETWORK, spikes)


def test_unknown_backend_and_quantity():
    with pytest.raises(UsageError, match="'gpu' is none; one of emulator"):
        simulate(NETWORK, SPIKES, backend="gpu")
    with pytest.raises(UsageError, match=r"\['w'\] cannot be recorded"):
        simulate(NETWORK, SPIKES, record=("s", "w"))
    with pytest.raises(UsageError, match="backend float: does not run an integer network"):
        simulate(NETWORK, SPIKES, backend="float")


def test_whole_floats_and_booleans_are_spikes():
    plain = simulate(NETWORK, SPIKES)
    for same in (SPIKES.astype(bool), SPIKES.astype(np.float32), SPIKES.astype(np.int64)):
        assert np.array_equal(simulate(NETWORK, same).output, plain.output)


def with_lif(**values):
    first, *rest = NETWORK.populations
    return replace(NETWORK, populations=(replace(first, neuron=replace(first.neuron, **values)), *rest))


def with_projection(**values):
    first, *rest = NETWORK.projections
    return replace(NETWORK, projections=(replace(first, **values), *rest))


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (with_lif(threshold=1 << 17), r"population 'a': threshold is 131072 to 131072, allowed are 0 to 131071"),
        (with_lif(voltage_decay=4097), "voltage_decay is 4097"),
        (with_lif(current_decay=-1), "current_decay is -1"),
        (with_lif(bias=40000), "bias is 40000"),
        (with_lif(bias=np.zeros((2, 99))), r"bias has shape \[2, 99\]"),
        (with_projection(delay=63), "projection 'p0': delay 63, allowed are 0 to 62"),
        (with_projection(source="nowhere"), "ends at 'nowhere', which does not exist"),
        (with_projection(weight_exponent=22), "a 32-bit register holds"),
        (replace(NETWORK, outputs=("z",)), "output 'z': is no population"),
        (replace(NETWORK, outputs=()), "has no output"),
        (replace(NETWORK, populations=NETWORK.populations[:1] * 2), "the name is taken twice"),
    ],
)
def test_networks_that_cannot_be(network, message):
    with pytest.raises(InputError, match=message):
        simulate(network, SPIKES)


def test_weights_and_latencies_that_contradict_their_ends():
    wrong = next(p for p in NETWORK.projections if p.name == "p2")
    narrow = replace(wrong, connection=replace(wrong.connection, weight=wrong.connection.weight[:, 1:]))
    with pytest.raises(InputError, match=r"projection 'p2': weight is \[5, "):
        simulate(replace(NETWORK, projections=(narrow,)), SPIKES)
    early = replace(NETWORK, populations=tuple(replace(p, latency=9 * p.latency) for p in NETWORK.populations))
    with pytest.raises(InputError, match="arrives before it is sent"):
        simulate(early, SPIKES)


def test_loop_without_lag_is_refused():
    rng = np.random.default_rng(0)
    a, b, c = NETWORK.populations
    back = Projection("back", "c", "b", Dense(even(rng, b.size, c.size)), delay=0)
    network = replace(
        NETWORK,
        projections=(*NETWORK.projections, back),
        populations=(a, replace(b, latency=c.latency + 1), replace(c, latency=c.latency)),
    )
    with pytest.raises(InputError, match=r"loop of projections without lag|arrives before"):
        simulate(network, SPIKES)

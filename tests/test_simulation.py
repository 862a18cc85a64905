"""What simulate refuses, each with the object, the finding and the limit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neurodeploy.errors import InputError, UsageError
from neurodeploy.network import Dense, Projection, Sparse
from neurodeploy.neurons import Lif
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


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Dense(np.full((2, 2), np.nan)), "Dense weight: holds NaN or infinity"),
        (lambda: Dense(np.full((2, 2), 0.5)), r"Dense weight: holds fractions, such as 0\.5"),
        (
            lambda: Dense(np.full((2, 2), 1 << 40)),
            r"Dense weight: is 1,099,511,627,776 to .* 32 bits holds 2,147,483,647",
        ),
        (lambda: Dense([[1, 2], [3]]), "Dense weight: is no array"),
        (lambda: Dense(np.array([["a"]])), "Dense weight: is of type <U1"),
        (lambda: Lif(np.nan, 0, 0), "Lif threshold: holds NaN"),
        (lambda: Lif(1, 0.5, 0), "Lif current_decay: holds fractions"),
        (lambda: Lif(np.array(1 << 33), 0, 0), "Lif threshold: is 8,589,934,592"),
        (
            lambda: Sparse(np.array([0, 1]), np.array([1 << 33]), np.array([1]), (1, 1)),
            "Sparse indices: is 8,589,934,592",
        ),
        (lambda: Sparse(np.array([0, 1]), np.array([0]), np.array([np.inf]), (1, 1)), "Sparse data: holds NaN or inf"),
    ],
)
def test_numbers_that_no_register_holds(make, message):
    with pytest.raises(InputError, match=message):
        make()


def with_shape(*shape):
    first, *rest = NETWORK.populations
    return replace(NETWORK, populations=(replace(first, shape=shape), *rest))


def with_kernel(**values):
    first, *rest = NETWORK.projections
    changed = replace(first, connection=replace(first.connection, **values))
    return replace(NETWORK, projections=(changed, *rest))


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (with_projection(delay=-1), "delay -1, allowed are 0 to 62"),
        (with_projection(delay=float("nan")), "projection 'p0': delay is nan; give a whole number"),
        (with_projection(delay=1.5), "delay is 1.5"),
        (with_projection(weight_exponent=0.5), "weight_exponent is 0.5"),
        (with_lif(bias_exponent=0.5), "population 'a': bias_exponent is 0.5"),
        (with_lif(refractory=2.5), "refractory is 2.5"),
        (with_shape(0, 3, 3), r"population 'a': has the shape \[0, 3, 3\]; every extent is at least 1"),
        (with_shape(2, -3, 3), "every extent is at least 1"),
        (with_shape(2.0, 3, 3), "population 'a': an extent is 2.0"),
        (with_shape(1 << 20, 1 << 20, 4), r"network: needs 192\.0 TiB of memory, .* are free"),
        (with_kernel(padding=(0.5, 1)), "stride, padding, dilation or groups is 0.5"),
        (with_kernel(stride=(0, 1)), "both need"),
        (replace(NETWORK, dt=float("nan")), "network: dt is nan; give a positive number"),
        (replace(NETWORK, dt=0.0), "dt is 0.0"),
        (replace(NETWORK, reset_interval=1.5), "network: reset_interval is 1.5"),
        (
            replace(with_projection(weight_bits=4), target="chip"),
            "projection 'p0': weights are .* in steps of 2, 4 bits hold -32 to 30",
        ),
        (replace(with_projection(weight_bits=0), target="chip"), "weight_bits is 0, allowed are 1 to 32"),
    ],
)
def test_formats_shapes_and_times_out_of_limits(network, message, monkeypatch):
    if "memory" in message:
        monkeypatch.setattr("neurodeploy.simulation.verify_network", lambda _: None)
    with pytest.raises(InputError, match=message):
        simulate(network, SPIKES)


@pytest.mark.parametrize(
    ("spikes", "message"),
    [
        (SPIKES * 1e300, r"holds a payload of 1e\+300, 64 bits hold"),
        (SPIKES * np.uint64((1 << 64) - 1), r"holds a payload of 1\.844674407e\+19"),
        (SPIKES.astype(np.int64) << 60, r"input 'input': a payload of 1\.152921505e\+18 could carry population 'a' to"),
        ([[[1, 2], [3]]], "is no array"),
        (SPIKES.astype(complex), "is of type complex128"),
        (np.full(SPIKES.shape, np.inf), "holds NaN or infinity"),
    ],
)
@pytest.mark.parametrize("backend", ["emulator", "golden", "onnx"])
def test_payloads_beyond_what_any_path_holds_exactly(spikes, message, backend):
    with np.errstate(invalid="ignore"), pytest.raises(InputError, match=message):
        simulate(NETWORK, spikes, backend)

"""The float simulation against torch, against a scalar interpreter, and against itself driven node by node."""

import math
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import pytest
import torch

from neurodeploy.errors import InputError, UsageError
from neurodeploy.graph import (
    BatchNorm,
    Convolution,
    Delay,
    Flatten,
    Graph,
    Input,
    Linear,
    Neuron,
    Output,
    Pool,
    Scale,
    Threshold,
    frozen_array,
)
from neurodeploy.semantics import Semantics
from neurodeploy.targets.reference import margins, predecessors, record_run, run, run_node
from neurodeploy.targets.reference.operators import operator
from tests.nirfile.random_graphs import random_graph

RNG = np.random.default_rng(5)
X = RNG.normal(size=(3, 4, 9, 8))
functional = torch.nn.functional


def array(*values):
    return frozen_array(values if len(values) != 1 else values[0], np.float64)


def weights(*shape):
    return frozen_array(np.random.default_rng(1).normal(size=shape))


def chain(*nodes, shape=(2,), dt=1e-3):
    names = ["x", *(f"n{i}" for i in range(len(nodes)))]
    table = dict(zip(names, (Input(shape), *nodes), strict=True))
    return Graph(table, tuple(pairwise(names)), dt)


CONV, CONV1 = weights(6, 2, 3, 2), weights(4, 4, 3)
BIAS, NORM = weights(6), [weights(4), frozen_array(np.abs(weights(4)) + 0.1), weights(4), weights(4)]


def t(values):
    return torch.tensor(np.asarray(values))


OPERATORS = {
    "conv2d": (
        Convolution(CONV, BIAS, (2, 1), ((1, 1), (2, 2)), (1, 2), 2),
        lambda x: functional.conv2d(x, t(CONV), t(BIAS), (2, 1), (1, 2), (1, 2), 2),
    ),
    "asymmetric": (
        Convolution(CONV, None, (1, 1), ((0, 1), (2, 0)), (1, 1), 2),
        lambda x: functional.conv2d(functional.pad(x, (2, 0, 0, 1)), t(CONV), groups=2),
    ),
    "sum": (
        Pool("sum", (3, 2), (2, 2), (1, 0)),
        lambda x: functional.avg_pool2d(x, (3, 2), (2, 2), (1, 0), divisor_override=1),
    ),
    "average": (Pool("average", (3, 2), (2, 1), (1, 1)), lambda x: functional.avg_pool2d(x, (3, 2), (2, 1), (1, 1))),
    "max": (Pool("max", (3, 2), (2, 2), (1, 1)), lambda x: functional.max_pool2d(x, (3, 2), (2, 2), (1, 1))),
    "flatten": (Flatten(1, -1), lambda x: x.flatten(2, -1)),
    "batchnorm": (
        BatchNorm(*NORM, 1e-3),
        lambda x: functional.batch_norm(x, t(NORM[0]), t(NORM[1]), t(NORM[2]), t(NORM[3]), False, 0.0, 1e-3),
    ),
    "scale": (Scale(weights(4, 1, 1)), lambda x: x * t(weights(4, 1, 1))),
    "threshold": (Threshold(array(0.3)), lambda x: (x > 0.3).double()),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_equal_torch(name):
    node, theirs = OPERATORS[name]
    np.testing.assert_allclose(operator(node)(X), theirs(t(X)).numpy(), rtol=1e-12, atol=1e-12)


def test_operators_of_one_axis_equal_torch():
    conv = operator(Convolution(CONV1, weights(4), (2,), ((1, 1),), (2,)))(X[:, :, 0])
    theirs = functional.conv1d(t(X[:, :, 0]), t(CONV1), t(weights(4)), 2, 1, 2)
    np.testing.assert_allclose(conv, theirs.numpy(), rtol=1e-12)
    pooled = operator(Pool("average", (2,), (2,), (1,)))(X[:, :, 0])
    np.testing.assert_allclose(pooled, functional.avg_pool1d(t(X[:, :, 0]), 2, 2, 1).numpy(), rtol=1e-12)


def scalar(xs, s, alpha, gain, beta, threshold, v_reset):
    """One neuron in plain Python, written from the definitions of the vocabulary: spikes and stored membranes."""
    u, v, spikes, membranes = 0.0, {"zero": 0.0, "v_reset": v_reset, "v_leak": 0.1}[s.v_init], [], []
    value = 0.0 if s.reset == "zero" else v_reset

    def fired(v):
        rules = {">": float(v > threshold), ">=": float(v >= threshold)}
        return rules[s.fire] if s.fire in rules else float(math.floor(max(v, 0.0) / threshold))

    def reset(v, count):
        if s.reset == "subtract":
            return v - count * threshold
        return value if count and s.reset != "none" else v

    for x in xs:
        if s.order == "update-then-use":
            u = i = beta * u + x
        elif s.order == "jump-use-decay":
            i = u + x
            u = beta * i
        else:
            u = i = beta * (u + x)
        before = fired(v) if s.reset_when != "same-step" else 0.0
        if s.reset_when in ("next-step", "once") and s.reset in ("value", "zero"):
            v = reset(v, before)
        v = alpha * v + (1 - alpha) * 0.1 + gain * i
        if s.reset_when == "next-step-all" or (s.reset == "subtract" and s.reset_when != "same-step"):
            v = reset(v, before)
        count = fired(v)
        if s.reset_when == "same-step":
            v = reset(v, count)
        elif s.reset_when == "once" and s.reset == "subtract":
            v -= (count - before) * threshold
        elif s.reset_when == "once" and not before:
            v = reset(v, count)
        if s.v_min == "-threshold":
            v = max(v, -threshold)
        spikes.append(count)
        membranes.append(v)
    return spikes, membranes


@pytest.mark.parametrize(
    ("reset", "when"),
    list(product(("value", "zero", "subtract", "none"), ("same-step", "next-step", "next-step-all", "once"))),
)
def test_reset_fire_and_order_rules(reset, when):
    rng = np.random.default_rng(0)
    xs = np.round(rng.normal(0.4, 0.8, 80), 2)
    fires, orders = (">", ">=", "floor-multi"), ("update-then-use", "jump-use-decay", "jump-decay-use")
    for fire, order, v_min, v_init in product(fires, orders, ("none", "-threshold"), ("zero", "v_reset", "v_leak")):
        s = Semantics(
            reset=reset,
            reset_when=when,
            fire=fire,
            order=order,
            v_min=v_min,
            v_init=v_init,
            gain="unit",
            syn_gain="unit",
        )
        constants = {"tau_mem": array(4.0), "tau_syn": array(2.0), "v_leak": array(0.1), "v_reset": array(-0.25)}
        neuron = Neuron((1,), s, r=array(1.0), threshold=array(0.75), **constants)
        taken = run(chain(neuron, Output((1,)), shape=(1,), dt=1.0), {"x": xs[None, :, None]}, ("s", "v"))
        spikes, membranes = scalar(xs, s, 0.75, 1.0, 0.5, 0.75, -0.25)
        np.testing.assert_array_equal(taken["s/n0"][0, :, 0], spikes)
        np.testing.assert_allclose(taken["v/n0"][0, :, 0], membranes, atol=1e-12)
        assert sum(spikes) > 3


def test_feedback_is_zero_at_first_and_its_bias_acts_at_once():
    lif = Neuron((1,), Semantics(reset="zero"), r=array(1.0), threshold=array(0.5))
    nodes = {"x": Input((1,)), "lif": lif, "back": Linear(array([[0.0]]), array([0.6])), "o": Output((1,))}
    edges = (("x", "lif"), ("lif", "back"), ("back", "lif"), ("lif", "o"))
    graph = Graph(nodes, edges, 1e-3, frozenset({("lif", "back")}))
    assert run(graph, {"x": np.zeros((1, 3, 1))})["s/lif"].ravel().tolist() == [1, 1, 1]
    echo = replace(graph, nodes={**nodes, "back": Linear(array([[1.0]]))})
    assert run(echo, {"x": [[[1], [0], [0]]]})["s/lif"].ravel().tolist() == [1, 1, 1]
    assert run(echo, {"x": [[[0], [1], [0]]]})["s/lif"].ravel().tolist() == [0, 1, 1]


def test_divergence_is_named():
    multi = Neuron((1,), Semantics(reset="none", fire="floor-multi"), r=array(1.0), threshold=array(1e-3))
    nodes = {"x": Input((1,)), "n": multi, "o": Output((1,))}
    graph = Graph(nodes, (("x", "n"), ("n", "n"), ("n", "o")), 1e-3, frozenset({("n", "n")}))
    with pytest.raises(InputError, match=r"n: sends more than 2\^31 spikes in step 3: the network diverges"):
        run(graph, {"x": np.ones((1, 9, 1))})


def test_delays_of_every_element_and_fan_in():
    nodes = {"x": Input((3,)), "d": Delay(array(0.0, 1.0, 3.0)), "o": Output((3,))}
    graph = Graph(nodes, (("x", "d"), ("d", "o"), ("x", "o")), 1.0)
    x = RNG.integers(0, 9, (2, 6, 3))
    late = np.stack([np.pad(x[:, : 6 - d, i], ((0, 0), (d, 0))) for i, d in enumerate((0, 1, 3))], axis=-1)
    np.testing.assert_array_equal(run(graph, {"x": x})["output/o"], x + late)


def test_graded_spikes_and_their_dtype():
    neuron = Neuron((2,), Semantics(spike_scale=2.0), r=array(1.0), threshold=array(0.5))
    graph = chain(neuron, Output((2,)))
    taken = run(graph, {"x": np.ones((1, 2, 2))})
    assert taken["s/n0"].dtype == np.int32
    assert (taken["s/n0"] == 2).all()
    assert (taken["output/n1"] == 2).all()
    half = replace(graph, nodes={**graph.nodes, "n0": replace(neuron, semantics=Semantics(spike_scale=0.5))})
    assert (run(half, {"x": np.ones((1, 2, 2))})["s/n0"] == 0.5).all()


@pytest.mark.parametrize("seed", range(12))
def test_every_node_alone_repeats_the_free_run(seed):
    graph = random_graph(seed)
    x = np.random.default_rng(seed).integers(0, 2, (2, 12, *graph.nodes["in put"].shape))
    free = run(graph, {"in put": x}, ("s", "v", "u", "v_fired"))
    sent = {"in put": x} | {name: free.get(f"s/{name}", free[f"v/{name}"]) for name in graph.of_type(Neuron)}
    assert predecessors(graph, "lif") == ["lif", "lif.1"]
    assert predecessors(graph, "readout") == ["lif"]
    for name in (*graph.of_type(Neuron), "gate", "out"):
        for key, values in run_node(graph, name, sent, ("s", "v", "u", "v_fired")).items():
            np.testing.assert_allclose(values, free[key], atol=1e-12, err_msg=key)


def test_a_changed_layer_shows_in_itself_only():
    graph = random_graph(0)
    x = np.random.default_rng(0).integers(0, 2, (2, 12, *graph.nodes["in put"].shape))
    free = run(graph, {"in put": x}, ("s", "v"))
    dense = replace(graph.nodes["dense"], weight=graph.nodes["dense"].weight * 3)
    changed = replace(graph, nodes={**graph.nodes, "dense": dense})
    sent = {"in put": x} | {name: free[f"s/{name}"] for name in ("lif.1", "lif")}
    equal = {n: np.array_equal(run_node(changed, n, sent, ("v",))[f"v/{n}"], free[f"v/{n}"]) for n in ("lif.1", "lif")}
    assert equal == {"lif.1": True, "lif": False}


def test_margins():
    graph = chain(Neuron((1,), Semantics(reset="none"), r=array(1.0), threshold=array(1.0)), Output((1,)), shape=(1,))
    assert margins(graph, {"x": [[[0.75], [0.5]]]}) == {"n0": 0.25}
    multi = Neuron((1,), Semantics(reset="none", fire="floor-multi"), r=array(1.0), threshold=array(1.0))
    assert margins(chain(multi, Output((1,)), shape=(1,)), {"x": [[[0.125], [1.75]]]}) == {"n0": 0.125}


def test_record_run_gives_a_recording():
    graph = random_graph(2)
    x = np.random.default_rng(0).integers(0, 2, (2, 5, *graph.nodes["in put"].shape))
    recording = record_run(graph, {"in put": x}, ("v",))
    assert (recording.samples, recording.steps, recording.outputs, recording.backend) == (2, 5, ("readout",), "float")
    assert set(recording.spikes) == {"lif.1", "lif", "gate", "readout"}
    assert set(recording.v) == {"lif.1", "lif", "readout"}
    np.testing.assert_array_equal(recording.output, recording.v["readout"])
    assert recording.readouts == ("readout",)
    assert not recording.spikes["readout"].any()
    np.testing.assert_array_equal(recording.predictions(), recording.v["readout"][:, -1].reshape(2, -1).argmax(axis=1))
    spiking = chain(Neuron((2,), Semantics(), r=array(1.0), threshold=array(0.5)), Output((2,)))
    assert record_run(spiking, {"x": np.ones((1, 2, 2))}).outputs == ("n0",)


@pytest.mark.parametrize(
    ("spikes", "record", "message"),
    [
        ({}, ("s",), "spikes: given for nothing; the inputs are x"),
        ({"y": np.ones((1, 1, 2))}, ("s",), "given for y"),
        ({"x": np.ones((1, 1, 3))}, ("s",), r"x: its spikes have the shape \[1, 1, 3\]"),
        ({"x": np.ones(2)}, ("s",), r"x: its spikes have the shape \[2\]"),
        ({"x": np.ones((1, 1, 2))}, ("w",), "'w' is no quantity; one of s, u, v"),
    ],
)
def test_wrong_calls(spikes, record, message):
    graph = chain(Neuron((2,), Semantics(), r=array(1.0), threshold=array(0.5)), Output((2,)))
    with pytest.raises(UsageError, match=message):
        run(graph, spikes, record)


def test_run_node_says_what_is_missing():
    graph = random_graph(0)
    with pytest.raises(UsageError, match=r"lif: its input from lif, lif\.1 is not given"):
        run_node(graph, "lif", {})
    with pytest.raises(UsageError, match="nowhere: no such node"):
        run_node(graph, "nowhere", {})


def test_needs_no_torch():
    code = (
        "import sys, neurodeploy.targets.reference, neurodeploy.nirfile\n"
        "print('torch' in sys.modules, 'nir' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]

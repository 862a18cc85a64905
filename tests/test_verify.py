"""Every rule of verify names the node, the value and the limit."""

from dataclasses import replace

import numpy as np
import pytest

from neurodeploy.errors import InputError
from neurodeploy.graph import (
    BatchNorm,
    Convolution,
    Delay,
    Graph,
    Input,
    Linear,
    Neuron,
    Output,
    Pool,
    Scale,
    frozen_array,
)
from neurodeploy.semantics import Semantics
from neurodeploy.verify import verify


def array(*values):
    return frozen_array(values if len(values) != 1 else values[0], np.float64)


LIF = Neuron((3,), Semantics(), r=array(1), tau_mem=array(0.01), threshold=array(1, 1, 1), v_reset=array(0))
CONV = Convolution(frozen_array(np.ones((4, 2, 3, 3))), None, (1, 1), ((1, 1), (1, 1)), (1, 1))


def net(**changes):
    nodes = {"x": Input((2,)), "w": Linear(frozen_array(np.ones((3, 2)))), "lif": LIF, "o": Output((3,))}
    return Graph(nodes | changes, (("x", "w"), ("w", "lif"), ("lif", "o")), 1e-3)


def one(node, shape=(2, 6, 6)):
    return Graph({"x": Input(shape), "n": node, "o": Output((1,))}, (("x", "n"), ("n", "o")), 1e-3)


def test_a_sound_graph_passes():
    verify(net())


NODES = {
    "nan": (net(w=Linear(array([[np.nan, 1]] * 3))), "w: weight is NaN in 3 of 6 cells, the first at .0, 0."),
    "inf": (net(lif=replace(LIF, tau_mem=array(np.inf))), "lif: tau_mem is infinite in every cell"),
    "bias": (net(w=Linear(frozen_array(np.ones((3, 2))), array(1, 1))), r"w: its bias has the shape \[2\].*\[3\]"),
    "no weight": (net(w=Linear(frozen_array(np.ones((0, 2))))), "w: its weight has the shape .0, 2., no value"),
    "tau": (net(lif=replace(LIF, tau_mem=array(-1))), "lif: tau_mem is negative: -1"),
    "tau syn": (net(lif=replace(LIF, tau_syn=array(0))), "lif: tau_syn is zero"),
    "unstable": (net(lif=replace(LIF, tau_mem=array(4e-4))), "tau_mem is 0.0004 s, below dt = 0.001 s.*unstable"),
    "no membrane": (
        net(lif=replace(LIF, tau_mem=None, tau_syn=array(1))),
        "lif: has a synaptic current but no membrane",
    ),
    "shape": (net(lif=replace(LIF, r=array(1, 1))), r"lif: r has the shape \[2\], the neurons \[3\]"),
    "v_reset": (net(lif=replace(LIF, v_reset=array(0, 1, 0))), "lif: v_reset is 1, not below the threshold in 1 of 3"),
    "threshold": (net(lif=replace(LIF, threshold=array(-1))), "lif: v_reset is 0, not below .*negative"),
    "subtract": (
        net(lif=replace(LIF, threshold=array(-1), v_reset=array(-2), semantics=Semantics(reset="subtract"))),
        "threshold is negative .-1. and the reset 'subtract'",
    ),
    "stride": (one(replace(CONV, stride=(0, 1))), "n: its stride is 0; at least 1"),
    "dilation": (one(replace(CONV, dilation=(1, 0))), "n: its dilation is 0"),
    "groups": (one(replace(CONV, groups=0)), "n: its groups is 0"),
    "uneven": (one(replace(CONV, groups=3)), "n: its 4 output channels do not divide into groups of 3"),
    "padding": (one(replace(CONV, padding=((0, 10**9), (0, 0)))), "n: its padding is 1000000000; .*4096"),
    "axes": (one(replace(CONV, stride=(1,))), "1 or 2 axes each"),
    "pool": (one(Pool("sum", (2, 2), (1, 1), (2, 0))), "n: its padding is 2 for a kernel of 2; at most half"),
    "pool stride": (one(Pool("sum", (2, 2), (1, 0), (0, 0))), "n: its stride is 0"),
    "batchnorm": (one(BatchNorm(array(1, 1), array(-1, 1), array(1, 1), array(1, 1), 0.0)), "variance is negative"),
    "lengths": (one(BatchNorm(array(1, 1), array(1, 1), array(1, 1), array([1]), 0.0)), "differ in shape: .*bias .1."),
    "delay": (one(Delay(array(-1))), "n: its delay is negative: -1"),
    "long delay": (one(Delay(array(1e9))), "n: its delay of 1e.09 s is 1e.12 steps.*limit is 65,536 steps"),
    "empty input": (one(Scale(array(1)), (2, 0)), "x: its shape is .2, 0.: empty, zero or negative"),
    "vast input": (one(Scale(array(1)), (10**6, 10**6)), "x: .*size 1,000,000,000,000; the limit is 134,217,728"),
}


@pytest.mark.parametrize("name", NODES)
def test_values_of_a_node(name):
    graph, message = NODES[name]
    with pytest.raises(InputError, match=message):
        verify(graph)


def wired(*edges, feedback=(), **changes):
    return replace(net(**changes), edges=edges, feedback=frozenset(feedback))


BASE = (("x", "w"), ("w", "lif"), ("lif", "o"))
SQUARE = Linear(frozen_array(np.ones((3, 3))))
EDGES = {
    "none": (wired(), "edges: the graph has no edges"),
    "unknown": (wired(*BASE, ("lif", "nowhere")), "lif -> nowhere: .*'nowhere', which does not exist"),
    "twice": (wired(*BASE, ("w", "lif")), "w -> lif: duplicate edge"),
    "unreached": (wired(("x", "w"), ("lif", "o")), "o: this Output is not connected to any Input"),
    "unfed": (wired(*BASE, ("a", "lif"), a=SQUARE), "a: no edge leads into this node"),
    "into input": (wired(*BASE, ("lif", "x")), "x: is an Input but an edge leads into it"),
    "from output": (wired(*BASE, ("o", "w")), "o: is an Output but an edge leaves it"),
    "no neuron": (
        wired(*BASE, ("w", "a"), ("a", "b"), ("b", "a"), ("b", "lif"), a=SQUARE, b=SQUARE),
        "a -> b -> a: a cycle without a neuron",
    ),
    "not delayed": (wired(*BASE, ("lif", "a"), ("a", "lif"), a=SQUARE), "a loop without a delayed edge"),
    "no such feedback": (wired(*BASE, feedback=[("lif", "w")]), "lif -> w: is declared as feedback but is no edge"),
}  # fmt: skip


@pytest.mark.parametrize("name", EDGES)
def test_edges(name):
    graph, message = EDGES[name]
    with pytest.raises(InputError, match=message):
        verify(graph)


@pytest.mark.parametrize("kind", ["Input", "Output"])
def test_ends(kind):
    nodes = {name: node for name, node in net().nodes.items() if type(node).__name__ != kind}
    with pytest.raises(InputError, match=f"has no {kind} node"):
        verify(Graph(nodes, BASE, 1e-3))


@pytest.mark.parametrize("dt", [0.0, -1.0, float("nan"), float("inf")])
def test_dt(dt):
    with pytest.raises(InputError, match="dt: the step is"):
        verify(replace(net(), dt=dt))


def test_exponential_decay_takes_any_tau_and_rounding_below_dt_is_forgiven():
    verify(net(lif=replace(LIF, tau_mem=array(1e-5), semantics=Semantics(decay="exp"))))
    verify(net(lif=replace(LIF, tau_mem=frozen_array(np.float32(1e-3)))))


def test_the_history_of_a_delay_is_bounded():
    graph = Graph(
        {"x": Input((1 << 14,)), "d": Delay(array(60.0)), "o": Output((1 << 14,))}, (("x", "d"), ("d", "o")), 1e-3
    )
    with pytest.raises(InputError, match="d: its delay keeps more values than the limit"):
        verify(graph)

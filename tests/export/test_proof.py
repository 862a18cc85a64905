from dataclasses import replace

import numpy as np
import pytest
from torch import nn

from neurodeploy.errors import NotEqual
from neurodeploy.export.framework import open_module
from neurodeploy.graph import Graph, frozen_array
from neurodeploy.proof import prove
from tests.export.nets import Hidden, Readout, lif, lively


@pytest.fixture(scope="module")
def case():
    live = open_module(lively(Hidden()), shape=(2, 6, 6), steps=15)
    inputs = live.draw(3, 0)
    return live.graph, {"input": inputs}, live.record(inputs)


def changed(graph, name, **values):
    return replace(graph, nodes={**graph.nodes, name: replace(graph.nodes[name], **values)})


def test_an_equal_graph(case):
    graph, inputs, answers = case
    proof = prove(graph, inputs, answers)
    assert (proof.cells, proof.equal, proof.ties) == (3 * 15 * (144 + 144 + 5), True, 0)


WRONG = {
    "another threshold": ("lif1", {"threshold": frozen_array(1.02)}, "lif1"),
    "another leak": ("lif3", {"tau_mem": frozen_array(2e-3)}, "lif3"),
    "another weight": ("conv2", {"weight": None}, "lif2"),
    "another stride of time": (None, {}, "lif1"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_the_first_layer_that_differs_is_named(case, wrong):
    graph, inputs, answers = case
    node, values, named = WRONG[wrong]
    if node is None:
        graph = replace(graph, dt=2e-4)
    else:
        values = {key: graph.nodes[node].weight * 1.05 if value is None else value for key, value in values.items()}
        graph = changed(graph, node, **values)
    with pytest.raises(NotEqual, match=rf"^layer '{named}': at sample \d+, step \d+, neuron \(.*\) the model answers"):
        prove(graph, inputs, answers)


def test_the_wrong_reset_is_found(case):
    graph, inputs, answers = case
    semantics = replace(graph.nodes["lif2"].semantics, reset_when="same-step")
    with pytest.raises(NotEqual, match="layer 'lif2'"):
        prove(changed(graph, "lif2", semantics=semantics), inputs, answers)


def on_the_edge(offset):
    """Return a neuron whose membrane comes to 1 after two inputs of one half, with a threshold off by ``offset``."""
    live = open_module(nn.Sequential(nn.Identity(), lif(beta=1.0)), shape=(1,))
    neuron = replace(live.graph.nodes["1"], threshold=frozen_array(1.0 + offset))
    graph = Graph({**live.graph.nodes, "1": neuron}, live.graph.edges, dt=1e-4)
    inputs = {"input": np.full((1, 6, 1), 0.5)}
    # In float32 the model fires at 1.0 + rounding; here it is made to fire where the graph just does not.
    answers = {"1": np.array([0.0, 1, 0, 0, 1, 0]).reshape(1, 6, 1)}
    return graph, inputs, answers


def test_a_tie_is_counted_and_what_follows_is_not():
    proof = prove(*on_the_edge(1e-7))
    assert (proof.cells, proof.equal, proof.ties) == (1, False, 1)


def test_what_is_too_far_from_the_threshold_is_no_tie():
    with pytest.raises(NotEqual, match=r"at sample 0, step 1, neuron \(0,\) the model answers 1, the exported graph 0"):
        prove(*on_the_edge(1e-4))


def test_a_membrane_may_differ_by_rounding_only():
    live = open_module(lively(Readout()), shape=(6,), steps=20)
    inputs = live.draw(2, 0)
    answers = dict(live.record(inputs))
    assert prove(live.graph, {"input": inputs}, answers).equal
    answers["li"] = answers["li"] + 1e-3
    with pytest.raises(NotEqual, match="layer 'li'"):
        prove(live.graph, {"input": inputs}, answers)

from dataclasses import replace

import numpy as np
import pytest

from neurodeploy.graph import Neuron, frozen_array
from neurodeploy.passes import approximate_reset
from neurodeploy.semantics import Semantics
from neurodeploy.simulation import simulate
from tests.passes.small_graphs import chain, lif, linear


def resetting(**semantics):
    neuron = lif(5)
    return replace(neuron, semantics=Semantics(**semantics), v_reset=frozen_array(np.zeros(5)))


@pytest.mark.parametrize(
    ("given", "offered", "expected"),
    [
        ({"reset": "subtract", "reset_when": "next-step"}, ("zero",), "zero"),
        ({"reset": "subtract", "reset_when": "next-step"}, ("zero", "subtract"), "subtract"),
        ({"reset": "none"}, ("zero", "subtract"), "zero"),
    ],
)
def test_resets_become_what_is_offered(rng, given, offered, expected):
    graph = chain((6,), linear(rng, 6, 5), resetting(**given))
    after = approximate_reset(graph, offered)
    node = after.nodes["n1"]
    assert isinstance(node, Neuron)
    assert (node.semantics.reset, node.semantics.reset_when) == (expected, "same-step")
    assert f"n1: approximated: reset {given['reset']!r}" in after.notes[-1]


@pytest.mark.parametrize("given", [{"reset": "zero"}, {"reset": "value"}])
def test_offered_resets_stay(rng, given):
    graph = chain((6,), linear(rng, 6, 5), resetting(**given))
    assert approximate_reset(graph, ("zero",)) is graph


def test_it_is_an_approximation(rng):
    graph = chain((6,), linear(rng, 6, 5), resetting(reset="subtract"))
    x = rng.integers(0, 2, (4, 40, 6)).astype(np.uint8)
    exact, other = (simulate(g, x, "float").output for g in (graph, approximate_reset(graph, ("zero",))))
    assert 0 < (exact != other).mean() < 0.3

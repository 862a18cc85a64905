"""Loops are delayed where they leave their last neuron; every loop is cut, and quickly."""

import itertools
import time
from graphlib import TopologicalSorter

import numpy as np
import pytest

from neurodeploy.graph import Graph, Input, Linear, Neuron, Output, frozen_array
from neurodeploy.nirfile.feedback import find_feedback
from neurodeploy.semantics import Semantics

ONE = frozen_array(1.0)
KINDS = {
    "i": Input((1,)),
    "n": Neuron((1,), Semantics(), r=ONE, threshold=ONE),
    "w": Linear(frozen_array(np.ones((1, 1)))),
    "o": Output((1,)),
}


def found(*edges):
    pairs = tuple(tuple(edge.split(">")) for edge in edges)
    names = dict.fromkeys(name for pair in pairs for name in pair)
    return {">".join(edge) for edge in find_feedback({name: KINDS[name[0]] for name in names}, pairs)}


@pytest.mark.parametrize(
    ("edges", "expected"),
    [
        ("i>w w>n n>o", set()),
        ("i>n n>o n>n", {"n>n"}),
        ("i>w w>n n>o n>w2 w2>n", {"n>w2"}),
        ("w2>n n>w2 n>o i>n", {"n>w2"}),
        ("i>w0 w0>n1 n1>w1 w1>n2 n2>o n2>w3 w3>n1", {"n2>w3"}),
        ("i>n1 n1>n2 n2>n3 n3>n1 n2>n1 n3>o", {"n3>n1", "n2>n1"}),
        ("i>n1 n1>n2 n1>n3 n2>w n3>w w>n1 n2>o", {"n2>w", "n3>w"}),
        ("i>w1 w1>w2 w2>w1 w2>n n>o", {"w2>w1"}),
    ],
)
def test_the_edge_that_leaves_the_last_neuron(edges, expected):
    assert found(*edges.split()) == expected


def test_any_graph_is_cut_quickly():
    rng = np.random.default_rng(0)
    names = ["i", *(f"{'nw'[k % 2]}{k}" for k in range(1000))]
    pairs = {(names[a], names[b]) for a, b in rng.integers(0, len(names), (8_000, 2)) if names[b] != "i"}
    nodes, edges = {name: KINDS[name[0]] for name in names}, tuple(sorted(pairs))
    start = time.perf_counter()
    feedback = find_feedback(nodes, edges)
    assert time.perf_counter() - start < 60
    sorter = TopologicalSorter()
    for source, target in set(edges) - feedback:
        sorter.add(target, source)
    sorter.prepare()
    assert find_feedback(nodes, edges) == feedback


def test_a_chain_as_deep_as_the_limit():
    names = ["i", *(f"n{k}" for k in range(9000)), "o"]
    edges = (*itertools.pairwise(names), ("n8999", "n0"))
    graph = Graph({name: KINDS[name[0]] for name in names}, edges, 1e-3, frozenset({("n8999", "n0")}))
    assert find_feedback(graph.nodes, graph.edges) == graph.feedback
    assert len(graph.order()) == len(names)

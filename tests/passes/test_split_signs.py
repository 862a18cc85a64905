"""A synapse of both signs in two, one a sign: the same spikes in float, and weights of one bit on every backend."""

from __future__ import annotations

import numpy as np

from neurodeploy.choices import Choices
from neurodeploy.comparison import compare
from neurodeploy.graph import Graph, Input, Linear, Output
from neurodeploy.passes import lower, split_signs
from neurodeploy.passes.restore_flatten import restore_flatten
from neurodeploy.quantization import quantize
from neurodeploy.simulation import simulate
from neurodeploy.targets.chip import load_chip
from neurodeploy.targets.lava import Session
from tests.test_quantization import DT, convolutional, lif, spikes

EVERYTHING = ("s", "u", "v")
X = spikes(3, 20, 2, 8, 8)


def test_every_spike_stays():
    graph = convolutional(np.random.default_rng(7))
    lowered = lower(graph)
    after = split_signs(lowered)
    weights = {name: after.nodes[name].weight for name in after.nodes if hasattr(after.nodes[name], "weight")}
    assert list(weights) == ["c1_excitatory", "c1_inhibitory", "fc_excitatory", "fc_inhibitory"]
    for name in ("c1", "fc"):
        high, low = weights[f"{name}_excitatory"], weights[f"{name}_inhibitory"]
        assert high.min() == 0 == low.max()
        assert np.array_equal(high + low, lowered.nodes[name].weight)
    assert after.notes[-1].startswith("c1, fc: weights of both signs")
    before, split = (simulate(restore_flatten(g), X, "float") for g in (lowered, after))
    assert all(np.array_equal(before.spikes[name], split.spikes[name]) for name in ("n1", "n2"))
    assert before.spikes["n2"].any()


def test_weights_of_one_sign_are_left_alone():
    nodes = {"in": Input((3,)), "fc": Linear(-np.eye(3), None), "n": lif((3,)), "out": Output((3,))}
    graph = Graph(nodes, (("in", "fc"), ("fc", "n"), ("n", "out")), DT)
    assert split_signs(graph) is graph


def recurrent() -> Graph:
    """Return neurons that hear each other, and one name that a half would have taken."""
    rng = np.random.default_rng(3)
    nodes = {
        "in": Input((8,)),
        "fc": Linear(np.abs(rng.normal(0, 0.6, (6, 8))), None),
        "n": lif((6,)),
        "back": Linear(rng.normal(0, 0.5, (6, 6)), None),
        "back_excitatory": Linear(rng.normal(0, 0.5, (4, 6)), rng.normal(0, 0.1, 4)),
        "m": lif((4,)),
        "out": Output((4,)),
    }
    edges = (
        ("in", "fc"),
        ("fc", "n"),
        ("n", "back"),
        ("back", "n"),
        ("n", "back_excitatory"),
        ("back_excitatory", "m"),
        ("m", "out"),
    )
    return Graph(nodes, edges, DT, feedback=frozenset({("back", "n")}))


def test_a_loop_stays_a_loop():
    graph = recurrent()
    after = split_signs(graph)
    assert len({name for _, name in after.feedback}) == 1
    assert len(after.feedback) == 2
    assert len(after.nodes) == len(graph.nodes) + 2
    x = spikes(4, 30, 8)
    before, split = (simulate(g, x, "float") for g in (graph, after))
    assert all(np.array_equal(before.spikes[name], split.spikes[name]) for name in ("n", "m"))
    assert before.spikes["m"].any()


def test_one_bit_runs_alike_everywhere():
    chip, one = load_chip("loihi1"), Choices(weight_bits=1, allow_dead=True)
    cases = ((convolutional(np.random.default_rng(7)), X), (recurrent(), spikes(2, 30, 8)))
    with Session() as session:
        for graph, x in cases:
            network = quantize(graph, chip, x, one)
            weights = np.concatenate([p.connection.weight.ravel() for p in network.projections])
            assert set(weights.tolist()) == {-128, 0, 128}
            golden, emulator = (simulate(network, x, backend, EVERYTHING) for backend in ("golden", "emulator"))
            assert compare(golden, emulator).equal
            assert compare(golden, session.run(network, {"in": x}, EVERYTHING)).equal
            assert all(sent.any() for sent in golden.spikes.values())

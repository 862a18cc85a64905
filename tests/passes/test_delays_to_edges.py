from dataclasses import replace

import numpy as np
import pytest

from neurodeploy.errors import Unsupported
from neurodeploy.graph import Delay, Flatten, Graph, Input, Linear, Output, frozen_array
from neurodeploy.passes import delays_to_edges, lower
from neurodeploy.quantization import quantize
from neurodeploy.simulation import simulate
from neurodeploy.targets.chip import load_chip
from tests.passes.small_graphs import lif


def late(rng, steps, *, parts=1):
    """Return a network in which spikes reach the last neurons at once and, by another way, ``steps`` late."""
    delay = np.full(3, steps * 1e-3) if parts == 1 else np.array([1.0, 1.0, 2.0]) * 1e-3
    nodes = {
        "input": Input((4,)),
        "w1": Linear(frozen_array(rng.normal(0, 1, (3, 4)))),
        "n1": lif(3),
        "delay": Delay(frozen_array(delay)),
        "w2": Linear(frozen_array(rng.normal(0, 1, (2, 3)))),
        "w3": Linear(frozen_array(rng.normal(0, 1, (2, 3))), frozen_array([0.3, 0.2])),
        "n2": lif(2),
        "output": Output((2,)),
    }
    edges = [("input", "w1"), ("w1", "n1"), ("n1", "w2"), ("n1", "delay"), ("delay", "w3"), ("w2", "n2"), ("w3", "n2")]
    return Graph(nodes, (*edges, ("n2", "output")), 1e-3)


def spikes(rng):
    return rng.integers(0, 2, (5, 12, 4)).astype(np.uint8)


def test_spikes_are_the_same_and_no_delay_is_left(rng):
    graph, x = late(rng, 1), spikes(rng)
    after = delays_to_edges(graph)
    assert not after.of_type(Delay)
    assert after.feedback == {("n1", "delay")}
    for changed in (after, lower(graph)):
        one, two = (simulate(g, x, "float") for g in (graph, changed))
        for name in one.spikes:
            assert np.array_equal(one.spikes[name], two.spikes[name])
    assert 0 < one.output.mean() < 1


def test_the_integers_hear_it_one_step_late(rng):
    network = quantize(late(rng, 1), load_chip("loihi2"))
    assert {p.name: network.lag(p) for p in network.projections} == {"w1": 0, "w2": 0, "w3": 1}
    x = spikes(rng)
    run, golden = (simulate(network, x, backend) for backend in ("emulator", "golden"))
    assert np.array_equal(run.output, golden.output)
    assert 0 < run.output.mean() < 1


@pytest.mark.parametrize("options", [{"steps": 2}, {"steps": 1, "parts": 2}])
def test_longer_delays_stay_and_are_refused_by_name(rng, options):
    graph = late(rng, **options)
    assert delays_to_edges(graph) is graph
    with pytest.raises(Unsupported, match="delay: Delay has no counterpart"):
        quantize(graph, load_chip("loihi2"))


def test_a_delay_beside_a_delayed_edge_stays(rng):
    graph = replace(late(rng, 1), feedback=frozenset({("delay", "w3")}))
    assert delays_to_edges(graph) is graph


def test_a_graph_without_delays_is_the_same(rng):
    graph = late(rng, 1)
    assert delays_to_edges(replace(graph, nodes={**graph.nodes, "delay": Flatten()})).feedback == frozenset()

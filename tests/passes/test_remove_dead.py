import numpy as np
import pytest

from neurodeploy.graph import Graph, Output, frozen_array
from neurodeploy.passes import remove_dead
from neurodeploy.simulation import simulate
from tests.passes.small_graphs import chain, convolution, lif, linear


def binary(rng, *shape):
    return rng.integers(0, 2, shape).astype(np.uint8)


def zeroed(layer, *, rows=(), columns=()):
    weight, bias = np.array(layer.weight), np.array(layer.bias)
    weight[list(rows)] = 0
    bias[list(rows)] = 0
    weight[:, list(columns)] = 0
    return type(layer)(**{**vars(layer), "weight": frozen_array(weight), "bias": frozen_array(bias)})


def test_silent_and_unread_neurons_go_and_the_answer_stays(rng):
    first, second = zeroed(linear(rng, 6, 8), rows=[1, 5]), zeroed(linear(rng, 8, 4), columns=[2])
    graph = chain((6,), first, lif(8), second, lif(4))
    after = remove_dead(graph)
    assert after.nodes["n1"].shape == (5,)
    assert after.nodes["n2"].weight.shape == (4, 5)
    assert after.notes[-1] == "n1: 3 of 8 neurons removed, silent or unread"
    x = binary(rng, 4, 20, 6)
    one, two = simulate(graph, x, "float"), simulate(after, x, "float")
    assert np.array_equal(one.output, two.output)
    assert np.array_equal(one.spikes["n1"][:, :, [0, 3, 4, 6, 7]], two.spikes["n1"])


def test_channels_of_a_convolution(rng):
    first = zeroed(convolution(rng, (2, 4), (3, 3), padding=1), rows=[3])
    second = zeroed(convolution(rng, (4, 3), (3, 3)), columns=[0])
    graph = chain((2, 6, 6), first, lif(4, 6, 6), second, lif(3, 4, 4))
    after = remove_dead(graph)
    assert after.nodes["n1"].shape == (2, 6, 6)
    x = binary(rng, 3, 15, 2, 6, 6)
    assert np.array_equal(simulate(graph, x, "float").output, simulate(after, x, "float").output)


def test_death_spreads_backwards(rng):
    middle = zeroed(linear(rng, 5, 6), columns=[0, 1])
    last = zeroed(linear(rng, 6, 3), columns=[4])
    after = remove_dead(chain((4,), linear(rng, 4, 5), lif(5), middle, lif(6), last, lif(3)))
    assert [after.nodes[name].shape for name in ("n1", "n3")] == [(3,), (5,)]


def test_branches_without_an_output_go(rng):
    graph = chain((4,), linear(rng, 4, 5), lif(5), linear(rng, 5, 3), lif(3))
    nodes = {**graph.nodes, "w": linear(rng, 5, 2), "idle": lif(2)}
    branched = Graph(nodes, (*graph.edges, ("n1", "w"), ("w", "idle")), graph.dt)
    after = remove_dead(branched)
    assert set(after.nodes) == set(graph.nodes)
    assert "w, idle" in after.notes[-1]


@pytest.mark.parametrize("last", [True, False])
def test_what_is_read_or_driven_stays(rng, last):
    layer = linear(rng, 4, 5)
    graph = chain((4,), zeroed(layer, rows=[2]) if last else layer, lif(5))
    assert remove_dead(graph) is graph  # the outputs of a network are never thinned
    assert isinstance(graph.nodes["output"], Output)


def test_one_neuron_is_always_left(rng):
    first = zeroed(linear(rng, 4, 5), rows=range(5))
    after = remove_dead(chain((4,), first, lif(5), linear(rng, 5, 3), lif(3)))
    assert after.nodes["n1"].shape == (1,)

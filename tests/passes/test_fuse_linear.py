import numpy as np
import pytest

from neurodeploy.errors import Unsupported
from neurodeploy.graph import Convolution, Flatten, Graph, Input, Linear, Output, Scale, frozen_array
from neurodeploy.passes import fuse_linear
from tests.passes.small_graphs import chain, convolution, lif, linear


def test_two_linear_layers_become_one(rng, same_spikes):
    graph = chain((6,), ("a", linear(rng, 6, 9)), ("b", linear(rng, 9, 4)), ("lif", lif(4)))
    after = fuse_linear(graph)
    assert list(after.nodes) == ["input", "lif", "output", "b"]
    assert after.nodes["b"].weight.shape == (4, 6)
    assert after.nodes["b"].weight.dtype == np.float64
    same_spikes(graph, after)


def test_a_convolution_a_pool_a_flatten_and_a_linear_become_one(rng, same_spikes):
    pool = convolution(rng, (3, 3), (2, 2), stride=2, groups=3)
    first = convolution(rng, (1, 3), (3, 3), padding=1)
    graph = chain((1, 6, 6), first, lif(3, 6, 6), pool, Flatten(), ("fc", linear(rng, 27, 5)), lif(5))
    after = fuse_linear(graph)
    assert after.edges.count(("n1", "fc")) == 1
    assert after.nodes["fc"].weight.shape == (5, 108)
    same_spikes(graph, after)


def test_a_pool_folds_into_the_convolution_before_it(rng, same_spikes):
    layer = convolution(rng, (2, 3), (3, 3), padding=1)
    pool = convolution(rng, (3, 3), (2, 2), stride=2, groups=3)
    graph = chain((2, 6, 6), layer, ("pool", pool), lif(3, 3, 3))
    after = fuse_linear(graph)
    assert isinstance(after.nodes["pool"], Convolution)
    assert after.nodes["pool"].padding == ((1, 1), (1, 1))
    same_spikes(graph, after)


def test_a_flattened_convolution_becomes_dense(rng, same_spikes):
    graph = chain((1, 4, 4), convolution(rng, (1, 2), (3, 3)), ("flat", Flatten()), lif(8))
    after = fuse_linear(graph)
    assert isinstance(after.nodes["flat"], Linear)
    same_spikes(graph, after)


@pytest.mark.parametrize("shape", [(5,), (3, 4, 4), (2, 7)])
def test_a_residual_edge_becomes_an_identity(rng, same_spikes, shape):
    axes = len(shape) - 1
    layer = convolution(rng, (shape[0],) * 2, (3,) * axes, padding=1) if axes else linear(rng, 5, 5)
    nodes = {"input": Input(shape), "a": lif(*shape), "w": layer, "b": lif(*shape), "output": Output(shape)}
    edges = (("input", "a"), ("a", "w"), ("w", "b"), ("a", "b"), ("b", "output"))
    graph = Graph(nodes, edges, dt=1e-3)
    after = fuse_linear(graph)
    assert {"input_to_a", "w", "a_to_b"} <= set(after.nodes)
    assert not any(isinstance(after.nodes[s], Input) and t in ("a", "b") for s, t in after.edges)
    same_spikes(graph, after)


def test_a_chain_that_two_neurons_share_is_one_synapse(rng, same_spikes):
    nodes = {
        "input": Input((6,)),
        "w": linear(rng, 6, 5),
        "a": lif(5),
        "half": Scale(frozen_array(0.5)),
        "b": lif(5),
        "c": lif(5),
        "output": Output((5,)),
    }
    edges = [("input", "w"), ("w", "a"), ("w", "b"), ("w", "half"), ("half", "c")]
    graph = Graph(nodes, (*edges, ("a", "output"), ("b", "output"), ("c", "output")), dt=1e-3)
    after = fuse_linear(graph)
    assert after.targets("w") == ["a", "b"]
    assert after.sources("half") == ["input"]
    np.testing.assert_allclose(after.nodes["half"].weight, 0.5 * nodes["w"].weight)
    np.testing.assert_allclose(after.nodes["half"].bias, 0.5 * nodes["w"].bias)
    same_spikes(graph, after)


def test_the_bias_of_a_sum_counts_once(rng, same_spikes):
    nodes = {
        "left": Input((4,)),
        "right": Input((3,)),
        "a": linear(rng, 4, 6),
        "b": linear(rng, 3, 6),
        "c": linear(rng, 6, 5),
        "lif": lif(5),
        "output": Output((5,)),
    }
    edges = (("left", "a"), ("right", "b"), ("a", "c"), ("b", "c"), ("c", "lif"), ("lif", "output"))
    graph = Graph(nodes, edges, dt=1e-3)
    after = fuse_linear(graph)
    assert {"c_from_left", "c_from_right"} <= set(after.nodes)
    same_spikes(graph, after)


def test_a_loop_keeps_its_delay(rng, same_spikes):
    nodes = {"input": Input((4,)), "w": linear(rng, 4, 5), "lif": lif(5), "back": linear(rng, 5, 5)}
    edges = (("input", "w"), ("w", "lif"), ("lif", "back"), ("back", "lif"), ("lif", "output"))
    graph = Graph({**nodes, "output": Output((5,))}, edges, dt=1e-3, feedback=frozenset({("lif", "back")}))
    after = fuse_linear(graph)
    assert after.feedback == {("lif", "back")}
    same_spikes(graph, after)


def test_a_delay_after_a_bias_is_refused(rng):
    nodes = {"input": Input((4,)), "lif": lif(4), "back": linear(rng, 4, 4), "output": Output((4,))}
    edges = (("input", "lif"), ("lif", "back"), ("back", "lif"), ("lif", "output"))
    graph = Graph(nodes, edges, dt=1e-3, feedback=frozenset({("back", "lif")}))
    with pytest.raises(Unsupported, match=r"^back: .*after a bias"):
        fuse_linear(graph)


def test_an_output_takes_the_shape_of_its_neurons(rng, same_spikes):
    graph = chain((1, 4, 4), convolution(rng, (1, 2), (3, 3)), ("lif", lif(2, 2, 2)))
    nodes = {**graph.nodes, "flat": Flatten(), "output": Output((8,))}
    edges = (*graph.edges[:-1], ("lif", "flat"), ("flat", "output"))
    flat = Graph(nodes, edges, dt=1e-3)
    after = fuse_linear(flat)
    assert after.nodes["output"].shape == (2, 2, 2)
    assert "shape (2, 2, 2)" in after.notes[-1]
    same_spikes(flat, after)


def test_an_output_without_a_neuron_is_refused(rng):
    nodes = {"input": Input((4,)), "lif": lif(4), "fc": linear(rng, 4, 3), "output": Output((3,))}
    graph = Graph(nodes, (("input", "lif"), ("lif", "fc"), ("fc", "output")), dt=1e-3)
    with pytest.raises(Unsupported, match=r"^fc: leads to the output 'output' without a neuron"):
        fuse_linear(graph)

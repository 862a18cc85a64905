import numpy as np
import pytest

from neurodeploy.errors import Unsupported
from neurodeploy.graph import BatchNorm, Convolution, Flatten, Graph, Input, Linear, Output, Pool, frozen_array
from neurodeploy.passes import fold_batchnorm, lower
from neurodeploy.passes.fold_batchnorm import MOST_FEATURES
from tests.passes.small_graphs import chain, convolution, lif, linear


def batch_norm(rng, channels, *, shift=True):
    mean = rng.normal(0, 0.2, channels) if shift else np.zeros(channels)
    bias = rng.normal(0.1, 0.2, channels) if shift else np.zeros(channels)
    return BatchNorm(mean, rng.uniform(0.5, 2, channels), rng.uniform(0.5, 2, channels), bias, 1e-5)


@pytest.mark.parametrize("bias", [True, False])
def test_after_a_linear(rng, same_spikes, bias):
    graph = chain((6,), ("fc", linear(rng, 6, 8, bias=bias)), ("bn", batch_norm(rng, 8)), lif(8))
    after = fold_batchnorm(graph)
    assert "bn" not in after.nodes
    assert after.nodes["fc"].weight.dtype == np.float64
    same_spikes(graph, after)


def test_the_equation_in_numbers():
    norm = BatchNorm(*(frozen_array([value]) for value in (1.0, 3.0, 4.0, 5.0)), epsilon=1.0)
    graph = chain((1,), ("fc", linear(np.random.default_rng(0), 1, 1)), ("bn", norm), lif(1))
    after = fold_batchnorm(graph).nodes["fc"]
    before = graph.nodes["fc"]
    np.testing.assert_allclose(after.weight, 2.0 * before.weight)
    np.testing.assert_allclose(after.bias, 2.0 * (before.bias - 1.0) + 5.0)


@pytest.mark.parametrize("groups", [1, 2])
def test_after_a_padded_convolution(rng, same_spikes, groups):
    layer = convolution(rng, (2, 4), (3, 3), padding=1, groups=groups)
    graph = chain((2, 5, 5), layer, ("bn", batch_norm(rng, 4)), lif(4, 5, 5))
    same_spikes(graph, fold_batchnorm(graph))


@pytest.mark.parametrize("groups", [1, 2])
def test_before_a_convolution_without_padding(rng, same_spikes, groups):
    layer = convolution(rng, (4, 4), (3, 2), groups=groups, bias=False)
    graph = chain((4, 5, 5), ("bn", batch_norm(rng, 4)), layer, lif(4, 3, 4))
    same_spikes(graph, fold_batchnorm(graph))


def test_before_a_flattened_linear(rng, same_spikes):
    graph = chain((3, 4, 4), ("bn", batch_norm(rng, 3)), Flatten(), linear(rng, 48, 5), lif(5))
    same_spikes(graph, fold_batchnorm(graph))


def test_of_a_sum_the_offset_counts_once(rng, same_spikes):
    nodes = {
        "input": Input((6,)),
        "a": linear(rng, 6, 5),
        "b": linear(rng, 6, 5),
        "bn": batch_norm(rng, 5),
        "lif": lif(5),
        "output": Output((5,)),
    }
    edges = (("input", "a"), ("input", "b"), ("a", "bn"), ("b", "bn"), ("bn", "lif"), ("lif", "output"))
    graph = Graph(nodes, edges, dt=1e-3)
    same_spikes(graph, fold_batchnorm(graph))


def test_before_a_padded_convolution_without_offset_it_disappears(rng, same_spikes):
    layer = convolution(rng, (2, 3), (3, 3), padding=1)
    graph = chain((2, 5, 5), ("bn", batch_norm(rng, 2, shift=False)), layer, lif(3, 5, 5))
    after = fold_batchnorm(graph)
    assert "bn" not in after.nodes
    same_spikes(graph, after)


@pytest.mark.parametrize("groups", [1, 2])
def test_before_a_padded_convolution_the_leak_of_neurons_takes_what_the_border_lacks(rng, same_spikes, groups):
    layer = convolution(rng, (2, 4), (3, 2), padding=2, stride=2, dilation=2, groups=groups)
    graph = chain((2, 7, 6), ("bn", batch_norm(rng, 2)), ("conv", layer), ("lif", lif(4, 4, 4)))
    after = fold_batchnorm(graph)
    assert list(after.nodes) == ["input", "conv", "lif", "output"]
    assert np.ptp(after.nodes["lif"].v_leak, axis=(1, 2)).min() > 0
    same_spikes(graph, after)
    same_spikes(graph, lower(graph))


def flanked(rng, case):
    """Return a network whose normalisation has no synapse beside it that could take it."""
    if case == "a padded convolution":
        layer = convolution(rng, (2, 3), (3, 3), padding=1)
        return chain((2, 5, 5), ("bn", batch_norm(rng, 2)), layer, Flatten(), lif(75))
    if case == "a pool":
        return chain((2, 4, 4), ("bn", batch_norm(rng, 2)), Pool("sum", (2, 2), (2, 2), (0, 0)), lif(2, 2, 2))
    if case == "neurons":
        return chain((6,), ("bn", batch_norm(rng, 6)), lif(6))
    graph = chain((6,), ("fc", linear(rng, 6, 5)), ("bn", batch_norm(rng, 5)), ("lif", lif(5)))
    nodes = {**graph.nodes, "other": lif(5)}  # a synapse that feeds others too stays
    return Graph(nodes, (*graph.edges, ("fc", "other"), ("other", "output")), dt=1e-3)


@pytest.mark.parametrize("case", ["a padded convolution", "a pool", "neurons", "a shared synapse"])
def test_where_no_synapse_can_take_it_it_is_one(rng, same_spikes, case):
    graph = flanked(rng, case)
    after = fold_batchnorm(graph)
    assert isinstance(after.nodes["bn"], Convolution if len(graph.nodes["input"].shape) > 1 else Linear)
    same_spikes(graph, after)
    same_spikes(graph, lower(graph))


def test_a_matrix_for_very_many_values_is_refused(rng):
    graph = chain((MOST_FEATURES + 1,), ("bn", batch_norm(rng, MOST_FEATURES + 1)), lif(MOST_FEATURES + 1))
    with pytest.raises(Unsupported, match=r"^bn: .*4097 values cannot be folded"):
        fold_batchnorm(graph)

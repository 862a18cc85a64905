from dataclasses import replace

import numpy as np
import pytest

from neurodeploy.errors import Unsupported
from neurodeploy.graph import Flatten, Neuron, Pool
from neurodeploy.passes import max_pool_to_or
from neurodeploy.quantization import quantize
from neurodeploy.semantics import Semantics
from neurodeploy.simulation import simulate
from neurodeploy.targets.chip import load_chip
from tests.passes.small_graphs import chain, convolution, lif, linear

WINDOWS = [((2, 2), (2, 2), (0, 0), (3, 2)), ((3, 2), (2, 1), (1, 0), (3, 4)), ((3, 3), (1, 1), (1, 1), (6, 5))]


def pooled(rng, kernel, stride, padding, size):
    first = convolution(rng, (2, 3), (3, 3), padding=1)
    pool = ("pool", Pool("max", kernel, stride, padding))
    return chain((2, 6, 5), first, lif(3, 6, 5), pool, Flatten(), linear(rng, 3 * size[0] * size[1], 4), lif(4))


def binary(rng, *shape):
    return rng.integers(0, 2, shape).astype(np.uint8)


@pytest.mark.parametrize(("kernel", "stride", "padding", "size"), WINDOWS)
def test_spikes_are_the_same(rng, kernel, stride, padding, size):
    graph = pooled(rng, kernel, stride, padding, size)
    after = max_pool_to_or(graph)
    assert isinstance(after.nodes["pool_or"], Neuron)
    x = binary(rng, 3, 12, 2, 6, 5)
    one, two = (simulate(g, x, "float") for g in (graph, after))
    for name in one.spikes:
        assert np.array_equal(one.spikes[name], two.spikes[name])
    assert 0 < one.output.mean() < 1
    assert any("the maximum over spikes is an OR" in note for note in after.notes)


def test_the_integer_or_is_exact_and_keeps_the_rest_aligned(rng):
    graph = pooled(rng, *WINDOWS[0])
    network = quantize(graph, load_chip("loihi2"))
    assert [p.latency for p in network.order] == [1, 2, 3]
    x = binary(rng, 4, 20, 2, 6, 5)
    whole = simulate(network, x)
    windows = whole.spikes["n1"].reshape(4, 20, 3, 3, 2, 5)[..., :4].reshape(4, 20, 3, 3, 2, 2, 2)
    assert np.array_equal(whole.spikes["pool_or"], windows.max(axis=(4, 6)))
    assert 0 < whole.spikes["pool_or"].mean() < 1


def with_semantics(graph, **change):
    neuron = replace(graph.nodes["n1"], semantics=replace(Semantics(reset="zero"), **change))
    return replace(graph, nodes={**graph.nodes, "n1": neuron})


@pytest.mark.parametrize("scale", [2.5, 0.25])
def test_spikes_of_another_value_keep_it(rng, same_spikes, scale):
    graph = with_semantics(pooled(rng, *WINDOWS[1]), spike_scale=scale)
    same_spikes(graph, max_pool_to_or(graph))


def test_several_spikes_a_step_are_refused(rng):
    graph = with_semantics(pooled(rng, *WINDOWS[0]), fire="floor-multi")
    with pytest.raises(Unsupported, match="pool: takes the maximum of n1, which is not of single spikes"):
        max_pool_to_or(graph)


def test_a_maximum_of_currents_is_refused(rng):
    graph = chain(
        (2, 6, 6),
        convolution(rng, (2, 3), (3, 3), padding=1),
        ("pool", Pool("max", (2, 2), (2, 2), (0, 0))),
        lif(3, 3, 3),
    )
    with pytest.raises(Unsupported, match="put it behind a neuron"):
        max_pool_to_or(graph)

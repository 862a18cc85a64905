import numpy as np
import pytest

from neurodeploy.graph import Scale, frozen_array
from neurodeploy.passes import fold_scale
from tests.passes.small_graphs import chain, convolution, lif, linear


@pytest.mark.parametrize("factor", [1.7, [0.5, 1.0, 1.5, 2.0, 2.5]])
def test_after_a_linear(rng, same_spikes, factor):
    graph = chain((6,), linear(rng, 6, 5), ("scale", Scale(frozen_array(factor))), lif(5))
    after = fold_scale(graph)
    assert "scale" not in after.nodes
    same_spikes(graph, after)


@pytest.mark.parametrize("factor", [1.7, [0.5, 1.0, 1.5, 2.0, 2.5, 3.0]])
def test_before_a_linear(rng, same_spikes, factor):
    graph = chain((6,), ("scale", Scale(frozen_array(factor))), linear(rng, 6, 5), lif(5))
    after = fold_scale(graph)
    assert "scale" not in after.nodes
    same_spikes(graph, after)


@pytest.mark.parametrize("before", [True, False])
def test_channels_of_a_padded_grouped_convolution(rng, same_spikes, before):
    scale = ("scale", Scale(frozen_array(np.arange(1.0, 5.0).reshape(4, 1, 1) / 2)))
    layer = ("conv", convolution(rng, (4, 4), (3, 3), padding=1, groups=2))
    graph = chain((4, 5, 5), *((scale, layer) if before else (layer, scale)), lif(4, 5, 5))
    after = fold_scale(graph)
    assert list(after.nodes) == ["input", "conv", "n2", "output"]
    same_spikes(graph, after)


def test_a_factor_that_varies_within_a_channel_stays(rng):
    factor = frozen_array(np.arange(25.0).reshape(1, 5, 5))
    graph = chain((2, 5, 5), convolution(rng, (2, 3), (3, 3), padding=1), ("scale", Scale(factor)), lif(3, 5, 5))
    assert "scale" in fold_scale(graph).nodes

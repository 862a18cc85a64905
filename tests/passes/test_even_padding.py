from dataclasses import replace

import pytest

from neurodeploy.passes import even_padding
from tests.passes.small_graphs import chain, convolution, lif


@pytest.mark.parametrize(
    ("padding", "stride", "dilation", "even"),
    [
        (((1, 2), (0, 1)), 1, 1, ((2, 2), (1, 1))),
        (((2, 0), (1, 1)), 2, 1, ((2, 2), (1, 1))),
        (((0, 4), (3, 1)), 2, 2, ((4, 4), (3, 3))),
    ],
)
def test_spikes_are_the_same(rng, same_spikes, padding, stride, dilation, even):
    layer = replace(convolution(rng, (2, 3), (2, 3), stride=stride, dilation=dilation), padding=padding)
    size = [
        (7 + sum(pad) - dilation * (kernel - 1) - 1) // stride + 1 for pad, kernel in zip(padding, (2, 3), strict=True)
    ]
    graph = chain((2, 7, 7), ("conv", layer), lif(3, *size))
    after = even_padding(graph)
    assert after.nodes["conv"].padding == even
    same_spikes(graph, after)


@pytest.mark.parametrize(("padding", "dilation"), [(((1, 2), (1, 1)), 1), (((0, 1), (0, 0)), 2)])
def test_what_is_torchs_same_or_no_whole_tap_stays(rng, padding, dilation):
    layer = replace(convolution(rng, (2, 3), (4, 3) if dilation == 1 else (2, 2), dilation=dilation), padding=padding)
    size = (7, 7) if dilation == 1 else (6, 5)
    graph = chain((2, 7, 7), ("conv", layer), lif(3, *size))
    assert even_padding(graph).nodes["conv"].padding == padding

import numpy as np
import pytest

from neurodeploy.graph import Convolution, Pool
from neurodeploy.passes import pool_to_convolution
from tests.passes.small_graphs import chain, lif


@pytest.mark.parametrize("kind", ["sum", "average"])
@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "size"),
    [((2, 2), (2, 2), (0, 0), (3, 2)), ((3, 2), (2, 1), (1, 0), (3, 4)), ((3, 3), (1, 1), (1, 1), (6, 5))],
)
def test_windows(same_spikes, kind, kernel, stride, padding, size):
    graph = chain((3, 6, 5), ("pool", Pool(kind, kernel, stride, padding)), lif(3, *size))
    after = pool_to_convolution(graph)
    node = after.nodes["pool"]
    assert isinstance(node, Convolution)
    assert node.groups == 3
    assert node.weight.sum() == pytest.approx(3 * (np.prod(kernel) if kind == "sum" else 1))
    if kind == "average":
        same_spikes(graph, after)
    else:
        same_spikes(graph, after, steps=3)


def test_one_axis(same_spikes):
    graph = chain((2, 9), ("pool", Pool("average", (3,), (3,), (0,))), lif(2, 3))
    same_spikes(graph, pool_to_convolution(graph))


def test_a_maximum_stays():
    graph = chain((2, 4, 4), ("pool", Pool("max", (2, 2), (2, 2), (0, 0))), lif(2, 2, 2))
    assert pool_to_convolution(graph).nodes["pool"] is graph.nodes["pool"]

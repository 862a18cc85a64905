"""Shapes follow torch, and a mismatch names both ends."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from neurodeploy.errors import InputError
from neurodeploy.graph import (
    BatchNorm,
    Convolution,
    Flatten,
    Graph,
    Input,
    Linear,
    Neuron,
    Output,
    Pool,
    Scale,
    frozen_array,
)
from neurodeploy.semantics import Semantics
from neurodeploy.shapes import infer_shapes, output_shape


def ones(*shape):
    return frozen_array(np.ones(shape))


def chain(**nodes):
    return Graph(nodes, tuple(itertools.pairwise(nodes)), 1e-3)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_convolution_and_pool_follow_torch(data):
    size, kernel, stride, pad, dilation = (
        tuple(data.draw(st.integers(low, high)) for _ in range(2))
        for low, high in ((7, 11), (1, 3), (1, 3), (0, 2), (1, 2))
    )
    groups = data.draw(st.sampled_from([1, 2]))
    x = torch.zeros(1, 4, *size)
    conv = torch.nn.Conv2d(4, 6, kernel, stride, pad, dilation, groups)
    node = Convolution(ones(6, 4 // groups, *kernel), None, stride, tuple((p, p) for p in pad), dilation, groups)
    assert output_shape("n", node, (4, *size)) == tuple(conv(x).shape[1:])
    padding = tuple(min(p, k // 2) for p, k in zip(pad, kernel, strict=True))
    pool = torch.nn.AvgPool2d(kernel, stride, padding)
    assert output_shape("n", Pool("average", kernel, stride, padding), (4, *size)) == tuple(pool(x).shape[1:])


def test_one_axis_asymmetric_padding_and_flatten():
    conv = Convolution(ones(3, 2, 4), None, (1,), ((1, 2),), (1,))
    graph = chain(x=Input((2, 9)), c=conv, f=Flatten(), o=Output((27,)))
    assert infer_shapes(graph) == {"x": (2, 9), "c": (3, 9), "f": (27,), "o": (27,)}
    for start, end, expected in ((1, -1, (2, 12)), (0, 1, (6, 4)), (-2, -1, (2, 12)), (1, 1, (2, 3, 4))):
        assert output_shape("f", Flatten(start, end), (2, 3, 4)) == expected


def test_loops_need_no_order():
    lif = Neuron((3,), Semantics(), r=ones(), threshold=ones())
    nodes = {"w": Linear(ones(3, 3)), "s": Scale(ones()), "lif": lif, "x": Input((3,)), "o": Output((3,))}
    edges = (("lif", "s"), ("s", "w"), ("w", "lif"), ("x", "lif"), ("lif", "o"))
    shapes = infer_shapes(Graph(nodes, edges, 1e-3, frozenset({("lif", "s")})))
    assert list(shapes) == list(nodes)
    assert set(shapes.values()) == {(3,)}


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        (
            {"x": Input((9,)), "w": Linear(ones(3, 7)), "o": Output((3,))},
            r"x -> w: x has the shape \[9\], but w takes .*7",
        ),
        ({"x": Input((2, 9)), "w": Linear(ones(3, 18)), "o": Output((3,))}, "x -> w: .*Flatten"),
        ({"x": Input((9,)), "o": Output((3,))}, r"x -> o: x has the shape \[9\], but o has the shape \[3\]"),
        (
            {"x": Input((3, 5, 5)), "c": Convolution(ones(4, 2, 3, 3), None, (1, 1), ((0, 0),) * 2, (1, 1), 2)},
            r"x -> c: .*takes 4 channels and 2 further axes, so \[4, n, n\]",
        ),
        (
            {"x": Input((2, 2, 2)), "c": Convolution(ones(4, 2, 3, 3), None, (1, 1), ((0, 0),) * 2, (1, 1))},
            "x -> c: .*larger than its input",
        ),
        ({"x": Input((2, 2)), "p": Pool("sum", (2, 2), (2, 2), (0, 0))}, "x -> p: .*channels and 2 further axes"),
        ({"x": Input((2, 2)), "f": Flatten(1, 2)}, "x -> f: .*merges the axes 1 to 2"),
        ({"x": Input((2, 2)), "s": Scale(ones(3, 2, 2))}, r"x -> s: .*factor of shape \[3, 2, 2\]"),
        ({"x": Input((3, 2)), "b": BatchNorm(*(ones(2),) * 4, 1e-5)}, r"x -> b: .*normalises \[2\] channels"),
    ],
)
def test_mismatch_names_both_ends(nodes, message):
    with pytest.raises(InputError, match=message):
        infer_shapes(chain(**nodes))


def test_every_source_must_fit():
    nodes = {"a": Input((2,)), "b": Input((3,)), "s": Scale(ones()), "o": Output((2,))}
    with pytest.raises(InputError, match="b -> o: b has"):
        infer_shapes(Graph(nodes, (("a", "s"), ("s", "o"), ("b", "o")), 1e-3))


def test_out_of_reach():
    with pytest.raises(InputError, match="s: its shape is unknown"):
        infer_shapes(Graph({"s": Scale(ones())}, (), 1e-3))

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurodeploy.errors import InputError, Unsupported
from neurodeploy.graph import Convolution, Flatten, Linear, Scale, frozen_array
from neurodeploy.passes import affine
from neurodeploy.passes.affine import Path, as_synapse, extend
from neurodeploy.passes.convolve import compose
from neurodeploy.shapes import output_shape
from neurodeploy.targets.reference.operators import operator
from tests.passes.small_graphs import convolution, linear

SIZES = st.sampled_from([1, 2, 3])


@st.composite
def layers(draw, channels):
    """Return a convolution from this many channels."""
    groups = draw(st.sampled_from([g for g in (1, 2, channels) if channels % g == 0]))
    return {
        "channels": (channels, draw(st.sampled_from([1, 2])) * channels),
        "kernel": (draw(SIZES), draw(SIZES)),
        "stride": draw(SIZES),
        "padding": draw(st.sampled_from([0, 1, 2])),
        "dilation": draw(st.sampled_from([1, 2])),
        "groups": groups,
        "bias": draw(st.booleans()),
    }


@settings(max_examples=150, deadline=None)
@given(data=st.data(), size=st.tuples(st.integers(7, 10), st.integers(7, 10)), seed=st.integers(0, 99))
def test_two_convolutions_in_one_synapse_compute_the_same(data, size, seed):
    rng = np.random.default_rng(seed)
    inner = convolution(rng, **data.draw(layers(2)))
    outer = convolution(rng, **data.draw(layers(inner.weight.shape[0])))
    shape = (2, *size)
    x = rng.normal(size=(4, *shape))
    path = Path("source", shape, False, None, shape, shape)
    expected = x
    for node in (inner, outer):
        try:
            shape = output_shape("node", node, shape)
        except InputError:
            return  # the drawn windows are larger than their input
        path = extend(path, "node", node, shape, with_bias=True)
        expected = operator(node)(expected)
    synapse = as_synapse(path, "node")
    given_x = x if isinstance(synapse, Convolution) else x.reshape(len(x), -1)
    found = operator(synapse)(given_x).reshape(expected.shape)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def shapes_of(shape, *nodes):
    found = [shape]
    for node in nodes:
        found.append(output_shape("node", node, found[-1]))
    return tuple(found)


def test_a_pool_before_a_padded_convolution_is_one_convolution(rng):
    pool = convolution(rng, (4, 4), (2, 2), stride=2, groups=4, bias=False)
    layer = convolution(rng, (4, 8), (3, 3), padding=1)
    one = compose(pool, layer, shapes_of((4, 8, 8), pool, layer))
    assert one is not None
    assert one.weight.shape == (8, 4, 6, 6)
    assert (one.stride, one.groups) == ((2, 2), 1)


def test_depthwise_after_depthwise_stays_depthwise(rng):
    first = convolution(rng, (4, 4), (3, 3), groups=4)
    second = convolution(rng, (4, 4), (2, 2), groups=4)
    one = compose(first, second, shapes_of((4, 8, 8), first, second))
    assert one is not None
    assert one.groups == 4
    assert one.weight.shape == (4, 1, 4, 4)


@pytest.mark.parametrize(
    ("inner", "outer"),
    [
        ({"padding": 1}, {"padding": 1}),  # the inner one has answers beyond its border
        ({"padding": 0, "bias": True}, {"padding": 1}),  # its bias would have to stop at the border
    ],
)
def test_a_border_that_no_single_convolution_has(rng, inner, outer):
    first = convolution(rng, (2, 2), (3, 3), **{"bias": False, **inner})
    second = convolution(rng, (2, 2), (3, 3), **outer)
    assert compose(first, second, shapes_of((2, 8, 8), first, second)) is None


def test_a_scale_and_a_flatten_on_the_way(rng):
    layer, last = convolution(rng, (2, 3), (3, 3), padding=1), linear(rng, 48, 5)
    nodes = (Scale(frozen_array(rng.normal(size=(2, 4, 4)))), layer, Flatten(), last)
    shape, x = (2, 4, 4), rng.normal(size=(3, 2, 4, 4))
    path, expected = Path("source", shape, False, None, shape, shape), x
    for node in nodes:
        shape = output_shape("node", node, shape)
        path, expected = extend(path, "node", node, shape, with_bias=True), operator(node)(expected)
    synapse = as_synapse(path, "node")
    assert isinstance(synapse, Linear)
    np.testing.assert_allclose(operator(synapse)(x.reshape(3, -1)), expected)


def test_the_limit_of_a_dense_matrix(rng, monkeypatch):
    monkeypatch.setattr(affine, "DENSE_LIMIT", 100)
    layer = convolution(rng, (2, 3), (3, 3), padding=1)
    shape = (2, 4, 4)
    path = extend(Path("source", shape, False, None, shape, shape), "conv", layer, (3, 4, 4), with_bias=True)
    with pytest.raises(Unsupported, match=r"^second: .* above the limit of 100"):
        extend(path, "second", convolution(rng, (3, 3), (3, 3), padding=1), (3, 4, 4), with_bias=True)

"""Strategies that draw recipes: every kind of neuron, connection, delay and loop, with parameters at their edges."""

from __future__ import annotations

from dataclasses import replace
from math import gcd

from hypothesis import strategies as st

from neurodeploy.network import Shape

from .recipes import NEURONS, SUMMING, Geometry, Layer, Recipe, Synapses

#: Plain neurons as often as all others together: they are what most networks consist of.
neurons = st.one_of(st.just("lif"), st.sampled_from(NEURONS))
flat_shapes = st.tuples(st.integers(1, 6))
image_shapes = st.tuples(st.integers(1, 4), st.integers(1, 6), st.integers(1, 6))


def _pairs(least: int, most: int) -> st.SearchStrategy[tuple[int, int]]:
    return st.tuples(st.integers(least, most), st.integers(least, most))


@st.composite
def geometries(draw: st.DrawFn, source: Shape) -> Geometry:
    """Draw a convolution that leaves at least one cell of a (C, H, W) source."""
    padding, stride, dilation, kernel = draw(_pairs(0, 2)), draw(_pairs(1, 3)), draw(_pairs(1, 2)), draw(_pairs(1, 3))
    extents = [n + 2 * p for n, p in zip(source[1:], padding, strict=True)]
    kernel = tuple(min(k, (n - 1) // d + 1) for k, n, d in zip(kernel, extents, dilation, strict=True))
    groups = gcd(source[0], draw(st.sampled_from([1, 2, 3, 4])))
    return Geometry(draw(st.integers(1, 2)), kernel, stride, padding, dilation, groups)


def _image_after(source: Shape, geometry: Geometry) -> Shape:
    extents = zip(source[1:], geometry.kernel, geometry.stride, geometry.padding, geometry.dilation, strict=True)
    sizes = ((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in extents)
    return (geometry.out * geometry.groups, *sizes)


@st.composite
def layers(
    draw: st.DrawFn, shapes: list[Shape], kinds: list[str], delay: st.SearchStrategy[int], largest: int
) -> Layer:
    """Draw a layer on those whose shapes are given, the port first, and append its own; exponents to ``largest``."""
    source = draw(st.integers(max(0, len(shapes) - 2), len(shapes) - 1))
    summing = source > 0 and kinds[source].startswith(SUMMING)
    exponents = st.integers(-2, 0) if summing else st.integers(-3, largest)
    convolves = len(shapes[source]) == 3 and draw(st.booleans())
    geometry = draw(geometries(shapes[source])) if convolves else None
    shape = _image_after(shapes[source], geometry) if geometry else draw(st.one_of(flat_shapes, image_shapes))
    exponent = draw(exponents)
    neuron = draw(neurons)
    shapes.append(shape)
    kinds.append(neuron)
    resonates = neuron in ("phase", "izhikevich")
    return Layer(
        neuron,
        shape,
        Synapses(
            source,
            draw(st.sampled_from(["dense", "sparse"])),
            max(exponent, 0) if geometry else exponent,
            draw(st.integers(0, 2)) if geometry else draw(delay),
            resonates and draw(st.booleans()),
        ),
        geometry,
        draw(st.booleans()),
        draw(st.integers(-4, 12)),
        draw(st.sampled_from([0, 0, 1, 2, 5])),
        draw(st.tuples(st.integers(4, 16), st.integers(0, 6)) if resonates else _pairs(0, 4)),
    )


@st.composite
def recipes(draw: st.DrawFn) -> Recipe:
    """Draw a network of up to four layers, with skips and loops."""
    shapes, kinds = [draw(st.one_of(flat_shapes, image_shapes))], ["port"]
    delay = draw(st.sampled_from([st.just(0), st.integers(0, 4)]))
    payload = draw(st.sampled_from([1, 1, 3, 700]))
    largest = 0 if payload > 3 else 7
    drawn = tuple(draw(layers(shapes, kinds, delay, largest)) for _ in range(draw(st.integers(1, 4))))
    # A delay of 62 steps needs as many to be seen, and Lava goes through all 63 in each: one such projection, and few.
    long = drawn[0].geometry is None and draw(st.integers(0, 19)) == 19
    if long:
        drawn = (replace(drawn[0], drive=replace(drawn[0].drive, kind="dense", delay=62)), *drawn[1:])
    extra = []
    for _ in range(draw(st.integers(0, 2))):
        target, source = draw(st.integers(1, len(drawn))), draw(st.integers(0, len(drawn)))
        kind = draw(st.sampled_from(["dense", "sparse"]))
        resonates = drawn[target - 1].neuron in ("phase", "izhikevich")
        # A loop through neurons that send sums multiplies them by themselves; one past a long delay takes a longer.
        if source < target or not (long or any(k.startswith(SUMMING) for k in kinds)):
            imaginary = resonates and draw(st.booleans())
            extra.append((target, Synapses(source, kind, draw(st.integers(-3, 0)), draw(st.integers(0, 4)), imaginary)))
    return Recipe(
        draw(st.integers(0, 2**32 - 1)),
        shapes[0],
        drawn,
        tuple(extra),
        draw(st.booleans()),
        (draw(st.sampled_from([0, 0, 1, 3, 7])), draw(st.integers(0, 3))),
        draw(st.integers(1, 2)),
        70 if long else draw(st.integers(1, 14)),
        payload,
    )

"""Composing convolutions: as one convolution where that is exact, as a dense matrix otherwise.

Positions along one axis: a convolution with stride s, dilation d and padding p reads, for its output i and tap a, the
input ``i s + a d - p``. An inner and an outer one together read ``j s1 s2 + a d1 + b d2 s1 - p1 - p2 s1``.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import gcd
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.graph import Convolution, Shape, frozen_array

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Axis:
    """One axis of a convolution: taps, stride, dilation, padding before, and the lengths it maps between."""

    taps: int
    stride: int
    dilation: int
    before: int
    length_in: int
    length_out: int


def axes(node: Convolution, shape_in: Shape, shape_out: Shape) -> list[Axis]:
    """Return the spatial axes of a convolution between these shapes (channels, *space)."""
    taps = node.weight.shape[2:]
    before = [pair[0] for pair in node.padding]
    return [
        Axis(*row) for row in zip(taps, node.stride, node.dilation, before, shape_in[1:], shape_out[1:], strict=True)
    ]


def _outside(inner: Axis, outer: Axis) -> list[int]:
    """Return the positions of the inner answer that the outer taps touch though they do not exist."""
    touched = {
        j * outer.stride + b * outer.dilation - outer.before for j in range(outer.length_out) for b in range(outer.taps)
    }
    return sorted(i for i in touched if not 0 <= i < inner.length_out)


def _padding_agrees(inner: Axis, outer: Axis) -> bool:
    """Whether the composed kernel reads nothing but zeros where the outer one reads its own padding."""
    reads = (
        i * inner.stride + a * inner.dilation - inner.before for i in _outside(inner, outer) for a in range(inner.taps)
    )
    return not any(0 <= position < inner.length_in for position in reads)


def compose(inner: Convolution, outer: Convolution, shapes: tuple[Shape, Shape, Shape]) -> Convolution | None:
    """Return the one convolution equal to ``outer(inner(x))``, or None where there is none.

    ``shapes`` are those of x, of the inner and of the outer answer. There is none when the outer one pads with zeros
    where the inner one, continued beyond its border, would have an answer other than zero.
    """
    pairs = list(zip(axes(inner, *shapes[:2]), axes(outer, *shapes[1:]), strict=True))
    touches_padding = any(_outside(*pair) for pair in pairs)
    if not all(_padding_agrees(*pair) for pair in pairs):
        return None
    if inner.bias is not None and np.any(inner.bias) and touches_padding:
        return None
    stride = tuple(a.stride * b.stride for a, b in pairs)
    before = [a.before + b.before * a.stride for a, b in pairs]
    weight, dilation = _composed_kernel(inner, outer, pairs)
    padding = []
    for axis, (a, b) in enumerate(pairs):
        reach = (weight.shape[2 + axis] - 1) * dilation[axis] + 1
        after = max(0, (b.length_out - 1) * stride[axis] + reach - a.length_in - before[axis])
        if (a.length_in + before[axis] + after - reach) // stride[axis] + 1 != b.length_out:
            return None
        padding.append((before[axis], after))
    bias = _composed_bias(inner, outer)
    groups = gcd(inner.groups, outer.groups)
    return Convolution(frozen_array(weight), bias, stride, tuple(padding), dilation, groups)


def _composed_kernel(
    inner: Convolution, outer: Convolution, pairs: list[tuple[Axis, Axis]]
) -> tuple[Matrix, tuple[int, ...]]:
    groups = gcd(inner.groups, outer.groups)
    first, second = _blocks(inner, groups), _blocks(outer, groups)
    steps = [(a.dilation if a.taps > 1 else 0, b.dilation * a.stride if b.taps > 1 else 0) for a, b in pairs]
    dilation = tuple(gcd(*step) or 1 for step in steps)
    taps = [
        ((a.taps - 1) * step[0] + (b.taps - 1) * step[1]) // d + 1
        for (a, b), step, d in zip(pairs, steps, dilation, strict=True)
    ]
    composed = np.zeros((groups, second.shape[1], first.shape[2], *taps))
    for b_taps in product(*(range(b.taps) for _, b in pairs)):
        for a_taps in product(*(range(a.taps) for a, _ in pairs)):
            at = tuple(
                (a * step[0] + b * step[1]) // d for a, b, step, d in zip(a_taps, b_taps, steps, dilation, strict=True)
            )
            composed[_last(at)] += second[_last(b_taps)] @ first[_last(a_taps)]
    return composed.reshape(-1, *composed.shape[2:]), dilation


def _last(index: tuple[int | slice, ...]) -> Any:
    """Return the index of the last axes."""
    return (..., *index)


def _blocks(node: Convolution, groups: int) -> Matrix:
    """Return the weights as [groups, out / groups, in / groups, *kernel], the finer groups of the node spread out."""
    weight = np.asarray(node.weight, np.float64)
    finer, rows, columns = node.groups // groups, weight.shape[0] // node.groups, weight.shape[1]
    spread = np.zeros((groups, finer, rows, finer, columns, *weight.shape[2:]))
    for index in range(finer):
        spread[:, index, :, index] = weight.reshape(groups, finer, rows, columns, *weight.shape[2:])[:, index]
    return spread.reshape(groups, finer * rows, finer * columns, *weight.shape[2:])


def _composed_bias(inner: Convolution, outer: Convolution) -> Matrix | None:
    if inner.bias is None:
        return None if outer.bias is None else frozen_array(outer.bias, np.float64)
    summed = _blocks(outer, outer.groups).reshape(outer.groups, outer.weight.shape[0] // outer.groups, -1)
    per_tap = np.repeat(
        np.asarray(inner.bias, np.float64).reshape(outer.groups, 1, -1), int(np.prod(outer.weight.shape[2:])), axis=2
    )
    bias = (summed * per_tap).sum(axis=2).reshape(-1)
    return frozen_array(bias if outer.bias is None else bias + np.asarray(outer.bias, np.float64))


def transposed(rows: Matrix, node: Convolution, shape_in: Shape, shape_out: Shape) -> Matrix:
    """Return ``rows @ C``, rows [n, prod(shape_out)], C the convolution without bias as [prod(out), prod(in)]."""
    axis = axes(node, shape_in, shape_out)
    weight = _blocks(node, node.groups)
    given = rows.reshape(len(rows), node.groups, -1, *shape_out[1:])
    # Everything the taps can reach, so that no write needs clipping; the border is cut off afterwards.
    lengths = [max(a.before + a.length_in, (a.length_out - 1) * a.stride + (a.taps - 1) * a.dilation + 1) for a in axis]
    full = np.zeros((len(rows), node.groups, shape_in[0] // node.groups, *lengths))
    for tap in product(*(range(a.taps) for a in axis)):
        at = tuple(
            slice(t * a.dilation, t * a.dilation + (a.length_out - 1) * a.stride + 1, a.stride)
            for t, a in zip(tap, axis, strict=True)
        )
        full[_last(at)] += np.einsum("ngk...,gkc->ngc...", given, weight[_last(tap)])
    inside = tuple(slice(a.before, a.before + a.length_in) for a in axis)
    return np.ascontiguousarray(full[_last(inside)]).reshape(len(rows), -1)

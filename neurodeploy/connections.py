"""Integer synapses in the geometry that a chip offers: two spatial axes, both ends padded alike."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from neurodeploy import network
from neurodeploy.graph import Convolution, Linear

Ints = npt.NDArray[np.int64]


def connection(node: Linear | Convolution, weight: Ints) -> network.Connection:
    """Return the connection of a graph's synapse with these integer weights."""
    if isinstance(node, Linear):
        return network.Dense(weight)
    stride, padding, dilation = node.stride, node.padding, node.dilation
    weight, symmetric = _symmetric(weight, padding, dilation)
    return network.Convolution(weight, (stride[0], stride[1]), symmetric, (dilation[0], dilation[1]), node.groups)


def _symmetric(
    weight: Ints, padding: tuple[tuple[int, int], ...], dilation: tuple[int, ...]
) -> tuple[Ints, tuple[int, int]]:
    """Return kernel and padding so that both ends are padded alike, by zero taps on the side that had less.

    A chip pads both ends by the same amount; ``same`` with an even kernel does not. Taps are ``dilation`` apart, so
    this is exact where the difference is a multiple of it, which :mod:`neurodeploy.expressible` has made sure of.
    """
    taps = [(0, 0), (0, 0)]
    widths = []
    for (before, after), gap in zip(padding, dilation, strict=True):
        taps.append((max(after - before, 0) // gap, max(before - after, 0) // gap))
        widths.append(max(before, after))
    return np.pad(weight, taps), (widths[0], widths[1])

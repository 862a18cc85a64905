"""Concatenation between layers: branches put in their places by synapses of weight one, and added."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from torch import Tensor

from neurodeploy.export.recorder import Handler, Recorder, Value
from neurodeploy.graph import Convolution, Linear, Node, frozen_array


def _concatenate(recorder: Recorder, operation: str, args: Any, kwargs: Any, answer: Tensor) -> None:
    """Add for every branch a synapse of weight one that puts its channels in their place: their sum is the whole.

    ``y = P_1 x_1 + P_2 x_2 + ...`` with the columns of ``P_i`` those of the identity that belong to branch i.
    """
    joined = args[0] if args else kwargs["tensors"]
    axis = args[1] if len(args) > 1 else kwargs.get("dim", kwargs.get("axis", 0))
    branches = [recorder.read(each, operation) for each in joined]
    shape = branches[0].shape
    leading = answer.ndim - len(shape)
    if axis % answer.ndim != leading or len(shape) not in PLACES:
        raise recorder.cannot(
            operation, f"joins tensors of shape {tuple(joined[0].shape)} along axis {axis}, {_JOINED}"
        )
    total, start, sources = int(answer.shape[leading]), 0, []
    if total > MOST_JOINED:
        raise recorder.cannot(operation, f"joins {total:,} channels, more than {MOST_JOINED:,}")
    for branch in branches:
        place = np.eye(total, branch.shape[0], -start, dtype=np.float32)
        sources.append(recorder.insert(operation, PLACES[len(shape)](frozen_array(place)), branch))
        start += branch.shape[0]
    recorder.pass_on(answer, Value(tuple(sources), (total, *shape[1:])))


#: Most channels after a concatenation: it is written as matrices with a row for each of them.
MOST_JOINED = 8192

_JOINED = "not along the channels of flat values or maps of one or two axes"


def _pointwise(axes: int) -> Callable[[Any], Node]:
    """Return what makes a convolution of kernel one over ``axes`` axes from a matrix [out, in]."""

    def make(matrix: Any) -> Node:
        ones = (1,) * axes
        return Convolution(matrix.reshape(*matrix.shape, *ones), None, ones, ((0, 0),) * axes, ones)

    return make


#: Number of axes of a sample -> the synapse that a matrix over its channels becomes.
PLACES: Mapping[int, Callable[[Any], Node]] = {1: Linear, 2: _pointwise(1), 3: _pointwise(2)}


def _side_by_side(recorder: Recorder, operation: str, args: Any, kwargs: Any, answer: Tensor) -> None:
    """Join along the second axis, as hstack does with all that has a batch axis."""
    _concatenate(recorder, operation, (args[0] if args else kwargs["tensors"], 1), {}, answer)


#: Operation -> what it adds to the graph.
JOINING: Mapping[str, Handler] = {
    **dict.fromkeys(("cat", "concat", "concatenate"), _concatenate),
    "hstack": _side_by_side,
}

"""Channel-wise factors and offsets of synapses: the arithmetic that folding a normalisation or a scale shares."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from neurodeploy.graph import Convolution, Linear, Shape, frozen_array

Vector = npt.NDArray[np.float64]
Synapse = Linear | Convolution


def outputs_of(synapse: Synapse) -> int:
    """Return the number of output channels (rows) of a synapse."""
    return int(synapse.weight.shape[0])


def scale_rows(synapse: Synapse, factor: Vector, offset: Vector | None) -> Synapse:
    """Return the synapse that computes ``factor * synapse(x) + offset``; factor and offset are [out]."""
    weight = np.asarray(synapse.weight, np.float64)
    bias = None if synapse.bias is None else factor * np.asarray(synapse.bias, np.float64)
    if offset is not None:
        bias = offset if bias is None else bias + offset
    weight = weight * factor.reshape(-1, *[1] * (weight.ndim - 1))
    return replace(synapse, weight=frozen_array(weight), bias=None if bias is None else frozen_array(bias))


def scale_columns(synapse: Synapse, factor: Vector, offset: Vector | None) -> Synapse:
    """Return the synapse that computes ``synapse(factor * x + offset)``; factor and offset are [in].

    With an offset the synapse must be without padding: a padded border holds zeros, not the offset.
    """
    weight = np.asarray(synapse.weight, np.float64)
    bias = None if synapse.bias is None else np.asarray(synapse.bias, np.float64)
    trailing = [1] * (weight.ndim - 2)
    groups = synapse.groups if isinstance(synapse, Convolution) else 1
    # Rows of one group see the channels of that group only: [out, in / groups] of per-row column factors.
    per_row = np.repeat(factor.reshape(groups, -1), weight.shape[0] // groups, axis=0)
    if offset is not None:
        per_row_offset = np.repeat(offset.reshape(groups, -1), weight.shape[0] // groups, axis=0)
        added = (weight * per_row_offset.reshape(*per_row.shape, *trailing)).reshape(len(weight), -1).sum(axis=1)
        bias = added if bias is None else bias + added
    weight = weight * per_row.reshape(*per_row.shape, *trailing)
    return replace(synapse, weight=frozen_array(weight), bias=None if bias is None else frozen_array(bias))


def per_channel(values: npt.NDArray[np.float64], shape: Shape) -> Vector | None:
    """Return [channels] when ``values``, broadcast to ``shape``, are constant within every channel, else None."""
    full = np.broadcast_to(values, shape).reshape(shape[0], -1)
    return np.array(full[:, 0]) if bool((full == full[:, :1]).all()) else None

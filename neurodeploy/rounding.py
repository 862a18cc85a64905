"""Adaptive rounding: each weight's rounding error is made up for by the weights that are rounded after it.

Nearest rounding makes every weight right and the sums wrong. What a neuron feels is its membrane, ``W x`` for the
filtered spikes ``x`` of its sources, so the integers Q are chosen to keep ``E |(W s - Q) x|^2 = tr (W s - Q) H (W s -
Q)^T`` small, with ``H = E x x^T`` from :mod:`neurodeploy.moments`. Columns are rounded from the most active source to
the least; the error of each moves into the columns left over, by the least squares that H gives (Frantar et al., GPTQ,
2022, after LeCun et al., Optimal brain damage, 1990).
"""

from __future__ import annotations

import numpy as np

from neurodeploy.moments import Block, Moments
from neurodeploy.scaling import Floats, round_to_grid


def round_adaptively(scaled: Floats, moments: Moments, limits: tuple[int, int, int]) -> Floats:
    """Return weights [out, ...] on a grid (smallest, largest, step) with a small error of the sums they make.

    Parameters
    ----------
    scaled : the weights in units of the grid.
    moments : of the sources of these weights.
    """
    flat = scaled.reshape(len(scaled), -1)
    rounded = round_to_grid(flat, limits)
    for block in moments.blocks:
        part = (block.rows, block.columns)
        rounded[part] = _compensated(flat[part], block, limits)
    return rounded.reshape(scaled.shape)


def sum_error(error: Floats, moments: Moments) -> float:
    """Return the mean square over rows of what an error of the weights [out, ...] adds to the membrane."""
    flat = error.reshape(len(error), -1)
    total = sum(float(((part := flat[b.rows, b.columns]) @ b.matrix * part).sum()) for b in moments.blocks)
    return total / len(flat)


def _compensated(weight: Floats, block: Block, limits: tuple[int, int, int]) -> Floats:
    """Return the rounded weights [out, in] of one block."""
    factor, order = block.factor, block.order
    if factor is None:
        return round_to_grid(weight, limits)
    left = np.ascontiguousarray(weight[:, order].T)  # a column of the weights is contiguous
    rounded = np.empty_like(left)
    for j, row in enumerate(left):
        rounded[j] = round_to_grid(row, limits)
        left[j + 1 :] -= np.outer(factor[j, j + 1 :], (row - rounded[j]) / factor[j, j])
    result = np.empty_like(weight)
    result[:, order] = rounded.T
    return result

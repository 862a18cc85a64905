"""How the sources of a projection are active together: second moments of what a membrane keeps of their spikes.

::

    c' = beta c + s          x' = alpha x + c'          H = E x x^T over samples, steps and places of a map

with the spikes s, and alpha and beta of the target (beta = 0 without a synaptic current). A reset cuts x short; that
is left out, for it depends on the weights that H is there to round.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.graph import Convolution
from neurodeploy.membrane import FloatPopulation
from neurodeploy.scaling import Floats
from neurodeploy.wiring import Synapse

#: Sources whose moments are kept together; a wider projection takes several such blocks.
_BLOCK = 512
#: Observations of one block: rows of x beyond this many are thinned evenly.
_ROWS = 16384
#: Added to the diagonal of H, as a share of its mean: sources that were silent in calibration stay near the nearest.
_DAMPING = 0.01
#: Cells of x held at a time.
_CELLS = 1 << 25


@dataclass(frozen=True, eq=False)
class Block:
    """The moments [columns, columns] of some columns of a weight matrix [out, in], for some of its rows."""

    rows: slice
    columns: slice
    matrix: Floats

    @cached_property
    def order(self) -> npt.NDArray[np.int64]:
        """The columns from the most active source to the least."""
        return np.argsort(-np.diag(self.matrix), kind="stable")

    @cached_property
    def factor(self) -> Floats | None:
        """The upper factor of the inverse of the moments in that order, damped; None where no source was active."""
        mean = float(np.trace(self.matrix)) / len(self.matrix)
        if mean <= 0:
            return None
        damped = self.matrix[np.ix_(self.order, self.order)] + np.eye(len(self.matrix)) * (_DAMPING * mean)
        return np.asarray(np.linalg.cholesky(np.linalg.inv(damped)).T)


@dataclass(frozen=True, eq=False)
class Moments:
    """The moments of the sources of one projection, in blocks that cover its weight matrix."""

    blocks: tuple[Block, ...]


def moments_of(population: FloatPopulation, spikes: Mapping[str, npt.NDArray[Any]]) -> dict[str, Moments]:
    """Return projection -> moments for the projections into a population.

    Parameters
    ----------
    spikes : source -> what it sent, [samples, steps, *shape].
    """
    alpha = float(np.mean(population.step.alpha))
    beta = 0.0 if population.step.beta is None else float(np.mean(population.step.beta))
    return {path.name: _moments(path, filtered(_few(spikes[path.source]), alpha, beta)) for path in population.paths}


def filtered(spikes: npt.NDArray[Any], alpha: float, beta: float) -> npt.NDArray[np.float32]:
    """Return what a membrane keeps of each source, float32 [samples, steps, *shape]."""
    kept = np.empty(spikes.shape, dtype=np.float32)
    current = membrane = np.zeros(spikes[:, 0].shape, dtype=np.float32)
    for step in range(spikes.shape[1]):
        current = np.float32(beta) * current + spikes[:, step]
        membrane = np.float32(alpha) * membrane + current
        kept[:, step] = membrane
    return kept


def _few(spikes: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the samples whose filtered spikes fit the memory meant for them; at least one."""
    return spikes[: max(1, _CELLS // math.prod(spikes.shape[1:]))]


def _moments(path: Synapse, kept: npt.NDArray[np.float32]) -> Moments:
    out = len(path.node.weight)
    if not isinstance(path.node, Convolution):
        rows = kept.reshape(-1, math.prod(kept.shape[2:]))
        return Moments(tuple(_blocks(slice(0, out), _thinned(rows))))
    groups = path.node.groups
    each, channels = out // groups, kept.shape[2] // groups
    blocks: list[Block] = []
    for group in range(groups):
        part = kept[:, :, group * channels : (group + 1) * channels]
        blocks += _blocks(slice(group * each, (group + 1) * each), _patches(path.node, part))
    return Moments(tuple(blocks))


def _blocks(rows: slice, seen: npt.NDArray[np.float32]) -> list[Block]:
    found = []
    for start in range(0, seen.shape[1], _BLOCK):
        columns = slice(start, min(start + _BLOCK, seen.shape[1]))
        part = seen[:, columns]
        found.append(Block(rows, columns, (part.T @ part).astype(np.float64) / len(part)))
    return found


def _patches(node: Convolution, kept: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return what the kernel of one group sees, [observations, channels * kernel_h * kernel_w]."""
    reach = tuple((taps - 1) * gap + 1 for taps, gap in zip(node.weight.shape[2:], node.dilation, strict=True))
    maps = np.pad(kept.reshape(-1, *kept.shape[2:]), ((0, 0), (0, 0), *node.padding))
    windows = np.lib.stride_tricks.sliding_window_view(maps, reach, axis=(2, 3))
    windows = windows[:, :, :: node.stride[0], :: node.stride[1], :: node.dilation[0], :: node.dilation[1]]
    thinned = windows[:: max(1, len(maps) * math.prod(windows.shape[2:4]) // _ROWS)]
    return _thinned(thinned.transpose(0, 2, 3, 1, 4, 5).reshape(-1, maps.shape[1] * math.prod(windows.shape[4:])))


def _thinned(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return rows[:: max(1, len(rows) // _ROWS)]

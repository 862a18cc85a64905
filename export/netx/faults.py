"""What lava-dl 0.6.0 makes of a dense layer's weights: where its loader is exact, and where it spoils them.

The loader chooses a sign mode for the whole layer and shifts its weights up to fill eight bits; the Dense process then
chooses a sign mode of its own for each matrix, clips to it, drops low bits, sums, and shifts the sum back. Where the
two modes differ, or a minimum becomes -256 without a positive weight beside it, weights come out smaller or as zeros.
Convolutions pass through none of this. Source: ``netx/utils.py`` and ``blocks/process.py`` of lava-dl 0.6.0,
``dense/models.py`` and ``utils/weightutils.py`` of lava-nc 0.10.0; checked against runs of both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Weights = npt.NDArray[np.int64]

#: What the loader holds a matrix of mixed signs to.
MIXED_RANGE = (-256, 254)
_BITS = 8


class Fault(NamedTuple):
    """Weights that would run with other values.

    Attributes
    ----------
    total : how many.
    matrix : 0 for the layer's weights, 1 for its recurrent ones.
    place : (row, column) of the first.
    stored, runs : its value in the file and in the simulation; None where loading fails.
    """

    total: int
    matrix: int
    place: tuple[int, int]
    stored: int
    runs: float | None

    def __str__(self) -> str:
        where = f"weight{'_rec' * self.matrix}[{self.place[0]}, {self.place[1]}]"
        if self.runs is None:
            return "all weights are 0, which its loader cannot scale"
        others = f" and {self.total - 1:,} more weights differ" if self.total > 1 else ""
        return f"{where} is {self.stored} and would run as {self.runs:g}{others}"


def clipped(matrices: Sequence[Weights]) -> list[Weights]:
    """Return the matrices of one layer within the range that the loader clips them to, with a printed warning."""
    low = min(int(m.min(initial=0)) for m in matrices)
    high = max(int(m.max(initial=0)) for m in matrices)
    beyond = low < 0 < high and (high > MIXED_RANGE[1] or low < MIXED_RANGE[0])
    return [np.clip(m, *MIXED_RANGE) for m in matrices] if beyond else list(matrices)


def fault(matrices: Sequence[Weights], *, shifted_back: bool = True) -> Fault | None:
    """Return the first weight of a layer's matrices that would not run as it stands, or None where all do.

    Parameters
    ----------
    matrices : int64 [out, in] each: weight, and weight_rec of a recurrent layer.
    shifted_back : False where the sums are not shifted back: a recurrent layer with delays.
    """
    joint = np.hstack(matrices)
    if not joint.size:
        return None
    if not joint.any():
        return Fault(joint.size, 0, (0, 0), 0, None)
    shift, bits = _scaling(joint)
    firsts, total = [], 0
    for index, matrix in enumerate(matrices):
        runs = _held(matrix << shift if shift >= 0 else matrix * 0, bits) / (2.0**shift if shifted_back else 1.0)
        places = np.argwhere(runs != matrix)
        total += len(places)
        if len(places):
            row, column = (int(i) for i in places[0])
            firsts.append((index, (row, column), int(matrix[row, column]), float(runs[row, column])))
    return Fault(total, *firsts[0]) if firsts else None


def _scaling(joint: Weights) -> tuple[int, int]:
    """Return by how many bits the loader shifts a layer's weights up, and how many bits it says they then have."""
    high, low = int(joint.max()), int(joint.min())
    mixed = high >= 0 > low
    with np.errstate(divide="ignore"):
        if mixed:
            scale = np.min([np.float64(127) / high, np.float64(-128) / low])
        else:
            scale = np.float64(255) / high if low >= 0 else np.float64(-256) / low
    shift = int(np.floor(np.log2(scale))) + mixed
    low_zeros = next((n for n in range(_BITS, 0, -1) if not (joint & ((1 << n) - 1)).any()), 0)
    return shift, _BITS - shift - (low_zeros - mixed)


def _held(weight: Weights, bits: int) -> Weights:
    """Return the weights that a Dense process keeps when told ``bits`` and left to find the sign mode."""
    inhibitory = bool(weight.max(initial=0) <= 0 and weight.min(initial=0) < 0)
    mixed = bool(weight.min(initial=0) < 0) and not inhibitory
    size = np.clip(-weight if inhibitory else weight, -256 if mixed else 0, 255)
    dropped = _BITS - bits + mixed
    # NumPy shifts an integer by a negative count to 0.
    kept = (size >> dropped) << dropped if dropped >= 0 else np.zeros_like(size)
    return -kept if inhibitory else kept

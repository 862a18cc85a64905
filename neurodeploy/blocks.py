"""Cuts what spans samples and steps into blocks small enough to hold, in the order in which they lie in memory."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy.typing as npt

#: Cells of a block: temporary arrays of a few bytes a cell stay far below what any machine has.
BLOCK_CELLS = 1 << 24

Block = tuple[slice, slice]


def blocks(samples: int, steps: int, cells: int, limit: int = BLOCK_CELLS) -> Iterator[Block]:
    """Yield (samples, steps) slices of about ``limit`` cells: whole samples where they fit, else steps of one sample.

    Parameters
    ----------
    cells : of one step of one sample.
    """
    whole = limit // max(1, steps * cells)
    if whole:
        for start in range(0, samples, whole):
            yield slice(start, min(start + whole, samples)), slice(0, steps)
        return
    length = max(1, limit // max(1, cells))
    for sample in range(samples):
        for start in range(0, steps, length):
            yield slice(sample, sample + 1), slice(start, min(start + length, steps))


def blocks_of(values: npt.NDArray[Any]) -> Iterator[Block]:
    """Yield the blocks of an array [samples, steps, *shape]."""
    samples, steps, *shape = values.shape
    return blocks(samples, steps, math.prod(shape))

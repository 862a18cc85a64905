"""How sure an accuracy is: 95 % intervals of a share, and of the difference of two shares on the same samples."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Flags = npt.NDArray[np.bool_]

#: Standard deviations to either side that hold 95 % of a normal distribution.
_Z = 1.959964


def share_interval(hits: int, samples: int) -> tuple[float, float]:
    """Return the interval of Wilson (1927) for the share ``hits / samples``."""
    share, spread = hits / samples, _Z**2 / samples
    middle = (share + spread / 2) / (1 + spread)
    half = _Z / (1 + spread) * math.sqrt(share * (1 - share) / samples + spread / (4 * samples))
    return max(0.0, middle - half), min(1.0, middle + half)


def difference_interval(first: Flags, second: Flags) -> tuple[float, float]:
    """Return the interval of ``mean(second) - mean(first)`` for answers to the same samples, right or wrong.

    Agresti and Min (2005): half a sample is added to each of the four outcomes before the interval of Wald is taken.
    """
    gained = int((~first & second).sum()) + 0.5
    lost = int((first & ~second).sum()) + 0.5
    samples = len(first) + 2
    middle = (gained - lost) / samples
    half = _Z * math.sqrt(gained + lost - (gained - lost) ** 2 / samples) / samples
    return max(-1.0, middle - half), min(1.0, middle + half)

"""What the fused loops of every device are compiled for, and the numbers that they calculate with."""

from __future__ import annotations

import math

from neurodeploy.models.spiking.dynamics import CHARGES, Dynamics

#: The charge that takes the reciprocal of tau, beside those of :data:`CHARGES`.
HALVES = len(CHARGES)


def charge_of(dynamics: Dynamics, factor: float) -> int:
    """Return the kind of charge that loops are compiled for: the place in ``CHARGES``, or ``HALVES``."""
    if dynamics.charge == "mean" and math.frexp(factor)[0] == 0.5:
        return HALVES  # dividing by a power of two is multiplying, to the bit
    return CHARGES.index(dynamics.charge)


def constants(dynamics: Dynamics, factor: float, threshold: float) -> tuple[float, ...]:
    """Return what loops calculate with: factor, inverse, threshold, width, height, steep, to_x, to_v.

    ``height`` and ``steep`` are those of the surrogate's slope; ``to_x`` and ``to_v`` are the derivatives of the
    charged potential.
    """
    width = dynamics.width
    to_x, to_v = {
        "decay": (1.0, factor),
        "mean": (1.0 / factor, 1.0 - 1.0 / factor) if factor else (0.0, 0.0),
        "memoryless": (factor, 0.0),
    }[dynamics.charge]
    height = {"atan": width / 2, "rectangle": 1 / (2 * width)}.get(dynamics.surrogate, 1.0)
    return factor, 1.0 / (factor or 1.0), threshold, width, height, width * math.pi / 2, to_x, to_v

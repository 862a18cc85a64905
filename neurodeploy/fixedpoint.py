"""The integer arithmetic of a Loihi-style neuron: decay, wrap, saturation, and the widths they stem from.

Source of the widths and rules: the bit-accurate process models of lava-nc 0.10.0, checked against runs of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.integer[Any]]

#: One weight unit is this many bits above one unit of ``u`` and ``v``; the threshold mantissa is scaled alike.
STATE_SHIFT = 6
#: Bits of ``u`` and ``v``, sign included; a chip file may say less.
STATE_BITS = 24
#: ``u`` lives in (-2^23, 2^23], ``v`` in [-(2^23 - 1), 2^23 - 1].
STATE_LIMIT = 1 << (STATE_BITS - 1)
#: A decay of this much forgets everything in one step.
DECAY_ONE = 4096
#: The largest threshold mantissa (17 bits); such a neuron fires only where ``v`` exceeds 8,388,544.
THRESHOLD_MAX = (1 << 17) - 1
#: The largest value of a 32-bit register.
REGISTER_MAX = (1 << 31) - 1
#: Beyond this sum of inputs the 32-bit register that Lava shifts by six bits overflows.
INPUT_LIMIT = REGISTER_MAX >> STATE_SHIFT


def decay(state: npt.NDArray[np.int64], amount: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Return ``state * (4096 - amount) / 4096``, rounded toward zero; amount in 0..4096."""
    product = state * (DECAY_ONE - np.asarray(amount, dtype=np.int64))
    rounded: npt.NDArray[np.int64] = np.sign(product) * (np.abs(product) >> 12)
    return rounded


def wrap(current: npt.NDArray[np.int64], limit: int = STATE_LIMIT) -> npt.NDArray[np.int64]:
    """Return the current wrapped ONCE by 2 ``limit`` into (-limit, limit]: +2^23 is legal, -2^23 is not.

    A current more than one range away stays outside, as it does in Lava.
    """
    over = np.where(current > limit, current - 2 * limit, current)
    wrapped: npt.NDArray[np.int64] = np.where(current <= -limit, current + 2 * limit, over)
    return wrapped


def saturate(potential: npt.NDArray[np.int64], limit: int = STATE_LIMIT) -> npt.NDArray[np.int64]:
    """Return the membrane potential held within [-(limit - 1), limit - 1]."""
    return np.clip(potential, 1 - limit, limit - 1)


def shift(value: npt.NDArray[np.int64], exponent: int) -> npt.NDArray[np.int64]:
    """Return ``value * 2^exponent``; a negative exponent rounds toward minus infinity."""
    return value << exponent if exponent >= 0 else value >> -exponent

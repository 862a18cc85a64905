"""How one population's float values become integers: the scale they share, and the rounding of each.

With ``scale`` weight units to one float unit of the membrane and an exponent e shared by the population's projections,

::

    weight    = round(w * scale / 2^e)          on the grid of the chip's weight format
    threshold = round(theta * scale)            fires where v > 64 threshold
    bias      = round(64 b * scale / 2^x)       the smallest exponent x that fits the mantissa
    decay     = round(4096 (1 - alpha))

Any positive scale gives the same network in exact arithmetic, one for all neurons or one a channel;
:mod:`neurodeploy.clipping` says how it is chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from neurodeploy.fixedpoint import DECAY_ONE, STATE_SHIFT
from neurodeploy.targets.chip import Formats

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
SignMode = Literal["mixed", "excitatory", "inhibitory"]

#: Weights that are rounded at a time.
_BLOCK = 1 << 20
#: The exponent is raised until the smallest threshold has this many units: a rounding error of at most 0.1 %.
_THRESHOLD_UNITS = 512


@dataclass(frozen=True, eq=False)
class Scaling:
    """``scale`` membrane units (of 64 state units) to one float unit, and the exponent its weights carry.

    Attributes
    ----------
    channels : output channel -> factor on ``scale``, float64 [channels]; None where all have the same.
    """

    scale: float
    exponent: int
    channels: Floats | None = None

    @property
    def weight_scale(self) -> float:
        """Weight units to one float unit, before the exponent."""
        return self.scale / 2.0**self.exponent

    def of_weights(self, weight: npt.NDArray[np.generic]) -> Floats:
        """Return the weight units to one float unit so that they broadcast to weights [out, ...]."""
        if self.channels is None:
            return np.asarray(self.weight_scale)
        rows = np.repeat(self.channels, len(weight) // len(self.channels))
        return self.weight_scale * rows.reshape(-1, *([1] * (weight.ndim - 1)))

    def of_neurons(self, shape: tuple[int, ...]) -> Floats:
        """Return the membrane units to one float unit so that they broadcast to a population of this shape."""
        if self.channels is None:
            return np.asarray(self.scale)
        return self.scale * self.channels.reshape(-1, *([1] * (len(shape) - 1)))


def sign_mode(weight: Floats) -> SignMode:
    """Return the sign mode a weight array can use; without a negative weight one bit more is left for size."""
    if (weight >= 0).all():
        return "excitatory"
    return "inhibitory" if (weight <= 0).all() else "mixed"


def grid(mode: SignMode, formats: Formats) -> tuple[int, int, int]:
    """Return the smallest and largest weight of a sign mode and the step between them.

    A chip without a format for weights of one sign keeps them among those of both.
    """
    if not formats.unsigned_maximum:
        mode = "mixed"
    return {
        "mixed": (formats.signed_minimum, formats.signed_maximum, formats.signed_step),
        "excitatory": (0, formats.unsigned_maximum, formats.unsigned_step),
        "inhibitory": (-formats.unsigned_maximum, 0, formats.unsigned_step),
    }[mode]


def round_to_grid(scaled: Floats, limits: tuple[int, int, int]) -> Floats:
    """Return the nearest values of a grid (smallest, largest, step), half to even, clipped at its ends."""
    low, high, step = limits
    rounded = np.clip(scaled, low, high)
    rounded -= low
    rounded /= step
    np.rint(rounded, out=rounded)
    rounded *= step
    rounded += low
    return rounded


def round_weights(weight: Floats, weight_scale: float | Floats, formats: Formats) -> Ints:
    """Return the nearest weights of the chip's format, half to even, clipped at its ends."""
    limits = grid(sign_mode(weight), formats)
    rounded = np.empty(weight.shape, dtype=np.int64 if weight.size < _BLOCK else np.int32)
    rows, scales = max(1, _BLOCK * len(weight) // max(weight.size, 1)), np.asarray(weight_scale)
    for start in range(0, len(weight), rows):
        part = slice(start, start + rows)
        rounded[part] = round_to_grid(weight[part] * (scales[part] if scales.ndim else scales), limits)
    rounded.setflags(write=False)
    return rounded


def scaling_of(
    weight_scale: float, smallest_threshold: float, largest_threshold: float, formats: Formats, headroom: int = 0
) -> Scaling:
    """Return a weight scale with the exponent that gives the threshold at least 512 units where its format allows.

    Parameters
    ----------
    headroom : halves the result that many times, for populations whose state left its range.
    """
    exponent = 0
    while (
        smallest_threshold * weight_scale * 2.0**exponent < _THRESHOLD_UNITS
        and exponent < formats.weight_exponent_maximum
        and largest_threshold * weight_scale * 2.0 ** (exponent + 1) <= formats.threshold_maximum
    ):
        exponent += 1
    spare = min(exponent, headroom)
    weight_scale /= 2.0 ** (headroom - spare)
    return held(Scaling(weight_scale * 2.0 ** (exponent - spare), exponent - spare), largest_threshold, formats)


def held(scaling: Scaling, largest_threshold: float, formats: Formats) -> Scaling:
    """Return the scaling, smaller where its largest threshold would exceed the format."""
    limit = formats.threshold_maximum / largest_threshold if largest_threshold > 0 else np.inf
    return replace(scaling, scale=float(min(scaling.scale, limit)))


def fitting_scale(weights: Sequence[Floats], formats: Formats) -> float:
    """Return the largest scale at which no weight is clipped."""
    limits = []
    for weight in weights:
        low, high, _ = grid(sign_mode(weight), formats)
        top, bottom = float(weight.max(initial=0.0)), float(weight.min(initial=0.0))
        limits += [high / top] if top > 0 else []
        limits += [low / bottom] if bottom < 0 else []
    return min((limit for limit in limits if limit > 0), default=1.0)


def round_threshold(threshold: Floats, scale: float | Floats, *, strict: bool) -> Ints:
    """Return threshold mantissas; firing at equality (not strict) becomes firing above the next smaller integer."""
    scaled = threshold * scale
    return np.maximum(np.rint(scaled) if strict else np.ceil(scaled) - 1, 0).astype(np.int64)


def round_decay(kept: Floats, formats: Formats) -> Ints:
    """Return the 12-bit decay of a factor ``kept`` per step."""
    return np.rint((1.0 - kept) * DECAY_ONE).clip(0, formats.decay_one).astype(np.int64)


def round_bias(bias: Floats, scale: float | Floats, formats: Formats) -> tuple[Ints, int]:
    """Return bias mantissas and the smallest exponent at which all fit; values beyond the format are clipped."""
    units = bias * scale * 2.0**STATE_SHIFT
    exponent = formats.bias_exponent_minimum
    while np.abs(np.rint(units / 2.0**exponent)).max(initial=0) > formats.bias_maximum:
        if exponent == formats.bias_exponent_maximum:
            break
        exponent += 1
    mantissa = np.rint(units / 2.0**exponent).clip(-formats.bias_maximum, formats.bias_maximum)
    return mantissa.astype(np.int64), exponent

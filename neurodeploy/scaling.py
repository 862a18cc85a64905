"""How one population's float values become integers: the scale they share, and the rounding of each.

With ``scale`` weight units to one float unit of the membrane and an exponent e shared by the population's projections,

::

    weight    = round(w * scale / 2^e)          on the grid of the chip's weight format
    threshold = round(theta * scale)            fires where v > 64 threshold
    bias      = round(64 b * scale / 2^x)       the smallest exponent x that fits the mantissa
    decay     = round(4096 (1 - alpha))

Any positive scale gives the same network in exact arithmetic; it is chosen so that the weights fill their format.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from neurodeploy.fixedpoint import DECAY_ONE, STATE_SHIFT
from neurodeploy.targets.chip import Formats

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
SignMode = Literal["mixed", "excitatory", "inhibitory"]

#: The scale is tried at the one that just holds the largest weight and at these multiples, which clip the largest few.
_CLIP_RATIOS = np.linspace(1.0, 2.0, 21)
#: Weights of one projection on which that scale is chosen, at most; and those that are rounded at a time.
_SAMPLE, _BLOCK = 1 << 20, 1 << 20
#: The exponent is raised until the smallest threshold has this many units: a rounding error of at most 0.1 %.
_THRESHOLD_UNITS = 512


@dataclass(frozen=True)
class Scaling:
    """``scale`` membrane units (of 64 state units) to one float unit, and the exponent its weights carry."""

    scale: float
    exponent: int

    @property
    def weight_scale(self) -> float:
        """Weight units to one float unit, before the exponent."""
        return self.scale / 2.0**self.exponent


def sign_mode(weight: Floats) -> SignMode:
    """Return the sign mode a weight array can use; without a negative weight one bit more is left for size."""
    if (weight >= 0).all():
        return "excitatory"
    return "inhibitory" if (weight <= 0).all() else "mixed"


def grid(mode: SignMode, formats: Formats) -> tuple[int, int, int]:
    """Return the smallest and largest weight of a sign mode and the step between them."""
    return {
        "mixed": (formats.signed_minimum, formats.signed_maximum, formats.signed_step),
        "excitatory": (0, formats.unsigned_maximum, 1),
        "inhibitory": (-formats.unsigned_maximum, 0, 1),
    }[mode]


def round_weights(weight: Floats, weight_scale: float, formats: Formats) -> Ints:
    """Return the nearest weights of the chip's format, half to even, clipped at its ends."""
    limits = grid(sign_mode(weight), formats)
    rounded = np.empty(weight.shape, dtype=np.int64 if weight.size < _BLOCK else np.int32)
    rows = max(1, _BLOCK * len(weight) // max(weight.size, 1))
    for start in range(0, len(weight), rows):
        rounded[start : start + rows] = _on_grid(weight[start : start + rows], weight_scale, limits)
    rounded.setflags(write=False)
    return rounded


def _on_grid(weight: Floats, weight_scale: float, limits: tuple[int, int, int]) -> Floats:
    low, high, step = limits
    scaled = weight * weight_scale
    np.clip(scaled, low, high, out=scaled)
    scaled /= step
    np.rint(scaled, out=scaled)
    scaled *= step
    return scaled


def choose_scaling(
    weights: Sequence[Floats], smallest_threshold: float, largest_threshold: float, formats: Formats, headroom: int = 0
) -> Scaling:
    """Return the scaling of a population.

    The weight scale minimises the squared rounding and clipping error over all its weights; the exponent gives the
    threshold at least 512 units where its format allows. ``headroom`` halves the result that many times, for
    populations whose state left its range in calibration.
    """
    fitting = _fitting_scale(weights, formats)
    candidates = [fitting * ratio for ratio in _CLIP_RATIOS] if weights else [1.0]
    drawn = [(_drawn(weight), grid(sign_mode(weight), formats)) for weight in weights]
    weight_scale = min(candidates, key=lambda scale: _squared_error(drawn, scale))
    exponent = 0
    while (
        smallest_threshold * weight_scale * 2.0**exponent < _THRESHOLD_UNITS
        and exponent < formats.weight_exponent_maximum
        and largest_threshold * weight_scale * 2.0 ** (exponent + 1) <= formats.threshold_maximum
    ):
        exponent += 1
    spare = min(exponent, headroom)
    weight_scale /= 2.0 ** (headroom - spare)
    limit = formats.threshold_maximum / largest_threshold if largest_threshold > 0 else np.inf
    scale = float(min(weight_scale * 2.0 ** (exponent - spare), limit))
    return Scaling(scale, exponent - spare)


def _fitting_scale(weights: Sequence[Floats], formats: Formats) -> float:
    """Return the largest scale at which no weight is clipped."""
    limits = []
    for weight in weights:
        low, high, _ = grid(sign_mode(weight), formats)
        top, bottom = float(weight.max(initial=0.0)), float(weight.min(initial=0.0))
        limits += [high / top] if top > 0 else []
        limits += [low / bottom] if bottom < 0 else []
    return min(limits, default=1.0)


def _drawn(weight: Floats) -> Floats:
    """Return the weights, or of very many an even sample: it decides how far to clip as well as all of them."""
    step = -(-weight.size // _SAMPLE)
    # A step that shares no factor with a power of two visits every column of the usual matrices.
    return weight if step == 1 else weight.reshape(-1)[:: step | 1]


def _squared_error(weights: Sequence[tuple[Floats, tuple[int, int, int]]], scale: float) -> float:
    return sum(float(np.square(_on_grid(w, scale, limits) / scale - w).sum()) for w, limits in weights)


def round_threshold(threshold: Floats, scale: float, *, strict: bool) -> Ints:
    """Return threshold mantissas; firing at equality (not strict) becomes firing above the next smaller integer."""
    scaled = threshold * scale
    return np.maximum(np.rint(scaled) if strict else np.ceil(scaled) - 1, 0).astype(np.int64)


def round_decay(kept: Floats, formats: Formats) -> Ints:
    """Return the 12-bit decay of a factor ``kept`` per step."""
    return np.rint((1.0 - kept) * DECAY_ONE).clip(0, formats.decay_one).astype(np.int64)


def round_bias(bias: Floats, scale: float, formats: Formats) -> tuple[Ints, int]:
    """Return bias mantissas and the smallest exponent at which all fit; values beyond the format are clipped."""
    units = bias * scale * 2.0**STATE_SHIFT
    exponent = formats.bias_exponent_minimum
    while np.abs(np.rint(units / 2.0**exponent)).max(initial=0) > formats.bias_maximum:
        if exponent == formats.bias_exponent_maximum:
            break
        exponent += 1
    mantissa = np.rint(units / 2.0**exponent).clip(-formats.bias_maximum, formats.bias_maximum)
    return mantissa.astype(np.int64), exponent

"""Where the largest weights of a population are clipped, so that the others are rounded less.

::

    none        the largest weight is the largest of the format
    mse         the scale with the least squared error of rounding and clipping, over all weights
    percentile  the largest thousandth of the weights is clipped

Each is a weight scale; :mod:`neurodeploy.candidates` measures which one the spikes like best.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from neurodeploy.membrane import FloatPopulation
from neurodeploy.scaling import Floats, Scaling, fitting_scale, grid, held, round_to_grid, scaling_of, sign_mode
from neurodeploy.targets.chip import Formats

Clipping = Literal["none", "mse", "percentile"]

#: The scale is tried at the one that just holds the largest weight and at these multiples, which clip the largest few.
_RATIOS = np.linspace(1.0, 2.0, 21)
#: Coarse grids gain from clipping far more.
_COARSE_RATIOS = np.concatenate([_RATIOS, np.linspace(2.2, 6.0, 20)])
_COARSE_BITS = 4
#: Weights of one projection on which a scale is chosen, at most.
_SAMPLE = 1 << 20
#: Share of the weights that the rule ``percentile`` keeps from being clipped.
_KEPT = 0.999
#: Channels are scaled up by at most this much against the one with the largest weights.
_LARGEST_FACTOR = 8.0


def _none(weights: Sequence[Floats], formats: Formats) -> float:
    return fitting_scale(weights, formats)


def _mse(weights: Sequence[Floats], formats: Formats) -> float:
    ratios = _COARSE_RATIOS if formats.weight_bits <= _COARSE_BITS else _RATIOS
    candidates = [fitting_scale(weights, formats) * ratio for ratio in ratios]
    drawn = [(_drawn(weight), grid(sign_mode(weight), formats)) for weight in weights]
    return float(min(candidates, key=lambda scale: _squared_error(drawn, scale)))


def _percentile(weights: Sequence[Floats], formats: Formats) -> float:
    size = np.concatenate([np.abs(_drawn(weight)).reshape(-1) for weight in weights])
    kept, largest = float(np.quantile(size, _KEPT)), float(size.max())
    return fitting_scale(weights, formats) * (largest / kept if kept > 0 else 1.0)


def _drawn(weight: Floats) -> Floats:
    """Return the weights, or of very many an even sample: it decides how far to clip as well as all of them."""
    step = -(-weight.size // _SAMPLE)
    # A step that shares no factor with a power of two visits every column of the usual matrices.
    return weight if step <= 1 else weight.reshape(-1)[:: step | 1]


def _squared_error(weights: Sequence[tuple[Floats, tuple[int, int, int]]], scale: float) -> float:
    return sum(float(np.square(round_to_grid(w * scale, limits) / scale - w).sum()) for w, limits in weights)


#: Rule -> the weight scale it gives some weights, of which at least one is not 0.
CLIPPINGS: dict[Clipping, Callable[[Sequence[Floats], Formats], float]] = {
    "none": _none,
    "mse": _mse,
    "percentile": _percentile,
}


def choose_scaling(
    weights: Sequence[Floats],
    smallest_threshold: float,
    largest_threshold: float,
    formats: Formats,
    headroom: int = 0,
    clipping: Clipping = "mse",
) -> Scaling:
    """Return the scaling of a population: its weight scale by the rule ``clipping``, and the exponent to it.

    Parameters
    ----------
    weights : those of its projections, without any that are all 0.
    headroom : halves the scale that many times, for populations whose state left its range.
    """
    weight_scale = CLIPPINGS[clipping](weights, formats) if weights else 1.0
    return scaling_of(weight_scale, smallest_threshold, largest_threshold, formats, headroom)


def population_scaling(
    population: FloatPopulation, formats: Formats, clipping: Clipping, headroom: int = 0, groups: int = 1
) -> Scaling:
    """Return the scaling of a population, by output channel where ``groups`` of more than one are allowed."""
    positive = population.threshold[population.threshold > 0]
    smallest = float(positive.min(initial=np.inf)) if positive.size else 1.0
    largest = float(population.threshold.max())
    weights = [w for w in population.weights if w.any()]
    if groups == 1 or not weights:
        return choose_scaling(weights, smallest, largest, formats, headroom, clipping)
    factors, base = _by_channel(population, weights, formats, clipping, groups)
    scaling = scaling_of(base, smallest, largest * float(factors.max()), formats, headroom)
    return held(Scaling(scaling.scale, scaling.exponent, factors), largest * float(factors.max()), formats)


def _by_channel(
    population: FloatPopulation, weights: Sequence[Floats], formats: Formats, clipping: Clipping, groups: int
) -> tuple[Floats, float]:
    """Return at most ``groups`` different factors [channels], the smallest 1, and the weight scale they multiply."""
    channels = population.shape[0]
    if any(sign_mode(weight) == "mixed" for weight in weights):
        formats = replace(formats, unsigned_maximum=0)  # a row of one sign lies on the grid of its projection
    own = np.empty(channels)
    for channel in range(channels):
        rows = [w.reshape(channels, -1)[channel] for w in weights]
        held_rows = [row for row in rows if row.any()]
        own[channel] = CLIPPINGS[clipping](held_rows, formats) if held_rows else np.inf
    base = float(own.min())
    ratios = np.minimum(own / base, _LARGEST_FACTOR)
    levels = np.geomspace(1.0, max(float(ratios.max()), 1.0), groups)
    return levels[np.searchsorted(levels, ratios * (1 + 1e-9), side="right") - 1], base

"""What to try for the population that costs most, from what its figures say; the first rule that holds speaks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Row = Mapping[str, Any]

#: From here on a rounded threshold, a time constant or the sums of weights are felt.
_THRESHOLD_UNITS, _TIME_CONSTANT, _SQNR = 50, 0.02, 25.0


def _left_range(row: Row) -> bool:
    return bool(row["registers"]["wraps"] or row["registers"]["clips"])


def _coarse_threshold(row: Row) -> bool:
    return bool(row["spiking"]) and 0 < row["threshold_units"] < _THRESHOLD_UNITS


def _coarse_decay(row: Row) -> bool:
    return any(parameter.get("time_constant_error", 0.0) > _TIME_CONSTANT for parameter in row["parameters"])


def _coarse_weights(row: Row) -> bool:
    return row["weight_sqnr_db"] is not None and row["weight_sqnr_db"] < _SQNR


def _coarse_by_channel(row: Row) -> bool:
    return _coarse_weights(row) and row["plan"]["groups"] > 1


def _inherits(row: Row) -> bool:
    return bool(row["own_distance"] < row["distance"] / 2)


_RULES: tuple[tuple[Callable[[Row], bool], str], ...] = (
    (
        _left_range,
        "its registers leave their range: --ranges every-input scales it down, shorter samples or smaller weights help",
    ),
    (
        _coarse_threshold,
        "its threshold is {threshold_units} units: a chip with a larger weight exponent, or fewer clipped weights "
        "(--clipping percentile), gives it more",
    ),
    (
        _coarse_decay,
        "a decay is rounded to 1/4096 and its time constant with it: train with a shorter time constant or a longer "
        "step",
    ),
    (
        _coarse_by_channel,
        "its {weight_bits}-bit weights carry a signal of {weight_sqnr_db:.0f} dB, scaled by channel already: more bits "
        "(--weight-bits auto finds where), or training with quantization",
    ),
    (
        _coarse_weights,
        "its {weight_bits}-bit weights carry a signal of {weight_sqnr_db:.0f} dB: more bits (--weight-bits auto finds "
        "where), --scales channel, or training with quantization",
    ),
    (
        _inherits,
        "its own integers are near to the float ones: it is sensitive to spikes that come early or late; more bits in "
        "the layers before it, or training with spike jitter",
    ),
)


def remedy(row: Row) -> str:
    """Return a sentence on what to try for a population.

    Parameters
    ----------
    row : of :func:`neurodeploy.diagnosis.diagnose`.
    """
    for holds, text in _RULES:
        if holds(row):
            return text.format(**row)
    return "none of its figures stands out: more calibration samples tell the plans apart better"

"""How figures are written in a report and on the terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

#: Power of ten -> SI prefix.
_PREFIXES = {9: "G", 6: "M", 3: "k", 0: "", -3: "m", -6: "µ", -9: "n", -12: "p", -15: "f"}

NONE = "–"


def rounded(value: float, digits: int) -> float:
    """Return ``value`` rounded to so many significant digits."""
    if value == 0 or not math.isfinite(value):
        return value
    return round(value, digits - 1 - math.floor(math.log10(abs(value))))


def si(value: float, unit: str, digits: int = 3) -> str:
    """Return a quantity with an SI prefix and so many significant digits, such as ``3.2 µJ``."""
    value = rounded(value, digits)
    if value == 0 or not math.isfinite(value):
        return f"{value:g} {unit}"
    # Rounding carries floating-point dust: 9.999999e-7 would be given the wrong prefix.
    exponent = math.floor(math.log10(abs(value)) + 1e-12)
    power = min(max(3 * (exponent // 3), min(_PREFIXES)), max(_PREFIXES))
    decimals = max(0, digits - 1 - (exponent - power))
    return f"{round(value / 10**power, decimals):g} {_PREFIXES[power]}{unit}"


def bounds(interval: Mapping[str, float], unit: str, digits: int = 3) -> str:
    """Return ``low to high`` of an interval, or one figure where both read alike."""
    low, high = (si(interval[end], unit, digits) for end in ("low", "high"))
    if low == high:
        return low
    number, _, of_low = low.partition(" ")
    return f"{number} to {high}" if high.endswith(f" {of_low}") else f"{low} to {high}"


def count(value: float) -> str:
    """Return a count: thousands separated, and one decimal only for a mean that is small and not whole."""
    if float(value).is_integer() or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:,.1f}" if abs(value) >= 10 else f"{value:,.3g}"


def percent(share: float | None, decimals: int = 1) -> str:
    """Return a share as a percentage; a share that is none as a dash, a small one never as plain zero."""
    if share is None:
        return NONE
    if 0 < abs(share) * 100 < 0.5 * 10**-decimals:
        return f"{share * 100:.1g} %"
    return f"{share * 100:.{decimals}f} %"


def significant(value: float) -> str:
    """Return a bare number with four significant digits, or all those before the point."""
    whole = abs(value) < 1e15 and (float(value).is_integer() or abs(value) >= 1000)
    return f"{value:,.0f}" if whole else f"{value:.4g}"


def span(value: Any) -> str:
    """Return a value, or a range given as a pair, as ``low … high``."""
    if isinstance(value, list | tuple):
        return " … ".join(significant(end) for end in value)
    return NONE if value is None else significant(value)


def dimensions(shape: list[int]) -> str:
    """Return a shape as ``16 × 8 × 8``."""
    return " × ".join(map(str, shape))


def words(identifier: str) -> str:
    """Return an identifier as plain words."""
    return identifier.replace("_", " ")

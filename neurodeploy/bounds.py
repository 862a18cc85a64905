"""A quantity known within bounds, and how many of its digits mean anything."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Bounds:
    """A quantity with its low, nominal and high value."""

    low: float = 0.0
    nominal: float = 0.0
    high: float = 0.0

    def __add__(self, other: Bounds) -> Bounds:
        return Bounds(self.low + other.low, self.nominal + other.nominal, self.high + other.high)

    def __mul__(self, other: Bounds | float) -> Bounds:
        factor = other if isinstance(other, Bounds) else Bounds(other, other, other)
        return Bounds(self.low * factor.low, self.nominal * factor.nominal, self.high * factor.high)

    def at_least(self, other: Bounds) -> Bounds:
        """Return the larger of both, bound by bound."""
        return Bounds(max(self.low, other.low), max(self.nominal, other.nominal), max(self.high, other.high))

    def as_dict(self) -> dict[str, float]:
        """Return the three values by name."""
        return {"low": self.low, "nominal": self.nominal, "high": self.high}


def rounded(value: float, digits: int) -> float:
    """Return a value to so many significant digits."""
    return float(f"{value:.{digits - 1}e}")

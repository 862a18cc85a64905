"""Rounds in which every contestant runs, and what they say: medians and quartiles over rounds of ratios within one."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


class Runner(Protocol):
    """Who can be asked to run for some seconds."""

    name: str
    batch: int
    seconds: list[float]
    problem: str

    def run(self, least: float) -> list[float]:
        """Return seconds per sample of each run, none where it fails."""


@dataclass(frozen=True)
class Spread:
    """Median and quartiles of a quantity over rounds."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Return the spread of at least one value."""
        if len(values) == 1:
            return cls(values[0], values[0], values[0])
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(median, low, high)

    def as_dict(self) -> dict[str, float]:
        return {"median": self.median, "low": self.low, "high": self.high}


def interleave(
    everyone: Sequence[Any], rounds: int, least: float, tell: Callable[[int, Any], None] = lambda nth, one: None
) -> None:
    """Run everyone once in every round, each round beginning with another; who fails takes no further part.

    A turn lasts ``least`` seconds, one run at least, and counts as the median of its runs, so that a run of a
    millisecond is not judged by a single one. ``tell`` hears of every turn.
    """
    for nth in range(rounds):
        first = nth * len(everyone) // max(rounds, 1)
        for one in [*everyone[first:], *everyone[:first]]:
            if one.problem:
                continue
            if taken := one.run(least):
                one.seconds.append(statistics.median(taken))
            tell(nth, one)


def ratios(one: Sequence[float], other: Sequence[float]) -> list[float]:
    """Return round by round how many times as long as ``other`` ``one`` took."""
    return [a / b for a, b in zip(one, other, strict=True)]

"""Claims of the papers, as conditions on figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

#: Experiment -> figure -> its value for each seed.
Table = Mapping[str, Mapping[str, Sequence[float]]]


class Claim:
    """A sentence, when it holds of the figures, and which figures it is about."""

    def __init__(self, sentence: str, holds: Callable[[Table], bool], *about: tuple[str, str]) -> None:
        self.sentence, self.holds, self.about = sentence, holds, about


def mean(values: Sequence[float]) -> float:
    """Return the arithmetic mean."""
    return sum(values) / len(values)


def spelled(values: Sequence[float]) -> str:
    """Return mean and range."""
    return f"{mean(values):.1f} ({min(values):.1f} to {max(values):.1f})"

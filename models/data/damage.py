"""Files that cannot be read: skipped and counted up to a limit, refused beyond it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field

from neurodeploy.errors import InputError

_NAMED = 3  # damaged files named in a message


@dataclass
class Damage:
    """The damaged files met so far, of which ``limit`` may be skipped; ``found`` says what is wrong with each."""

    limit: int
    found: list[InputError] = field(default_factory=list)

    def add(self, error: InputError) -> None:
        """Count one more; raise :class:`InputError`, naming the first ones, where it is one too many."""
        self.found.append(error)
        number = len(self.found)
        if number > self.limit:
            advice = f"take it from the archive again, or set data.damaged_files to {number} or more to leave it out"
            raise InputError(f"{number} damaged file{'s' * (number > 1)}", self.names(), advice)

    def warn(self, dataset: str, skipped: int, of: int) -> None:
        """Warn that ``skipped`` of the samples are left out, where any are, and of the files known to be the cause."""
        if skipped:
            named = f" ({self.names()})" if self.found else ""
            text = f"{dataset}: {skipped} of {of} samples are left out, their files are damaged{named}"
            warnings.warn(text, RuntimeWarning, stacklevel=3)

    def names(self) -> str:
        """Return the first damaged files and what is wrong with each."""
        more = len(self.found) - _NAMED
        named = [f"{each.subject}: {each.problem}" for each in self.found[:_NAMED]]
        return "; ".join(named + ([f"and {more} more"] if more > 0 else []))

"""One line of a conformance report."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Verdict = Literal["holds", "fails", "not run"]


@dataclass(frozen=True)
class Row:
    """What one check of one case found.

    Attributes
    ----------
    case : folder name of the case.
    door : ``net.nir`` and ``expected.nir`` (the file under its declared reading), ``bare`` (the file with nothing
        said), ``malformed`` (a file that must be refused), ``checkpoint`` (weights and code of the framework).
    cells : answers (sample, step, neuron) that were compared, or None where nothing was to be compared.
    mismatches : how many of them differ.
    detail : what was found, in one line.
    """

    case: str
    door: str
    verdict: Verdict
    detail: str = ""
    cells: int | None = None
    mismatches: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)

"""All checks of all cases, in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from neurodeploy.conformance.case import Case
from neurodeploy.conformance.checkpoint import check_checkpoint
from neurodeploy.conformance.files import check_bare, check_files
from neurodeploy.conformance.malformed import Reader, check_malformed
from neurodeploy.conformance.row import Row
from neurodeploy.errors import NeurodeployError


def run_cases(cases: Iterable[Case], *, models: bool = True, samples: int | None = None) -> Iterator[Row]:
    """Yield the rows of every case.

    Parameters
    ----------
    models : also open checkpoints, which runs the ``model.py`` of a case.
    samples : compare only that many leading samples of each case; all if None. Accuracies need all.
    """
    with Reader() as reader:
        for case in cases:
            yield from run_case(case, reader, models=models, samples=samples)


def run_case(case: Case, reader: Reader, *, models: bool = True, samples: int | None = None) -> Iterator[Row]:
    """Yield the rows of one case; an error of ours is a row that fails, never the end of the run."""
    try:
        if case.malformed:
            yield from check_malformed(case, reader)
            return
        found = [*check_files(case, samples), *check_bare(case)]
        if models:
            found += check_checkpoint(case, samples)
        yield from found or [Row(case.name, "none", "not run", "the case has nothing that can be read here")]
    except NeurodeployError as error:
        yield Row(case.name, "case", "fails", str(error))

"""Conformance: networks with the spikes that their frameworks gave, held against every door of neurodeploy.

A folder of cases has one folder per case with a ``case.json`` that declares what holds for it; nothing is decided by a
case's name. :func:`run_cases` yields one :class:`Row` for every check of every case.
"""

from neurodeploy.conformance.case import Case, read_case, read_cases
from neurodeploy.conformance.checkpoint import runs_code
from neurodeploy.conformance.malformed import Reader
from neurodeploy.conformance.row import Row
from neurodeploy.conformance.run import run_case, run_cases

__all__ = ["Case", "Reader", "Row", "read_case", "read_cases", "run_case", "run_cases", "runs_code"]

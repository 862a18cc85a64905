"""Simulation of a float Graph in float64 under its declared semantics: what every other backend is measured against."""

from neurodeploy.targets.reference.record import record_run
from neurodeploy.targets.reference.simulation import margins, predecessors, run, run_node

__all__ = ["margins", "predecessors", "record_run", "run", "run_node"]

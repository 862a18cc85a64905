"""Lava, the witness: Intel's own simulator in an environment of its own, executed on our integer networks."""

from neurodeploy.targets.lava.session import Session
from neurodeploy.targets.lava.witness import run, run_many

__all__ = ["Session", "run", "run_many"]

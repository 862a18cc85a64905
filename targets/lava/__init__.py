"""Lava, the witness: Intel's own simulator in an environment of its own, executed on our integer networks."""

from neurodeploy.targets.lava.witness import run

__all__ = ["run"]

"""Integer networks in onnxruntime: an engine that is not ours, and the same numbers."""

from neurodeploy.targets.onnxruntime.run import run

__all__ = ["run"]

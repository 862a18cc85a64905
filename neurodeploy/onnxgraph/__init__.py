"""Integer networks as graphs of standard ONNX operations, which a file holds and onnxruntime executes.

``onnx`` is optional; this package alone builds its graphs, and imports it when it does.
"""

from neurodeploy.onnxgraph.body import Options
from neurodeploy.onnxgraph.model import FORMAT, STATES, scan_model, step_model
from neurodeploy.onnxgraph.package import require_onnx, require_onnxruntime

__all__ = ["FORMAT", "STATES", "Options", "require_onnx", "require_onnxruntime", "scan_model", "step_model"]

"""Constant folding: what exporters compute from weights and shapes, evaluated by onnx's own reference operations."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.errors import Unsupported
from neurodeploy.export.onnx.attributes import label
from neurodeploy.onnxgraph import require_onnx

Array = npt.NDArray[Any]

#: Operations that are evaluated where all their inputs are constant: none makes much out of little.
FOLDED = frozenset(
    {
        "Cast",
        "Concat",
        "DequantizeLinear",
        "Gather",
        "Identity",
        "QuantizeLinear",
        "Reshape",
        "Slice",
        "Squeeze",
        "Transpose",
        "Unsqueeze",
    }
)

#: Those whose answers can be larger than any input serve to compute shapes, and may make so many numbers.
_GROWING, _GROWN_VALUES = frozenset({"Concat", "Gather"}), 1 << 20


def fold(node: Any, inputs: list[Array | None], opset: int) -> Array:
    """Return the answer of a node whose inputs are constants.

    Raises
    ------
    Unsupported : the inputs are too large, or do not fit the operation.
    """
    given = [values for values in inputs if values is not None]
    growth = math.prod if node.op_type == "Gather" else sum
    if node.op_type in _GROWING and growth(max(values.size, 1) for values in given) > _GROWN_VALUES:
        raise Unsupported(label(node), f"computes more than {_GROWN_VALUES:,} constants", "export it simplified")
    try:
        evaluator = require_onnx("onnx.reference").reference.ReferenceEvaluator(node, opsets={"": opset})
        with np.errstate(all="ignore"):
            (answer,) = evaluator.run(
                None, {name: values for name, values in zip(node.input, inputs, strict=True) if values is not None}
            )
    except Exception as error:
        found = (str(error).splitlines() or [type(error).__name__])[0]
        raise Unsupported(label(node), f"cannot be computed from its constants ({found})", "export it again") from error
    return np.asarray(answer)

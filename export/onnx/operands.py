"""What the operations of an ONNX graph are given: values that depend on the input, and constants."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurodeploy.errors import Unsupported
from neurodeploy.export.onnx.attributes import attributes, label
from neurodeploy.export.onnx.translation import Array, Signal, Value
from neurodeploy.graph import frozen_array


def signal_of(node: Any, value: Value | None) -> Signal:
    """Return an input that must depend on the input of the network."""
    if not isinstance(value, Signal):
        raise Unsupported(label(node), "has a constant where it should depend on the input", "export it again")
    if value.rounded is not None:
        raise Unsupported(label(node), "computes in integers", "export the form with QuantizeLinear, DequantizeLinear")
    return value


def constant_of(node: Any, value: Value | None, what: str) -> Array:
    """Return an input that must be constant; ``what`` names it."""
    if value is None or isinstance(value, Signal):
        raise Unsupported(label(node), f"its {what} depends on the input", "use trained, constant values")
    array = np.asarray(value)
    if array.dtype.kind not in "fiub":
        raise Unsupported(label(node), f"its {what} is of type {array.dtype}", "export it with float32")
    return array


def float_array(values: Array) -> Any:
    """Return trained values, read-only, in the precision they came in."""
    return frozen_array(values, np.float64 if values.dtype == np.float64 else np.float32)


def attribute_or_input(node: Any, inputs: tuple[Value | None, ...], name: str, position: int) -> Any:
    """Return what older files give as an attribute and newer ones as a constant input; None where neither does."""
    given = attributes(node)
    if name in given:
        return given[name]
    value = inputs[position] if position < len(inputs) else None
    if isinstance(value, Signal):
        raise Unsupported(label(node), f"computes its {name} from the input", "use a constant")
    return value

"""ONNX operations that become neurons: rectifiers, and integers that cut off below zero."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from neurodeploy.errors import Unsupported
from neurodeploy.export.onnx.ann import Activation
from neurodeploy.export.onnx.attributes import label
from neurodeploy.export.onnx.operands import attribute_or_input, constant_of, signal_of
from neurodeploy.export.onnx.translation import Signal, Translation, Value


def relu(walk: Translation, node: Any, *inputs: Value | None) -> Value:
    """Read a rectifier."""
    return rectified(walk, node, signal_of(node, inputs[0]), None)


def rectified(walk: Translation, node: Any, x: Signal, ceiling: float | None) -> Signal:
    """Return ``min(max(x, 0), ceiling)``; a second rectifier after one only lowers the ceiling of the first."""
    first = walk.nodes[x.sources[0]]
    if len(x.sources) == 1 and isinstance(first, Activation) and not x.shared:
        lowest = [c for c in (first.ceiling, ceiling) if c is not None]
        walk.nodes[x.sources[0]] = replace(first, ceiling=min(lowest, default=None), value=node.output[0])
        return x
    return walk.layer(node, Activation(x.shape, node.output[0], ceiling), x, nonnegative=True)


def clip(walk: Translation, node: Any, *inputs: Value | None) -> Value:
    """Read a rectifier with a ceiling."""
    low, high = (attribute_or_input(node, inputs, name, i) for i, name in ((1, "min"), (2, "max")))
    x = signal_of(node, inputs[0])
    floor, ceiling = (None if bound is None else _number(node, bound) for bound in (low, high))
    if not (floor == 0 or (x.nonnegative and (floor is None or floor < 0))):
        raise Unsupported(label(node), f"clips below at {floor}", "neurons send nothing below 0: use Relu, or min=0")
    if ceiling is not None and not ceiling > 0:
        raise Unsupported(label(node), f"clips above at {ceiling}", "use a bound above 0")
    return rectified(walk, node, x, None if ceiling == math.inf else ceiling)


def _number(node: Any, bound: Any) -> float:
    values = np.asarray(bound)
    if values.size != 1 or values.dtype.kind not in "fiu":
        raise Unsupported(label(node), f"has bounds of the shape {list(values.shape)}", "use one number for all")
    return float(values.item())


def quantize(walk: Translation, node: Any, *inputs: Value | None) -> Value:
    """Leave rounding out; where the range of the integers cuts at zero, it is a rectifier with a ceiling."""
    x, scale = signal_of(node, inputs[0]), constant_of(node, inputs[1], "scale")
    zero = np.zeros((), np.uint8) if len(inputs) < 3 else constant_of(node, inputs[2], "zero point")
    walk.notes.append("rounding of activations (QuantizeLinear) left out")
    if scale.size == 1 and zero.dtype.kind in "iu" and not x.nonnegative:
        info = np.iinfo(zero.dtype)
        if int(zero.item()) == info.min and x.sources != ("input",):
            x = rectified(walk, node, x, float(scale.item()) * (int(info.max) - int(info.min)))
            part = walk.nodes[x.sources[0]]
            assert isinstance(part, Activation)
            # What is measured is the value turned back, not the integer.
            walk.nodes[x.sources[0]] = replace(part, value=_turned_back(walk, node))
    return replace(x, rounded=(scale.tobytes(), zero.tobytes()))


def _turned_back(walk: Translation, node: Any) -> str:
    """Return the name of the value that the DequantizeLinear after ``node`` makes."""
    for other in walk.graph.node:
        if other.op_type == "DequantizeLinear" and other.input[0] == node.output[0]:
            return str(other.output[0])
    raise Unsupported(label(node), "is not turned back by DequantizeLinear", "export the form with both")


def dequantize(walk: Translation, node: Any, *inputs: Value | None) -> Value:  # noqa: ARG001  # see the table
    """Turn integers back into what they stand for."""
    x = inputs[0]
    if not isinstance(x, Signal) or x.rounded is None:
        raise Unsupported(label(node), "does not follow a QuantizeLinear", "export the form with both")
    scale = constant_of(node, inputs[1], "scale")
    zero = np.zeros((), np.uint8) if len(inputs) < 3 else constant_of(node, inputs[2], "zero point")
    if (scale.tobytes(), zero.tobytes()) != x.rounded:
        raise Unsupported(label(node), "turns back by another scale or zero point", "export it again")
    return replace(x, rounded=None)

"""What an ONNX node says: its name, its attributes with their defaults, and the windows of convolution and pooling."""

from __future__ import annotations

from typing import Any

from neurodeploy.errors import Unsupported
from neurodeploy.graph import Shape
from neurodeploy.onnxgraph import require_onnx
from neurodeploy.shapes import window_output


def label(node: Any) -> str:
    """Return how a message names a node."""
    name = node.name or (node.output[0] if node.output else "")
    return f"{node.op_type[:80]} {name[:80]!r}"


def attributes(node: Any) -> dict[str, Any]:
    """Return the attributes of a node as Python values, texts decoded."""
    found = {}
    for attribute in node.attribute:
        value = require_onnx().helper.get_attribute_value(attribute)
        found[attribute.name] = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    return found


def windows(node: Any, given: dict[str, Any], kernel: Shape, extents: Shape) -> tuple[Shape, Shape, Any]:
    """Return stride, dilation and ((before, after), ...) padding of a node that slides a window.

    Raises
    ------
    Unsupported : attributes that do not fit the axes, or an unknown kind of padding.
    """
    axes = len(extents)
    stride = tuple(given.get("strides", [1] * axes))
    dilation = tuple(given.get("dilations", [1] * axes))
    pads = list(given.get("pads", [0] * 2 * axes))
    if (
        axes not in (1, 2)
        or len(kernel) != axes
        or len(stride) != axes
        or len(dilation) != axes
        or len(pads) != 2 * axes
    ):
        raise Unsupported(label(node), f"has a window of {list(kernel)} on {axes} axes", "export it again")
    if min((*stride, *dilation, *kernel)) < 1 or min(pads) < 0:
        raise Unsupported(label(node), "has a stride, dilation or kernel below 1, or negative pads", "export it again")
    padding = tuple(zip(pads[:axes], pads[axes:], strict=True))
    kind = given.get("auto_pad", "NOTSET")
    if kind in ("SAME_UPPER", "SAME_LOWER"):
        padding = tuple(_same(kind, *sizes) for sizes in zip(extents, kernel, stride, dilation, strict=True))
    elif kind not in ("NOTSET", "VALID", ""):
        raise Unsupported(label(node), f"has the unknown padding {kind!r}", "export it with explicit pads")
    return stride, dilation, padding


def _same(kind: str, extent: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """Return the padding that gives ``ceil(extent / stride)`` windows; the odd one goes to the named side."""
    total = max((-(-extent // stride) - 1) * stride + dilation * (kernel - 1) + 1 - extent, 0)
    less, more = total // 2, total - total // 2
    return (less, more) if kind == "SAME_UPPER" else (more, less)


def refuse_partial_windows(node: Any, kernel: Shape, extents: Shape, stride: Shape, padding: Any) -> None:
    """Raise where rounding the number of windows up makes one more than rounding down."""
    for extent, k, s, pair in zip(extents, kernel, stride, padding, strict=True):
        if (extent + sum(pair) - k) % s:
            found = f"{window_output(extent, k, s, pair)} whole windows and a partial one"
            raise Unsupported(label(node), f"rounds up (ceil_mode): {found}", "export it with ceil_mode=0")

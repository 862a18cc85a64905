"""The optional packages onnx and onnxruntime, or the advice how to get them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from neurodeploy.errors import BackendMissing

#: Every file that is written: the first versions with integer types throughout, which onnx 1.16 knows.
OPSET, IR_VERSION = 21, 10


def require_onnx(*parts: str) -> Any:
    """Return the package onnx with these further modules; raise :class:`BackendMissing` where it is not installed."""
    return _require("onnx", "onnx.checker", "onnx.helper", "onnx.numpy_helper", *parts)


def require_onnxruntime() -> Any:
    """Return the package onnxruntime; raise :class:`BackendMissing` where it is not installed."""
    return _require("onnxruntime")


def _require(name: str, *parts: str) -> Any:
    try:
        for part in parts:
            import_module(part)
        return import_module(name)
    except ImportError as error:
        raise BackendMissing(name, f"is not installed ({error})", 'pip install "neurodeploy[onnx]"') from error

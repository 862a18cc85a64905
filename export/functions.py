"""Layers called as functions: ``F.linear``, ``F.conv2d``, ``F.avg_pool2d`` and the like become what their layers do."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from neurodeploy.export.recorder import Handler, Recorder
from neurodeploy.export.torch_layers import optional, padding_node, reader_for, values
from neurodeploy.graph import Linear

#: Pooling function -> the layer that computes the same of the same arguments.
_POOLS: Mapping[str, type[nn.Module]] = {
    "avg_pool1d": nn.AvgPool1d,
    "avg_pool2d": nn.AvgPool2d,
    "max_pool1d": nn.MaxPool1d,
    "max_pool2d": nn.MaxPool2d,
    "adaptive_avg_pool1d": nn.AdaptiveAvgPool1d,
    "adaptive_avg_pool2d": nn.AdaptiveAvgPool2d,
    "adaptive_max_pool1d": nn.AdaptiveMaxPool1d,
    "adaptive_max_pool2d": nn.AdaptiveMaxPool2d,
}


def _pool(recorder: Recorder, operation: str, args: Any, kwargs: Any, answer: Tensor) -> None:
    _as_layer(recorder, operation, _POOLS[operation](*args[1:], **kwargs), args[0], answer)


def _as_layer(recorder: Recorder, operation: str, layer: nn.Module, given: Tensor, answer: Tensor) -> None:
    value = recorder.read(given, operation)
    reader = reader_for(layer, recorder.readers)
    if reader is None:
        raise recorder.cannot(operation, f"is a {type(layer).__name__}, for which there is no reader")
    name = operation.rpartition("_")[2].rstrip("123456789d") or operation
    recorder.put_fragment(name, reader(layer, operation, value.shape, recorder.dt), value, answer)


def _linear(recorder: Recorder, operation: str, args: Any, kwargs: Any, answer: Tensor) -> None:
    weight, bias = (_parameter(recorder, operation, args, kwargs, each) for each in ((1, "weight"), (2, "bias")))
    value = recorder.read(args[0], operation)
    if weight is None or len(value.shape) != 1:
        raise recorder.cannot(operation, f"works on the last axis of samples {value.shape}")
    recorder.put("linear", Linear(values(weight), optional(bias)), value, answer)


def _product(recorder: Recorder, operation: str, args: Any, kwargs: Any, answer: Tensor) -> None:
    """``x @ W`` with a constant matrix [in, out]."""
    weight = _parameter(recorder, operation, args, kwargs, (1, "other" if "other" in kwargs else "mat2"))
    value = recorder.read(args[0], operation)
    if weight is None or weight.ndim != 2 or len(value.shape) != 1:
        raise recorder.cannot(operation, f"multiplies samples {value.shape} by something other than a matrix")
    recorder.put("linear", Linear(values(weight.t())), value, answer)


#: Convolving function -> its layer.
_CONVOLUTIONS: Mapping[str, Any] = {"conv1d": nn.Conv1d, "conv2d": nn.Conv2d}
_OPTIONS = ("stride", "padding", "dilation", "groups")


def _convolution(recorder: Recorder, operation: str, args: Any, kwargs: Any, answer: Tensor) -> None:
    weight, bias = (_parameter(recorder, operation, args, kwargs, each) for each in ((1, "weight"), (2, "bias")))
    if weight is None:
        raise recorder.cannot(operation, "has no constant weight")
    options = {**dict(zip(_OPTIONS, args[3:], strict=False)), **{k: v for k, v in kwargs.items() if k in _OPTIONS}}
    layer = nn.utils.skip_init(  # type: ignore[no-untyped-call]
        _CONVOLUTIONS[operation],
        weight.shape[1] * options.get("groups", 1),
        weight.shape[0],
        tuple(weight.shape[2:]),
        bias=bias is not None,
        **{name: _tuple(option) for name, option in options.items()},
    )
    layer.weight = nn.Parameter(weight.detach())
    if bias is not None:
        layer.bias = nn.Parameter(bias.detach())
    _as_layer(recorder, operation, layer, args[0], answer)


def _tuple(option: Any) -> Any:
    return tuple(option) if isinstance(option, list) else option


def _parameter(recorder: Recorder, operation: str, args: Any, kwargs: Any, place: tuple[int, str]) -> Tensor | None:
    """Return an argument that must not come from the input."""
    index, name = place
    found = args[index] if len(args) > index else kwargs.get(name)
    if recorder.follows(found):
        raise recorder.cannot(operation, f"has a {name} that comes from the input")
    return found if isinstance(found, Tensor) else None


def _pad(recorder: Recorder, operation: str, args: Any, kwargs: Any, answer: Tensor) -> None:
    given = inspect.signature(_padding).bind(*args, **kwargs).arguments
    if given.get("mode", "constant") != "constant" or given.get("value"):
        raise recorder.cannot(operation, f"pads with {given.get('mode')}={given.get('value')}, not with zeros")
    value = recorder.read(args[0], operation)
    recorder.put("pad", padding_node(operation, value.shape, given["pad"]), value, answer)


def _padding(input: Tensor, pad: Any, mode: str = "constant", value: Any = None) -> None:
    """Name the arguments of :func:`torch.nn.functional.pad`."""


#: Operation -> what it adds to the graph.
FUNCTIONS: Mapping[str, Handler] = {
    **dict.fromkeys(_POOLS, _pool),
    "linear": _linear,
    **dict.fromkeys(("matmul", "__matmul__", "mm"), _product),
    **dict.fromkeys(_CONVOLUTIONS, _convolution),
    "pad": _pad,
}

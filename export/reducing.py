"""Means and sums over whole axes, and merged axes, between layers: pools over all cells, and Flatten."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor

from neurodeploy.export.recorder import Handler, Recorder, Value, leading_axes
from neurodeploy.graph import Flatten, Pool


def merge_axes(recorder: Recorder, operation: str, value: Value, given: Tensor, answer: Tensor) -> None:
    """Let ``answer`` hold ``value`` with neighbouring axes merged, as their shapes say.

    Where samples stay as they are, the axes before them may be cut and merged at will.
    """
    leading = leading_axes(given, value)
    if answer.ndim > len(value.shape) and tuple(answer.shape[-len(value.shape) :]) == value.shape:
        return recorder.pass_on(answer, value)
    after = tuple(answer.shape[leading:])
    kept = answer.shape[:leading] == given.shape[:leading]
    for start in range(len(value.shape)):
        for end in range(start + 1, len(value.shape)):
            merged = (int(torch.Size(value.shape[start : end + 1]).numel()),)
            if kept and after == value.shape[:start] + merged + value.shape[end + 1 :]:
                return recorder.put("flatten", Flatten(start, end), value, answer)
    raise recorder.cannot(
        operation, f"turns {tuple(given.shape)} into {tuple(answer.shape)}, which is no merging of neighbouring axes"
    )


def _over_axes(kind: Literal["average", "sum"]) -> Handler:
    def reduce(recorder: Recorder, operation: str, args: Any, kwargs: Any, answer: Tensor) -> None:
        value = recorder.read(args[0], operation)
        wanted = args[1] if len(args) > 1 else kwargs.get("dim", kwargs.get("axis"))
        leading = leading_axes(args[0], value)
        axes = {int(axis) % args[0].ndim - leading for axis in _listed(wanted)}
        if not axes or min(axes) < 1 or len(value.shape) not in (2, 3):
            problem = f"reduces axes {wanted} of samples {value.shape}, not only those behind the channels"
            raise recorder.cannot(operation, problem)
        window = tuple(size if axis in axes else 1 for axis, size in enumerate(value.shape))
        pool = Pool(kind, window[1:], window[1:], (0,) * len(window[1:]))
        shape = tuple(size // taken for size, taken in zip(value.shape, window, strict=True))
        pooled = Value((recorder.insert("pool", pool, value),), shape)
        merge_axes(recorder, operation, pooled, args[0].new_empty((*args[0].shape[:leading], *shape)), answer)

    return reduce


def _listed(axes: Any) -> list[int]:
    return [] if axes is None else [axes] if isinstance(axes, int) else list(axes)


#: Operation -> what it adds to the graph.
REDUCING: Mapping[str, Handler] = {"mean": _over_axes("average"), "sum": _over_axes("sum")}

"""The operations on tensors that may stand between layers, and what each adds to the graph that is being traced."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from neurodeploy.export.arithmetic import ARITHMETIC
from neurodeploy.export.functions import FUNCTIONS
from neurodeploy.export.joining import JOINING
from neurodeploy.export.recorder import Handler, Recorder, leading_axes
from neurodeploy.export.reducing import REDUCING, merge_axes
from neurodeploy.export.selecting import SELECTING
from neurodeploy.export.torch_layers import flatten_node

#: Attributes and methods that tell about a tensor without looking at its values.
QUESTIONS = frozenset(
    {"__get__", "size", "dim", "ndimension", "numel", "nelement", "stride", "is_contiguous", "is_floating_point"}
    | {"untyped_storage", "is_neg", "is_conj"}  # what copy.copy asks; the copy itself is not followed
    | {"is_complex", "element_size", "get_device", "__len__", "__hash__", "__repr__", "type", "storage_offset"}
)


def _keep(recorder: Recorder, operation: str, args: Any, _kwargs: Any, answer: Tensor) -> None:
    recorder.pass_on(answer, recorder.read(args[0], operation))


def _same_numbers(recorder: Recorder, operation: str, args: Any, _kwargs: Any, answer: Tensor) -> None:
    value = recorder.read(args[0], operation)
    if not answer.is_floating_point():
        raise recorder.cannot(operation, f"turns the values into {answer.dtype}")
    recorder.pass_on(answer, value)


def _flatten(recorder: Recorder, operation: str, args: Any, kwargs: Any, answer: Tensor) -> None:
    value = recorder.read(args[0], operation)
    start = args[1] if len(args) > 1 else kwargs.get("start_dim", 0)
    end = args[2] if len(args) > 2 else kwargs.get("end_dim", -1)
    axes, leading = args[0].ndim, leading_axes(args[0], value)
    if end % axes < leading:
        return recorder.pass_on(answer, value)  # steps and samples become one axis
    first, last = (axis % axes - leading + 1 for axis in (start, end))  # as if there were samples alone
    return recorder.put("flatten", flatten_node(operation, value.shape, first, last), value, answer)


def _reshape(recorder: Recorder, operation: str, args: Any, _kwargs: Any, answer: Tensor) -> None:
    merge_axes(recorder, operation, recorder.read(args[0], operation), args[0], answer)


def _dropout(recorder: Recorder, operation: str, args: Any, kwargs: Any, answer: Tensor) -> None:
    value = recorder.read(args[0], operation)
    if kwargs.get("training", args[2] if len(args) > 2 else True):
        raise recorder.cannot(operation, "drops values in every step; give it training=self.training")
    recorder.pass_on(answer, value)


#: Functions that merge axes: what they are asked is in the shape of their answer.
_RESHAPING = ("view", "reshape", "squeeze")

#: Operation -> what it adds to the graph.
OPERATIONS: Mapping[str, Handler] = {
    **dict.fromkeys(("contiguous", "detach", "clone", "alias"), _keep),
    **dict.fromkeys(("to", "float", "double"), _same_numbers),
    "flatten": _flatten,
    **dict.fromkeys(_RESHAPING, _reshape),
    **dict.fromkeys(("dropout", "dropout1d", "dropout2d", "alpha_dropout", "feature_alpha_dropout"), _dropout),
    **ARITHMETIC,
    **JOINING,
    **SELECTING,
    **REDUCING,
    **FUNCTIONS,
}

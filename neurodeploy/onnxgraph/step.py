"""What a neuron's step takes and returns in ONNX operations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from neurodeploy.onnxgraph.emitter import Value

#: State name -> value [samples, *shape].
State = Mapping[str, Value]


#: Emits bool [samples, *shape], for whom it is wanted.
Flags = Callable[[], Value]


class Step(NamedTuple):
    """State after a step, what is sent (bool, or a whole number), and where a register wrapped or a state saturated.

    The latter two are None where it cannot be.
    """

    state: dict[str, Value]
    sent: Value
    wrapped: Flags | None = None
    clipped: Flags | None = None

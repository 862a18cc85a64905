"""What a neuron's step takes and returns in ONNX operations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from neurodeploy.onnxgraph.emitter import Value

#: State name -> value [samples, *shape].
State = Mapping[str, Value]


class Step(NamedTuple):
    """State after a step, and what is sent: bool, or a whole number."""

    state: dict[str, Value]
    sent: Value

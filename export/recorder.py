"""What a trace knows of tensors, and what the operations between layers may ask of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

from neurodeploy.errors import Unsupported
from neurodeploy.export.fragment import Fragment, Reader
from neurodeploy.graph import Node, Shape


@dataclass(frozen=True)
class Value:
    """What a tensor holds: the sum of the answers of these nodes, samples of this shape; or the state of a neuron."""

    sources: tuple[str, ...]
    shape: Shape
    state_of: str | None = None


class Recorder(Protocol):
    """What an operation may ask of the trace it belongs to."""

    readers: Mapping[type, Reader]
    dt: float

    def read(self, tensor: Any, operation: str) -> Value:
        """Return what a tensor holds, refusing states and constants."""

    def follows(self, value: Any) -> bool:
        """Return whether something is a tensor that comes from the input."""

    def put(self, name: str, node: Node, value: Value, answer: Tensor) -> None:
        """Add a node between a value and the tensor it becomes."""

    def put_fragment(self, name: str, fragment: Fragment, value: Value, answer: Tensor) -> None:
        """Add what a reader made between a value and the tensor it becomes."""

    def insert(self, name: str, node: Node, value: Value) -> str:
        """Add a node that reads a value and return the name it has got."""

    def node_of(self, name: str) -> Node:
        """Return the node of this name."""

    def sources_of(self, name: str) -> tuple[str, ...]:
        """Return the nodes that a node reads."""

    def shape_of(self, name: str) -> Shape:
        """Return the shape of one sample of a node's answer."""

    def note(self, sentence: str) -> None:
        """Let the graph tell something that the model does not say."""

    def pass_on(self, answer: Tensor, value: Value) -> None:
        """Let a tensor hold a value."""

    def separate(self, value: Value, shape: Shape) -> Value:
        """Return an equal value with edges of its own."""

    def cannot(self, operation: str, problem: str) -> Unsupported:
        """Return the error for an operation."""


#: (recorder, operation, arguments, those by name, the answer): adds to the graph what the operation computes.
Handler = Callable[[Recorder, str, Any, dict[str, Any], Any], None]


def leading_axes(tensor: Tensor, value: Value) -> int:
    """Return the axes of a tensor before those of a sample."""
    return tensor.ndim - len(value.shape)


#: (recorder, module, its name, what it reads): adds several nodes for a module and returns what it answers.
Composer = Callable[[Recorder, Any, str, Value], Value]

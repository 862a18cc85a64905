"""A trained feed-forward network between its ONNX file and its spiking form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from neurodeploy.graph import Node, Shape


@dataclass(frozen=True, eq=False)
class Activation:
    """A rectifier ``min(max(x, 0), ceiling)``, which becomes a population of neurons.

    Attributes
    ----------
    value : name in the ONNX graph of what it answers.
    """

    shape: Shape
    value: str
    ceiling: float | None = None


Part = Node | Activation


@dataclass(frozen=True, eq=False)
class Ann:
    """Layers and rectifiers; several edges into one are a sum.

    Attributes
    ----------
    nodes : name -> layer, in an order in which every edge points forward.
    input, output : names of the Input and Output among them.
    feed : name of the input in the ONNX graph; answer : of the output, before a closing softmax.
    batch : samples that the file insists on taking at once, or None.
    notes : what was left out or read in a way the file does not state.
    """

    nodes: Mapping[str, Part]
    edges: tuple[tuple[str, str], ...]
    input: str
    output: str
    feed: str
    answer: str
    batch: int | None
    notes: tuple[str, ...]

    def sources(self, name: str) -> list[str]:
        """Return the names of the nodes with an edge into ``name``."""
        return [source for source, target in self.edges if target == name]

    def targets(self, name: str) -> list[str]:
        """Return the names of the nodes that ``name`` has an edge to."""
        return [target for source, target in self.edges if source == name]

    @property
    def activations(self) -> dict[str, Activation]:
        """The rectifiers by name."""
        return {name: node for name, node in self.nodes.items() if isinstance(node, Activation)}

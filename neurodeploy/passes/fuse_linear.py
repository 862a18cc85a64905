"""``W2 (W1 x + b1) + b2 = (W2 W1) x + (W2 b1 + b2)``: every chain between two neurons becomes one synapse."""

from __future__ import annotations

from dataclasses import replace

from neurodeploy.errors import Unsupported
from neurodeploy.graph import Convolution, Flatten, Graph, Linear, Node, Output, Scale, Shape
from neurodeploy.passes.affine import Path, as_synapse, extend
from neurodeploy.passes.surgery import Edge, fresh
from neurodeploy.shapes import infer_shapes

_CHAIN = (Linear, Convolution, Scale, Flatten)


def fuse_linear(graph: Graph) -> Graph:
    """Return the graph with one synapse, in float64, between each two neurons that a chain connects.

    A chain is made of Linear, Convolution, Scale and Flatten nodes; whatever else there is bounds it. A synapse keeps
    the name of the last node of its chain; edges without weights get a synapse of weight one. A Linear reads its source
    and fills its target flattened, whatever axes they have: no Flatten is left, so shapes are no longer inferred along
    the edges. An Output after a Flatten takes the shape before it, which is noted.

    Raises
    ------
    Unsupported : a chain has no exact form of reasonable size, ends in an Output, or delays its value after adding a
        bias to it; the message names the node.
    """
    return _Fusion(graph).result()


class _Fusion:
    """One walk through a graph: the paths into every chain node, then the synapses made of them."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.shapes = infer_shapes(graph)
        self.nodes: dict[str, Node] = {n: v for n, v in graph.nodes.items() if not isinstance(v, _CHAIN)}
        self.bounds = frozenset(self.nodes)  # what no chain goes through; nodes gains the synapses
        self.edges: list[Edge] = []
        self.feedback: set[Edge] = set()
        self.notes: list[str] = list(graph.notes)
        self.paths: dict[str, list[Path]] = {}
        self.made: dict[tuple[str, bool], list[tuple[str, Path]]] = {}

    def result(self) -> Graph:
        for target, node in list(self.nodes.items()):
            for source in self.graph.sources(target):
                if isinstance(node, Output):
                    self._connect_output(source, target)
                else:
                    self._connect(source, target)
        return replace(
            self.graph,
            nodes=self.nodes,
            edges=tuple(self.edges),
            feedback=frozenset(self.feedback),
            notes=tuple(self.notes),
        )

    def _connect(self, source: str, target: str) -> None:
        """Join ``source`` to ``target`` by one synapse for every path that arrives."""
        for name, path in self._synapses(source, target):
            first = (path.source, name)
            if first not in self.edges:
                self.edges.append(first)
                self.feedback |= {first} if path.delayed else set()
            self.edges.append((name, target))

    def _synapses(self, source: str, target: str) -> list[tuple[str, Path]]:
        """Make the synapses of the edge, or find them when another neuron shares the chain."""
        delayed = (source, target) in self.graph.feedback
        chain = source not in self.bounds
        key = (source if chain else f"{source} -> {target}", delayed)
        if key not in self.made:
            paths = [self._delay(path, source, target) for path in self._arriving(source)]
            self.made[key] = []
            for path in paths:
                wanted = source if chain else f"{source}_to_{target}"
                name = fresh(wanted if len(paths) == 1 else f"{wanted}_from_{path.source}", self.nodes)
                self.nodes[name] = as_synapse(path, source)
                self.made[key].append((name, path))
        return self.made[key]

    def _arriving(self, name: str) -> list[Path]:
        """Return the paths that end in this node's answer."""
        if name not in self.paths:
            self.paths[name] = [self._start(name)] if name in self.bounds else self._through(name)
        return self.paths[name]

    def _start(self, name: str) -> Path:
        shape = self.shapes[name]
        return Path(name, shape, delayed=False, operation=None, natural=shape, shape=shape)

    def _through(self, name: str) -> list[Path]:
        node = self.graph.nodes[name]
        found: list[Path] = []
        for source in self.graph.sources(name):
            for path in self._arriving(source):
                arrived = self._delay(path, source, name)
                # The bias belongs to the sum of what arrives, so one path takes it.
                found.append(extend(arrived, name, node, self.shapes[name], with_bias=not found))
        return found

    def _delay(self, path: Path, source: str, target: str) -> Path:
        """Let the path cross an edge, which may be a feedback edge."""
        if (source, target) not in self.graph.feedback:
            return path
        if path.delayed:
            raise Unsupported(source, "lies between two feedback edges", "mark one of the two edges only")
        if path.operation is not None and path.operation.bias is not None:
            # Moving the delay before the bias would let the bias act one step early.
            raise Unsupported(
                source,
                f"its answer is delayed on the way to {target!r} after a bias was added",
                "mark the edge that leaves the neuron as the feedback",
            )
        return replace(path, delayed=True)

    def _connect_output(self, source: str, target: str) -> None:
        """Let an Output follow its neuron directly, taking that neuron's shape."""
        delayed = (source, target) in self.graph.feedback
        for path in self._arriving(source):
            if path.operation is not None or path.delayed or delayed:
                raise Unsupported(
                    source,
                    f"leads to the output {target!r} without a neuron after it",
                    "let a neuron layer end the network; one that never resets integrates",
                )
            self._reshape_output(target, path.natural)
            self.edges.append((path.source, target))

    def _reshape_output(self, target: str, shape: Shape) -> None:
        node = self.nodes[target]
        assert isinstance(node, Output)
        if node.shape != shape:
            self.nodes[target] = replace(node, shape=shape)
            self.notes.append(f"output {target!r} has the shape {shape} of its neurons instead of {node.shape}")

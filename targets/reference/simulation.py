"""A Graph run step by step: every node once a step, in an order in which only feedback edges look back.

A feedback edge carries the value its source had in the step before, and zero in the first step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.discrete import constants, delay_steps
from neurodeploy.errors import InputError, UsageError
from neurodeploy.graph import Delay, Graph, Input, Neuron, Node, Output, Shape, Threshold
from neurodeploy.shapes import infer_shapes
from neurodeploy.targets.reference.operators import Floats, operator
from neurodeploy.targets.reference.population import DelayLine, Population

Arrays = dict[str, npt.NDArray[Any]]

_DIVERGES = "check the gains of its loops, dt, and the semantics it was read with"

#: Quantity -> how it is taken from a population after a step.
RECORDS: dict[str, Callable[[Population], Floats]] = {
    "s": lambda p: p.count * p.constants.semantics.spike_scale,
    "u": lambda p: p.u,
    "v": lambda p: p.v,
    "v_fired": lambda p: p.v_fired,
}


def run(graph: Graph, spikes: Mapping[str, npt.ArrayLike], record: Iterable[str] = ("s",)) -> Arrays:
    """Run ``graph`` freely on ``spikes`` and return what was asked for.

    Parameters
    ----------
    spikes : name of every Input -> array [samples, steps, *shape].
    record : any of ``s`` (spikes as sent: their number times ``spike_scale``), ``u`` (synaptic current, where there is
        one), ``v`` (membrane after the step's update and reset) and ``v_fired`` (as compared with the threshold).

    Returns
    -------
    ``output/<Output name>`` float64, and ``<quantity>/<node name>`` for every Neuron (``s`` for spiking ones and for
    Threshold nodes), all [samples, steps, *shape]; float64, but ``s`` int32 unless its ``spike_scale`` is a fraction.

    Raises
    ------
    UsageError : an unknown quantity, or inputs that do not match the Input nodes.
    InputError : the network diverges.
    """
    wanted = tuple(record)
    for quantity in wanted:
        if quantity not in RECORDS:
            raise UsageError("record", f"{quantity!r} is no quantity", f"one of {', '.join(RECORDS)}")
    given = _inputs(graph, spikes)
    simulation = _Simulation(graph, given, wanted)
    for step in range(simulation.steps):
        simulation.step(step)
    return simulation.records


def run_node(graph: Graph, name: str, inputs: Mapping[str, npt.ArrayLike], record: Iterable[str] = ("s",)) -> Arrays:
    """Run one node alone, with everything that stands between it and the Inputs and neurons before it.

    Parameters
    ----------
    name : a Neuron, Threshold or Output.
    inputs : for each predecessor (see :func:`predecessors`), an Input or a Neuron, what it sends [samples, steps,
        *shape]: the input itself, ``s``, or ``v`` of a neuron that does not spike. More may be given.

    Returns
    -------
    As :func:`run`, for this node only. A loop is cut as well: its own earlier spikes are taken from ``inputs``.
    """
    if name not in graph.nodes:
        raise UsageError(name, "no such node", f"the nodes are {', '.join(graph.nodes)}")
    part, sources = _isolate(graph, name)
    missing = [source for source in sorted(sources) if source not in inputs]
    if missing:
        raise UsageError(name, f"its input from {', '.join(missing)} is not given", "give the spikes of each of them")
    return run(part, {label: inputs[source] for source, label in sources.items()}, record)


def predecessors(graph: Graph, name: str) -> list[str]:
    """Return the Inputs and Neurons whose values reach ``name`` without passing another neuron, sorted."""
    return sorted(_isolate(graph, name)[1])


def margins(graph: Graph, spikes: Mapping[str, npt.ArrayLike]) -> dict[str, float]:
    """Return for every spiking Neuron how close a membrane came to where its number of spikes changes.

    That is the smallest ``|v - threshold|`` before the reset, and the nearest multiple of the threshold where several
    spikes may leave in one step.
    """
    taken = run(graph, spikes, ("v_fired",))
    found = {}
    for name in graph.of_type(Neuron):
        node = graph.nodes[name]
        if isinstance(node, Neuron) and node.threshold is not None:
            v, threshold = taken[f"v_fired/{name}"], np.asarray(node.threshold, dtype=np.float64)
            multiple = np.maximum(np.rint(v / threshold), 1.0) if node.semantics.fire == "floor-multi" else 1.0
            found[name] = float(np.min(np.abs(v - multiple * threshold), initial=np.inf))
    return found


class _Simulation:
    """One run: the populations, the values of the current and the previous step, and the records."""

    def __init__(self, graph: Graph, given: Mapping[str, Floats], wanted: tuple[str, ...]) -> None:
        self.graph, self.given = graph, given
        self.samples, self.steps = next(iter(given.values())).shape[:2]
        self.shapes = infer_shapes(graph)
        self.order = graph.order()
        self.sources = {
            name: [(source, (source, name) in graph.feedback) for source in graph.sources(name)] for name in self.order
        }
        self.populations: dict[str, Population] = {}
        self.apply = {name: self._operator(name, graph.nodes[name]) for name in self.order}
        self.before = {name: np.zeros((self.samples, *shape)) for name, shape in self.shapes.items()}
        self.records: Arrays = {}
        self.takers = list(self._takers(wanted))

    def _operator(self, name: str, node: Node) -> Callable[[Floats], Floats]:
        shape = self.shapes[name]
        if isinstance(node, Neuron):
            population = Population(constants(node, self.graph.dt), self.samples, shape)
            self.populations[name] = population
            return population.step
        if isinstance(node, Delay):
            return DelayLine(delay_steps(node, self.graph.dt), self.samples, shape).step
        return operator(node)

    def _takers(self, wanted: tuple[str, ...]) -> Iterable[tuple[str, str, Callable[[Population], Floats] | None]]:
        """Allocate every record and yield (key, node, what to take from its population, or None for its answer)."""
        for name, node in self.graph.nodes.items():
            if isinstance(node, Output):
                yield self._allocate("output", name, np.float64), name, None
            elif isinstance(node, Threshold) and "s" in wanted:
                yield self._allocate("s", name, np.int32), name, None
            elif isinstance(node, Neuron):
                absent = {"s": not node.spiking, "u": node.tau_syn is None}
                for quantity in wanted:
                    if not absent.get(quantity, False):
                        whole = quantity == "s" and float(node.semantics.spike_scale).is_integer()
                        dtype = np.int32 if whole else np.float64
                        yield self._allocate(quantity, name, dtype), name, RECORDS[quantity]

    def _allocate(self, quantity: str, name: str, dtype: type) -> str:
        key = f"{quantity}/{name}"
        self.records[key] = np.zeros((self.samples, self.steps, *self.shapes[name]), dtype=dtype)
        return key

    def step(self, step: int) -> None:
        values: dict[str, Floats] = {}
        for name in self.order:
            x = self.given[name][:, step] if name in self.given else self._sum(name, values)
            values[name] = self.apply[name](x)
        for key, name, take in self.takers:
            taken = values[name] if take is None else take(self.populations[name])
            if self.records[key].dtype == np.int32 and not np.all(np.abs(taken) < 2**31):
                raise InputError(name, f"sends more than 2^31 spikes in step {step}: the network diverges", _DIVERGES)
            self.records[key][:, step] = taken
        self.before = values

    def _sum(self, name: str, values: Mapping[str, Floats]) -> Floats:
        first, *rest = ((self.before if back else values)[source] for source, back in self.sources[name])
        for other in rest:
            first = first + other
        return first


def _inputs(graph: Graph, spikes: Mapping[str, npt.ArrayLike]) -> dict[str, Floats]:
    """Return the inputs as float64 arrays after checking names and shapes against the Input nodes."""
    if set(spikes) != set(graph.inputs):
        raise UsageError(
            "spikes", f"given for {', '.join(spikes) or 'nothing'}", f"the inputs are {', '.join(graph.inputs)}"
        )
    arrays = {name: np.asarray(values, dtype=np.float64) for name, values in spikes.items()}
    leading = next((array.shape[:2] for array in arrays.values()), ())
    for name, array in arrays.items():
        node = graph.nodes[name]
        assert isinstance(node, Input)
        expected: Shape = (*leading, *node.shape)
        if len(leading) != 2 or array.shape != expected:
            raise UsageError(
                name,
                f"its spikes have the shape {list(array.shape)}",
                f"[samples, steps, *{list(node.shape)}] is expected",
            )
    if not arrays:
        raise InputError("graph", "has no Input", "add one")
    return arrays


def _isolate(graph: Graph, name: str) -> tuple[Graph, dict[str, str]]:
    """Return the part of ``graph`` that computes ``name`` alone, and for each cut source the name of its Input."""
    shapes = infer_shapes(graph)
    nodes: dict[str, Node] = {name: graph.nodes[name]}
    edges: list[tuple[str, str]] = []
    feedback: set[tuple[str, str]] = set()
    cut: dict[str, str] = {}
    waiting = [name]
    while waiting:
        target = waiting.pop()
        for source in graph.sources(target):
            node, label = graph.nodes[source], source
            if isinstance(node, Input | Neuron):
                # The node itself may be among its sources: the given one then needs a name of its own.
                label = cut[source] = f"{source} (given)"
                nodes[label] = Input(shapes[source])
            elif source not in nodes:
                nodes[source] = node
                waiting.append(source)
            edges.append((label, target))
            if (source, target) in graph.feedback:
                feedback.add((label, target))
    return replace(graph, nodes=nodes, edges=tuple(edges), feedback=frozenset(feedback)), cut

"""Follow one step of a torch module from tensor to tensor and write down the Graph it computes.

Modules that a table reads are taken as wholes (forward hooks). Everything between them is watched by a
:class:`torch.overrides.TorchFunctionMode`: reshaping that keeps the order and sums become nodes and edges, questions
about a tensor's shape are harmless, and any other operation on a followed tensor is refused with its name and place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from neurodeploy.errors import Unsupported
from neurodeploy.export.choices import calling_line, choices
from neurodeploy.export.fragment import Fragment, Reader
from neurodeploy.export.operations import OPERATIONS, QUESTIONS
from neurodeploy.export.recorder import Composer, Value, leading_axes
from neurodeploy.export.stepping import answers_of, call_step, membrane_of, state_count
from neurodeploy.export.torch_layers import reader_for
from neurodeploy.graph import Graph, Input, Neuron, Node, Output, Scale, Shape, frozen_array
from neurodeploy.shapes import infer_shapes


@dataclass(frozen=True, eq=False)
class Traced:
    """The Graph of a module, and its neurons whose membrane, not spikes, is the answer.

    ``inputs`` are the names of its Input nodes in the order in which forward takes them.
    """

    graph: Graph
    readouts: frozenset[str]
    inputs: tuple[str, ...]


def trace(
    module: nn.Module,
    samples: Mapping[str, Tensor],
    *,
    dt: float,
    readers: Mapping[type, Reader],
    refused: tuple[type, ...] = (),
    composers: Mapping[type, Composer] = MappingProxyType({}),
    leading: int = 1,
) -> Traced:
    """Return the Graph of a module that computes one step.

    Parameters
    ----------
    module : in evaluation mode, its states cleared.
    samples : name of every input, in the order of forward -> its value in one step, [2 or more samples, *shape], so
        that no other axis is taken for the batch.
    dt : duration of a step in seconds.
    readers : module class -> reader.
    refused : module classes that are refused by name unless a reader is given.
    composers : module class -> what adds several nodes for it.
    leading : axes of a tensor before those of a sample; 2 where ``samples`` are sequences of one step.

    Raises
    ------
    Unsupported : an operation or module that a Graph cannot hold; the message has its name, module and source line.
    """
    recorder = _Recorder(module, dt, readers, refused, composers, leading)
    with torch.no_grad(), recorder:
        inputs = tuple(recorder.enter_input(name, sample) for name, sample in samples.items())
        answer = call_step(module, tuple(samples.values()), None)
    graph, readouts = recorder.finish(answers_of(answer, state_count(module, len(inputs))))
    return Traced(graph, readouts, inputs)


class _Recorder(TorchFunctionMode):
    """The hooks and the function mode of one trace, and the graph found so far."""

    def __init__(
        self,
        module: nn.Module,
        dt: float,
        readers: Mapping[type, Reader],
        refused: tuple[type, ...],
        composers: Mapping[type, Composer],
        leading: int,
    ) -> None:
        super().__init__()
        self.module, self.dt, self.readers, self.refused, self.leading = module, dt, readers, refused, leading
        self.composers = composers
        self.notes: list[str] = []
        self.nodes: dict[str, Node] = {}
        self.edges: list[tuple[str, str]] = []
        self.feedback: set[tuple[str, str]] = set()
        self.values: dict[int, Value] = {}
        self.alive: list[Tensor] = []  # an id is unique only while its tensor lives
        self.inside: list[str] = []  # modules being run
        self.paths: dict[str, str] = {}  # name in messages -> path; the whole network has none
        self.whole = 0  # depth of modules that a reader takes as wholes
        self.hooks = ExitStack()

    def __enter__(self) -> _Recorder:
        for name, module in self.module.named_modules():
            reader = reader_for(module, self.readers)
            shown = name or type(module).__name__.lower()
            self.paths[shown] = name
            before, after = self._hooks_for(shown, reader, self.composers.get(type(module)))
            self.hooks.callback(module.register_forward_pre_hook(before).remove)
            self.hooks.callback(module.register_forward_hook(after, with_kwargs=True).remove)
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *exc_info: Any) -> None:
        super().__exit__(*exc_info)  # type: ignore[no-untyped-call]
        self.hooks.close()

    def enter_input(self, wanted: str, sample: Tensor) -> str:
        """Add an Input that a tensor holds and return its name."""
        shape = self._shape(sample)
        name = self._add(wanted, Input(shape))
        self._remember(sample, Value((name,), shape))
        return name

    def _hooks_for(
        self, name: str, reader: Reader | None, composer: Composer | None
    ) -> tuple[Callable[..., None], Callable[..., None]]:
        taken = reader is not None or composer is not None

        def before(module: nn.Module, _args: tuple[Any, ...]) -> None:
            if reader is None and isinstance(module, self.refused) and not self.whole:
                raise Unsupported(
                    name, f"is a {type(module).__name__}, for which there is no reader", f"known: {self._known()}"
                )
            self.inside.append(name)
            self.whole += taken

        def after(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], answer: Any) -> None:
            self.whole -= taken
            given = args[0] if args else next(iter(kwargs.values()), None)
            if taken and not self.whole and isinstance(given, Tensor) and id(given) in self.values:
                if composer is not None:
                    self._remember(answer, composer(self, module, name, self._read(given, name)))
                elif reader is not None:
                    self._take(module, name, reader, given, answer)
            self.inside.pop()

        return before, after

    def _take(self, module: nn.Module, name: str, reader: Reader, given: Tensor, answer: Any) -> None:
        """Add the node of a module that has just run."""
        value = self._read(given, name)
        fragment = reader(module, name, value.shape, self.dt)
        if fragment.node is None:
            self._remember(answer, value)
            return
        outputs = list(answer) if isinstance(answer, tuple) else [answer]
        if isinstance(fragment.node, Neuron) and name in self.nodes:
            raise Unsupported(
                name,
                "runs twice in one step, on one state",
                "let forward do one step, without a loop over time, and every neuron run once",
            )
        node = self._add_fragment(name, fragment, value)
        leading = leading_axes(given, value)
        self._remember(outputs[0], Value((node,), tuple(outputs[0].shape[leading:])))
        if isinstance(fragment.node, Neuron):
            for state in [*_tensors(outputs[1:]), *membrane_of(module)]:
                if state is not outputs[0] and state.ndim:
                    self._remember(state, Value((), tuple(state.shape[leading:]), state_of=node))

    def _add_fragment(self, name: str, fragment: Fragment, value: Value) -> str:
        assert fragment.node is not None
        name = f"{name}.{fragment.part}" if fragment.part else name
        node = self._add(name, fragment.node, module=True)
        if fragment.feeding is not None:
            feeding = self._add(f"{node}.input", fragment.feeding, module=True)
            self._connect(value, feeding)
            value = Value((feeding,), ())
        self._connect(value, node)
        if fragment.recurrent is not None:
            back = self._add(f"{node}.recurrent", fragment.recurrent, module=True)
            self.edges += [(node, back), (back, node)]
            self.feedback.add((node, back))
        return node

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        answer = func(*args, **(kwargs or {}))
        followed = [each for each in _tensors((args, kwargs or {})) if id(each) in self.values]
        operation = getattr(func, "__name__", str(func))
        if self.whole or not followed or operation in QUESTIONS:
            return answer
        handler = OPERATIONS.get(operation)
        if handler is None:
            raise self.cannot(operation, "is no part of a network here")
        named = dict(kwargs or {})
        given = (named.pop("input"), *args) if "input" in named else args
        handler(self, operation, given, named, answer)
        return answer

    def cannot(self, operation: str, problem: str) -> Unsupported:
        """Return the error for an operation, with the module and the line that calls it."""
        where = f"module {self.inside[-1]!r}" if self.inside else "the module"
        return Unsupported(f"{operation} in {where} ({self._place()})", problem, choices(operation, self._known()))

    def _place(self) -> str:
        """Return the user's line that is being run, or the class of the module where no line is the user's."""
        path = self.paths.get(self.inside[-1], "") if self.inside else ""
        return calling_line(call_step.__name__) or f"a {type(self.module.get_submodule(path)).__name__}"

    def read(self, tensor: Any, operation: str) -> Value:
        """Return what a tensor holds, refusing states and tensors that are not followed."""
        if not isinstance(tensor, Tensor) or id(tensor) not in self.values:
            raise self.cannot(operation, "joins a value of the network with a constant")
        return self._read(tensor, operation)

    def _read(self, tensor: Tensor, user: str) -> Value:
        value = self.values[id(tensor)]
        if value.state_of is not None:
            raise Unsupported(
                user,
                f"uses the membrane or current of {value.state_of!r}, which other layers cannot see ({self._place()})",
                "use its spikes",
            )
        return value

    def follows(self, value: Any) -> bool:
        """Return whether something is a tensor that comes from the input."""
        return isinstance(value, Tensor) and id(value) in self.values

    def put_fragment(self, name: str, fragment: Fragment, value: Value, answer: Tensor) -> None:
        """Add what a reader made between ``value`` and the tensor ``answer``."""
        if fragment.feeding is not None:
            value = Value((self.insert(f"{name}.input", fragment.feeding, value),), ())
        assert fragment.node is not None
        self.put(name, fragment.node, value, answer)

    def put(self, name: str, node: Node, value: Value, answer: Tensor) -> None:
        """Add a node that reads ``value`` and whose answer is the tensor ``answer``."""
        self._remember(answer, Value((self.insert(name, node, value),), self._shape(answer)))

    def insert(self, name: str, node: Node, value: Value) -> str:
        """Add a node that reads ``value`` under a name in the module that is being run, and return it."""
        path = self.paths.get(self.inside[-1], "") if self.inside else ""
        added = self._add(f"{path}.{name}" if path else name, node)
        self._connect(value, added)
        return added

    def node_of(self, name: str) -> Node:
        """Return the node of this name."""
        return self.nodes[name]

    def sources_of(self, name: str) -> tuple[str, ...]:
        """Return the nodes that a node reads."""
        return tuple(source for source, target in self.edges if target == name)

    def shape_of(self, name: str) -> Shape:
        """Return the shape of one sample of a node's answer."""
        return infer_shapes(Graph(self.nodes, tuple(self.edges), self.dt, frozenset(self.feedback)))[name]

    def note(self, sentence: str) -> None:
        """Let the graph tell something that the model does not say."""
        self.notes.append(sentence)

    def pass_on(self, answer: Tensor, value: Value) -> None:
        """Let the tensor ``answer`` hold ``value``."""
        self._remember(answer, value)

    def separate(self, value: Value, shape: Shape) -> Value:
        """Return the value behind a Scale by one, so that it can be added to itself: an edge exists once."""
        name = self._add("again", Scale(frozen_array(1.0)))
        self._connect(value, name)
        return Value((name,), shape)

    def _add(self, wanted: str, node: Node, *, module: bool = False) -> str:
        """Add a node under the name of its module, or under one that neither a node nor a module has."""
        name, count = wanted, 1
        while name in self.nodes or (name in self.paths and not module):
            count += 1
            name, module = f"{wanted}_{count}", False
        self.nodes[name] = node
        return name

    def _connect(self, value: Value, target: str) -> None:
        self.edges += [(source, target) for source in value.sources]

    def _shape(self, tensor: Tensor) -> Shape:
        """Return the shape of one sample of a tensor."""
        return tuple(tensor.shape[self.leading :])

    def _remember(self, tensor: Any, value: Value) -> None:
        if isinstance(tensor, Tensor):
            self.values[id(tensor)] = value
            self.alive.append(tensor)

    def _known(self) -> str:
        return ", ".join(dict.fromkeys(kind.__name__ for kind in self.readers))

    def finish(self, answers: Mapping[str, Any]) -> tuple[Graph, frozenset[str]]:
        """Return the graph, and the neurons of which it answers the membrane.

        The first answer must come from the inputs. Of the others those count that are spikes; membranes returned beside
        the spikes of their neurons, for a loss or a plot, do not.
        """
        (first, answer), *others = answers.items()
        if id(answer) not in self.values:
            problem = "returns a tensor that does not come from its input"
            raise Unsupported("the module", problem, "return the last spikes")
        found = {first: self.values[id(answer)]}
        for name, other in others:
            value = self.values.get(id(other))
            if value is not None and value.state_of is None and value not in found.values():
                found[name] = value
        readouts: frozenset[str] = frozenset()
        if (reader := found[first].state_of) is not None:
            readouts = frozenset({reader})
            self.nodes[reader] = self._integrator(reader)
            found[first] = Value((reader,), found[first].shape)
        for name, value in found.items():
            self._connect(value, self._add(name if len(found) > 1 else "output", Output(value.shape)))
        graph = Graph(self.nodes, tuple(self.edges), self.dt, frozenset(self.feedback), tuple(self.notes))
        return graph, readouts

    def _integrator(self, name: str) -> Node:
        """Return the neuron whose membrane is the answer, without its threshold."""
        neuron = self.nodes[name]
        assert isinstance(neuron, Neuron)
        if neuron.semantics.reset != "none" or any(source == name for source, _ in self.edges):
            raise Unsupported(
                name, "its membrane is returned, but it also fires", "return its spikes, or use reset_mechanism='none'"
            )
        return replace(neuron, threshold=None, v_reset=None)


def _tensors(values: Any) -> list[Tensor]:
    """Return the tensors in nested arguments."""
    if isinstance(values, Tensor):
        return [values]
    if isinstance(values, dict):
        values = values.values()
    elif not isinstance(values, list | tuple):
        return []
    return [tensor for each in values for tensor in _tensors(each)]

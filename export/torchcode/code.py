"""A Graph as the source text of one torch module: a line a layer in ``__init__``, a line a layer in ``forward``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from neurodeploy.errors import Unsupported
from neurodeploy.export.torchcode.layers import layer
from neurodeploy.export.torchcode.part import Arrays, Loop, Part, Writer, identifiers
from neurodeploy.graph import Convolution, Graph, Input, Linear, Neuron, Output, Scale, frozen_array
from neurodeploy.passes.absorb_leak import absorb_leak
from neurodeploy.passes.channels import per_channel, scale_rows
from neurodeploy.passes.surgery import with_nodes
from neurodeploy.shapes import infer_shapes

#: Characters of a line inside a method, eight of 120 being its indent.
_WIDTH = 112

_TEXT = '''\
"""A spiking network for {title}, written by neurodeploy.

Its weights are the state dict beside this file:

    from safetensors.torch import load_file

    net = build()
    net.load_state_dict(load_file("{name}.safetensors"))

``forward`` computes one step of {seconds:g} s on inputs [batch, {shape}].
{states}
"""

{imports}


class Network(nn.Module):
    """{title} layers by the names they had in the graph."""

    def __init__(self):
        super().__init__()
{layers}

    def forward(self, {arguments}):
        """Return the answer of one step{behind}."""
{steps}


def build():
    """Return the network in evaluation mode, with weights still to be loaded."""
    return Network().eval()
'''


@dataclass(frozen=True, eq=False)
class Code:
    """A module as text, and its state dict."""

    text: str
    state: Arrays


@dataclass
class _Lines:
    """What has been written so far; ``known`` is the variable that holds the answer of a node."""

    writer: Writer
    names: Mapping[str, str]
    layers: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    state: dict[str, object] = field(default_factory=dict)
    known: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, part: Part) -> None:
        """Add a layer and its weights."""
        own = self.names[name]
        for suffix, expression in part.buffers.items():
            self.layers.append(f'self.register_buffer("{own}_{suffix}", {expression})')
        self.layers += _wrapped(f"self.{own} = {part.build.replace('self.NAME_', f'self.{own}_')}")
        for key, values in part.state.items():
            self.state[f"{own}{key}" if key.startswith("_") else f"{own}.{key}"] = values
        self.known[name] = own

    def run(self, name: str, part: Part, given: str, *, stateful: bool) -> None:
        """Add the line of ``forward`` that runs it."""
        own = self.names[name]
        if not stateful:
            self.steps.append(f"{own} = self.{own}({given})")
        elif self.writer.KEEPS_STATE:
            self.steps.append(f"{'_, ' if part.membrane else ''}{own} = self.{own}({given})")
        else:
            self.steps.append(f'{own}, states["{own}"] = self.{own}({given}, states.get("{own}"))')


def generate(graph: Graph, writer: Writer, name: str) -> Code:
    """Return the module that computes ``graph`` with the layers of ``writer``."""
    for kind, found in (("input", graph.inputs), ("output", graph.outputs)):
        if len(found) != 1:
            raise Unsupported("graph", f"has {len(found)} {kind}s, a generated module one", f"keep one {kind}")
    graph = _with_gains(absorb_leak(graph), writer)
    shapes, loops, inside = infer_shapes(graph), *_loops(graph, writer)
    lines = _Lines(writer, identifiers(n for n in graph.nodes if n not in inside))
    for each in graph.order():
        node = graph.nodes[each]
        if each in inside or isinstance(node, Output):
            continue
        if isinstance(node, Input):
            lines.known[each] = "x"
            continue
        sources = _heard(graph, each, inside, loops)
        given = " + ".join(lines.known[source] for source in sources)
        if isinstance(node, Neuron):
            part: Part | None = writer.neuron(each, node, graph.dt, loops.get(each))
        else:
            part = layer(each, node, shapes[sources[0]])
        if part is None:
            lines.known[each] = f"({given})" if len(sources) > 1 else given
            continue
        lines.add(each, part)
        lines.run(each, part, given, stateful=isinstance(node, Neuron))
    return Code(_text(graph, writer, name, lines), lines.state)  # type: ignore[arg-type]


def _with_gains(graph: Graph, writer: Writer) -> Graph:
    """Return the graph with the gain of every read-out in the weights before it, beyond what the framework gives it."""
    for name in graph.of_type(Neuron):
        node = graph.nodes[name]
        assert isinstance(node, Neuron)
        if node.spiking:
            continue
        factor = np.broadcast_to(writer.membrane_gain(node, graph.dt), node.shape)
        if np.allclose(factor, 1.0, rtol=1e-6, atol=0):
            continue
        rows = per_channel(factor, node.shape) if len(node.shape) != 1 else np.array(factor)
        for source in graph.sources(name):
            synapse = graph.nodes[source]
            alone = isinstance(synapse, Linear | Convolution) and graph.targets(source) == [name]
            if rows is None or not alone:
                problem = f"answers by a membrane with another gain than {writer.TITLE}'s"
                raise Unsupported(f"node {name!r}", problem, "put a synapse of its own before it")
            assert isinstance(synapse, Linear | Convolution)
            graph = with_nodes(graph, {source: scale_rows(synapse, rows, None)})
    return graph


def _text(graph: Graph, writer: Writer, name: str, lines: _Lines) -> str:
    answer = " + ".join(lines.known[source] for source in graph.sources(graph.outputs[0]))
    first = [] if writer.KEEPS_STATE else ["states = dict(states or {})"]
    steps = [*first, *lines.steps, f"return {answer}" if writer.KEEPS_STATE else f"return {answer}, states"]
    entered = graph.nodes[graph.inputs[0]]
    assert isinstance(entered, Input)
    uses_torch = any("torch." in line for line in (*lines.layers, *steps))
    imports = [line for line in writer.IMPORTS if uses_torch or line != "import torch"]
    if any("reset_subtract" in line for line in lines.layers):
        imports.append("from norse.torch.functional.reset import reset_subtract")
        imports.sort(key=lambda line: (line.startswith("from"), line))
    kept = "Layers keep their state, which their ``reset_mem()`` clears." if writer.KEEPS_STATE else _GIVEN
    return _TEXT.format(
        title=writer.TITLE,
        name=name,
        seconds=graph.dt,
        shape=", ".join(map(str, entered.shape)),
        states=kept,
        imports="\n".join(imports),
        layers="\n".join(f"        {line}" for line in lines.layers),
        behind="" if writer.KEEPS_STATE else ", and the states after it",
        arguments="x" if writer.KEEPS_STATE else "x, states=None",
        steps="\n".join(f"        {line}" for line in steps),
    )


_GIVEN = "It takes the states of the step before, or None, and returns the new ones behind its answer."


def _wrapped(line: str) -> list[str]:
    """Return a call in one line, or its arguments in a line of their own, or in one each, as formatters write it."""
    if len(line) <= _WIDTH:
        return [line]
    head, _, rest = line.partition("(")
    if len(rest) - 1 <= _WIDTH - 4:
        return [f"{head}(", f"    {rest[:-1]}", ")"]
    parts = [f"    {each}" for argument in _arguments(rest[:-1]) for each in _closed(argument)]
    return [f"{head}(", *parts, ")"]


def _closed(argument: str) -> list[str]:
    """Return an argument with its comma, over several lines where it is itself a long call."""
    if len(argument) + 1 <= _WIDTH - 4 or "(" not in argument:
        return [f"{argument},"]
    head, _, rest = argument.partition("(")
    return [f"{head}(", *(f"    {each}," for each in _arguments(rest[:-1])), "),"]


def _arguments(text: str) -> list[str]:
    """Return the arguments of a call, cut at the commas outside brackets."""
    found, depth = [""], 0
    for character in text:
        depth += (character in "([") - (character in ")]")
        if character == "," and not depth:
            found.append("")
        else:
            found[-1] += character
    return [argument.strip() for argument in found]


def _loops(graph: Graph, writer: Writer) -> tuple[dict[str, Loop], frozenset[str]]:
    """Return population -> what feeds it back, and the nodes that become parts of recurrent layers."""
    loops: dict[str, Loop] = {}
    inside: set[str] = set()
    for source, target in sorted(graph.feedback):
        population, back = _loop(graph, source, target)
        if population in loops:
            raise Unsupported(f"node {population!r}", "is fed back twice", "join the two synapses")
        node = graph.nodes[back] if back is not None else Scale(frozen_array(1.0))
        if not isinstance(node, Linear | Scale):
            problem = f"feeds {population!r} back as a {type(node).__name__}"
            raise Unsupported(f"node {back!r}", problem, "use a matrix or a factor a neuron")
        feeding = _feeding(graph, population, back) if writer.FEEDS else None
        loops[population] = Loop(node, None if feeding is None else _matrix(graph, feeding))
        inside |= {each for each in (back, feeding) if each is not None}
    return loops, frozenset(inside)


def _loop(graph: Graph, source: str, target: str) -> tuple[str, str | None]:
    """Return the population of a loop and the synapse on it, None where an edge leads straight back."""
    if source == target and isinstance(graph.nodes[source], Neuron):
        return source, None
    for population, back in ((source, target), (target, source)):
        alone = graph.sources(back) == [population] and graph.targets(back) == [population]
        if isinstance(graph.nodes[population], Neuron) and alone:
            return population, back
    raise Unsupported(
        f"{source} -> {target}", "closes a loop over several layers", "only a layer's own feedback has a recurrent form"
    )


def _feeding(graph: Graph, population: str, back: str | None) -> str:
    """Return the matrix before a population whose recurrent cell holds the weights of its input."""
    before = [source for source in graph.sources(population) if source not in (back, population)]
    for each in before if len(before) == 1 else []:
        node = graph.nodes[each]
        if isinstance(node, Linear) and node.bias is None and graph.targets(each) == [population]:
            return each
    raise Unsupported(
        f"node {population!r}", "is recurrent and reads other than one matrix without bias", "use Linear(bias=False)"
    )


def _matrix(graph: Graph, name: str) -> Linear:
    node = graph.nodes[name]
    assert isinstance(node, Linear)
    return node


def _heard(graph: Graph, name: str, inside: frozenset[str], loops: Mapping[str, Loop]) -> list[str]:
    """Return what a node reads, past a matrix that is part of it and without its own feedback."""
    found = []
    for source in graph.sources(name):
        if source in inside:
            if (feeds := loops.get(name)) and feeds.feeding is graph.nodes[source]:
                found += graph.sources(source)
        elif source != name:
            found.append(source)
    if not found:
        raise Unsupported(f"node {name!r}", "is fed by nothing but itself", "give it an input")
    return found

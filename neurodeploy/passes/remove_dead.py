"""``s[i] = 0 for ever, or no weight reads s[i]  =>  drop i``: neurons that no answer depends on.

A neuron (in a convolution: a channel) is silent when no weight and no bias or leak drives it, and unread when every
weight from it is 0 and it is no output. Branches that reach no Output go altogether.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.graph import Convolution, Graph, Linear, Neuron, Node, frozen_array
from neurodeploy.passes.surgery import with_nodes

Flags = npt.NDArray[np.bool_]


def remove_dead(graph: Graph) -> Graph:
    """Return the graph without dead branches and neurons; the spikes of what is left, and every answer, stay.

    Only populations with a Linear or Convolution on every side are thinned, and at least one neuron of each is kept.
    """
    graph = _without_dead_branches(graph)
    while True:
        smaller = graph
        for name in graph.of_type(Neuron):
            smaller = _thinned(smaller, name)
        if smaller is graph:
            return graph
        graph = smaller


def _without_dead_branches(graph: Graph) -> Graph:
    alive, waiting = set(graph.outputs), list(graph.outputs)
    while waiting:
        for source in graph.sources(waiting.pop()):
            if source not in alive:
                alive.add(source)
                waiting.append(source)
    alive |= set(graph.inputs)  # an input that nobody reads is still part of what the network takes
    if alive >= set(graph.nodes):
        return graph
    edges = tuple(edge for edge in graph.edges if edge[0] in alive and edge[1] in alive)
    nodes = {name: node for name, node in graph.nodes.items() if name in alive}
    gone = ", ".join(name for name in graph.nodes if name not in alive)
    notes = (*graph.notes, f"removed, for no output depends on them: {gone}")
    return replace(graph, nodes=nodes, edges=edges, feedback=graph.feedback & set(edges), notes=notes)


def _thinned(graph: Graph, name: str) -> Graph:
    neuron = graph.nodes[name]
    assert isinstance(neuron, Neuron)
    before, after = graph.sources(name), graph.targets(name)
    neighbours = [graph.nodes[other] for other in (*before, *after)]
    fits = all(isinstance(n, Linear) if len(neuron.shape) == 1 else isinstance(n, Convolution) for n in neighbours)
    alone = all(graph.targets(b) == [name] for b in before) and all(graph.sources(a) == [name] for a in after)
    grouped = any(isinstance(n, Convolution) and n.groups > 1 for n in neighbours)
    if not (before and after and fits and alone) or grouped or set(before) & set(after):
        return graph
    kept = ~(_silent(neuron, [graph.nodes[b] for b in before]) | _unread([graph.nodes[a] for a in after]))
    if kept.all():
        return graph
    kept[0] |= not kept.any()
    if kept.all():
        return graph
    changed: dict[str, Node] = {b: _rows(graph.nodes[b], kept) for b in before}
    changed |= {a: _columns(graph.nodes[a], kept) for a in after}
    changed[name] = _part(neuron, kept)
    what = "neurons" if len(neuron.shape) == 1 else "channels"
    note = f"{name}: {int((~kept).sum())} of {len(kept)} {what} removed, silent or unread"
    return replace(with_nodes(graph, changed), notes=(*graph.notes, note))


def _silent(neuron: Neuron, synapses: list[Node]) -> Flags:
    """Return which rows nothing can ever drive above threshold."""
    rows = neuron.shape[0]
    if neuron.threshold is None or (neuron.v_leak is not None and np.any(neuron.v_leak)):
        return np.zeros(rows, dtype=bool)
    if neuron.semantics.v_init != "zero" or np.min(neuron.threshold) <= 0:
        return np.zeros(rows, dtype=bool)
    driven = np.zeros(rows, dtype=bool)
    for synapse in synapses:
        assert isinstance(synapse, Linear | Convolution)
        driven |= np.asarray(synapse.weight).reshape(rows, -1).any(axis=1)
        if synapse.bias is not None:
            driven |= np.asarray(synapse.bias) != 0
    return ~driven


def _unread(synapses: list[Node]) -> Flags:
    read = np.zeros((), dtype=bool)
    for synapse in synapses:
        assert isinstance(synapse, Linear | Convolution)
        columns = np.moveaxis(np.asarray(synapse.weight), 1, 0)
        read = read | columns.reshape(len(columns), -1).any(axis=1)
    return np.asarray(~read)


def _rows(synapse: Node, kept: Flags) -> Node:
    assert isinstance(synapse, Linear | Convolution)
    bias = None if synapse.bias is None else frozen_array(np.asarray(synapse.bias)[kept])
    return replace(synapse, weight=frozen_array(np.asarray(synapse.weight)[kept]), bias=bias)


def _columns(synapse: Node, kept: Flags) -> Node:
    assert isinstance(synapse, Linear | Convolution)
    return replace(synapse, weight=frozen_array(np.asarray(synapse.weight)[:, kept]))


def _part(neuron: Neuron, kept: Flags) -> Neuron:
    """Return the neuron node with these rows of its shape, and of every constant that has them."""
    changed: dict[str, Any] = {}
    for field in fields(neuron):
        value = getattr(neuron, field.name)
        if isinstance(value, np.ndarray) and value.ndim == len(neuron.shape) and value.shape[0] == neuron.shape[0]:
            changed[field.name] = frozen_array(value[kept])
    return replace(neuron, shape=(int(kept.sum()), *neuron.shape[1:]), **changed)

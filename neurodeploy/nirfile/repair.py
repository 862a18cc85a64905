"""What bare NIR files leave open or get wrong about shapes, settled where only one reading fits, and always told.

Scalar constants take the size of the layer before; a leading batch axis of 1 is dropped; a Flatten whose axes were
counted with the batch is counted without it; nodes that lead to no Output are left out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from neurodeploy.errors import InputError
from neurodeploy.graph import Convolution, Flatten, Input, Linear, Neuron, Node, Output, Pool, Shape
from neurodeploy.shapes import output_shape, propagate

Nodes = dict[str, Node]
Edges = tuple[tuple[str, str], ...]


def prune(nodes: Nodes, edges: Edges, notes: list[str]) -> tuple[Nodes, Edges]:
    """Leave out the nodes from which no Output can be reached; Inputs stay."""
    leading: dict[str, list[str]] = {name: [] for name in nodes}
    for source, target in edges:
        leading[target].append(source)
    kept = {name for name, node in nodes.items() if isinstance(node, Output)}
    if not kept or not edges:
        return nodes, edges
    if loose := [name for name in nodes if name in kept and not leading[name]]:
        raise InputError(loose[0], "this Output is not connected to any Input", "add the missing edge")
    waiting = list(kept)
    while waiting:
        fresh = [name for name in leading[waiting.pop()] if name not in kept]
        kept.update(fresh)
        waiting += fresh
    kept.update(name for name, node in nodes.items() if isinstance(node, Input))
    if dropped := [name for name in nodes if name not in kept]:
        notes.append(f"{', '.join(dropped)}: left out, for no Output depends on it")
    return {name: node for name, node in nodes.items() if name in kept}, tuple(
        edge for edge in edges if edge[0] in kept and edge[1] in kept
    )


def resolve(
    nodes: Nodes, edges: Edges, unsized: Collection[str], claims: Mapping[str, Shape], notes: list[str]
) -> Nodes:
    """Return ``nodes`` with every shape settled that the file leaves open.

    Parameters
    ----------
    unsized : neurons whose constants are single values.
    claims : convolution -> the spatial input shape that the file states for it.
    notes : gains one line for each repair.
    """
    following: dict[str, list[str]] = {name: [] for name in nodes}
    for source, target in edges:
        following[source].append(target)
    nodes = _drop_batch_axis(nodes, following, unsized, notes)
    taking = {*unsized, *(name for name, node in nodes.items() if isinstance(node, Output))}
    shapes, origin = propagate(nodes, edges, taking)
    for name, node in list(nodes.items()):
        if isinstance(node, Flatten) and name in origin:
            fixed = _recount(name, node, shapes[origin[name]], [nodes[t] for t in following[name] if t not in unsized])
            if fixed is not node:
                nodes[name] = fixed
                notes.append(
                    f"{name}: its axes {node.start} to {node.end} count the batch; read as {fixed.start} to {fixed.end}"
                )
                shapes, origin = propagate(nodes, edges, taking)
    for name in unsized:
        nodes[name] = _expand(name, nodes[name], shapes, origin, notes)
    _settle_outputs(nodes, shapes, origin, notes)
    for name, claim in claims.items():
        if name in origin and isinstance(nodes[name], Convolution) and shapes[origin[name]][1:] != claim:
            found = list(shapes[origin[name]][1:])
            notes.append(f"{name}: the file states the input shape {list(claim)}, but {found} arrives and was used")
    return nodes


def _drop_batch_axis(
    nodes: Nodes, following: Mapping[str, list[str]], unsized: Collection[str], notes: list[str]
) -> Nodes:
    nodes = dict(nodes)
    for name, node in list(nodes.items()):
        if not isinstance(node, Input):
            continue
        for target in following[name]:
            rank = None if target in unsized else _rank(nodes[target])
            extra = len(node.shape) - rank if rank is not None else 0
            if extra > 0 and set(node.shape[:extra]) == {1}:
                nodes[name] = Input(node.shape[extra:])
                notes.append(
                    f"{name}: shape {list(node.shape)} read as {list(node.shape[extra:])}, without batch and time"
                )
                break
    return nodes


def _rank(node: Node) -> int | None:
    """Return how many axes the input of ``node`` has, where the node says so."""
    if isinstance(node, Linear):
        return 1
    if isinstance(node, Neuron):
        return len(node.shape)
    if isinstance(node, Convolution):
        return node.weight.ndim - 1
    return len(node.kernel) + 1 if isinstance(node, Pool) else None


def _recount(name: str, node: Flatten, shape: Shape, targets: list[Node]) -> Flatten:
    """Return ``node`` with its axes counted without the batch, where only that fits what the targets take."""
    expected = {
        t.weight.shape[1:] if isinstance(t, Linear) else t.shape for t in targets if isinstance(t, Linear | Neuron)
    }
    if len(expected) != 1 or node.start < 1:
        return node
    without = Flatten(node.start - 1, node.end if node.end < 0 else node.end - 1)
    if {_flattened(name, node, shape)} != expected and {_flattened(name, without, shape)} == expected:
        return without
    return node


def _flattened(name: str, node: Flatten, shape: Shape) -> Shape | None:
    try:
        return output_shape(name, node, shape)
    except InputError:
        return None


def _expand(name: str, node: Node, shapes: Mapping[str, Shape], origin: Mapping[str, str], notes: list[str]) -> Node:
    assert isinstance(node, Neuron)
    shape = shapes.get(name, node.shape) or (1,)
    if shape != node.shape:
        notes.append(f"{name}: its single values apply to every neuron of the shape {list(shape)} ({origin.get(name)})")
    return replace(node, shape=shape)


def _settle_outputs(nodes: Nodes, shapes: Mapping[str, Shape], origin: Mapping[str, str], notes: list[str]) -> None:
    for name, node in nodes.items():
        if not isinstance(node, Output) or name not in origin:
            continue
        arriving = shapes[origin[name]]
        extra = len(node.shape) - len(arriving)
        if node.shape != arriving and extra > 0 and node.shape[extra:] == arriving and set(node.shape[:extra]) == {1}:
            nodes[name] = Output(arriving)
            notes.append(f"{name}: shape {list(node.shape)} read as {list(arriving)}, without batch and time")

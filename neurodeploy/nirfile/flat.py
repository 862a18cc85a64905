"""The nodes and edges of a NIR file, with nested graphs taken apart.

A node ``inner`` of a nested graph ``outer`` becomes ``outer.inner``; the Input and Output of a nested graph vanish, and
the edges through them are joined.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from neurodeploy.errors import InputError, Unsupported
from neurodeploy.hdf5 import MAX_NAME, MAX_TEXT, Group
from neurodeploy.nirfile.tables import PRIMITIVES

#: Nested graphs within one another; the deepest known files have three.
MAX_DEPTH = 16
#: Nodes of a file, over all nested graphs.
MAX_NODES = 10_000
#: Edges of a file, after nested graphs are taken apart.
MAX_EDGES = 100_000
#: Metadata entries of one node or graph.
MAX_METADATA = 10_000

Edge = tuple[str, str]
#: Input and Output -> the names of the nodes of this type that stand directly in one graph.
Ports = dict[str, list[str]]


@dataclass(frozen=True)
class Record:
    """One node as it stands in the file: its type, and its group with the fields, not yet read."""

    kind: str
    group: Group


@dataclass
class Flat:
    """What a file holds: nodes by full name in file order, edges between them, metadata by key.

    ``inner`` names the Input and Output nodes of nested graphs.
    """

    records: dict[str, Record] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    inner: list[str] = field(default_factory=list)


def read_flat(node: Group) -> Flat:
    """Return the content of the root graph ``node``.

    Raises
    ------
    InputError : not a graph, too deep, too many nodes or edges, an edge without node, or a name that occurs twice.
    """
    if (kind := node.text("type")) != "NIRGraph":
        raise Unsupported(node.where, f"the root has the type {kind!r}, not 'NIRGraph'", "wrap the node in a graph")
    found = Flat(metadata=read_metadata(node))
    _walk(node, "", 1, found)
    if found.inner:
        found.edges = _dissolve(found.edges, found.inner)
        found.notes.append("nested graphs were taken apart; their nodes are named outer.inner")
    for name in found.inner:
        del found.records[name]
    return found


def read_metadata(group: Group) -> dict[str, Any]:
    """Return the metadata of one node: texts, and arrays of numbers; a key of a nested group is ``outer:inner``."""
    return dict(_metadata(group.group("metadata"), "", 1)) if "metadata" in group else {}


def _metadata(group: Group, prefix: str, depth: int) -> Iterator[tuple[str, Any]]:
    if depth > MAX_DEPTH or len(group.names) > MAX_METADATA:
        raise InputError(group.where, f"nests deeper than the limit of {MAX_DEPTH}, or holds too much", "remove it")
    for name in group.names:
        if group.is_group(name):
            yield from _metadata(group.group(name), f"{prefix}{name}:", depth + 1)
        else:
            yield prefix + name, group.text(name, MAX_TEXT) if group.is_text(name) else group.numbers(name)


def _walk(graph: Group, prefix: str, depth: int, found: Flat) -> Ports:
    """Add the nodes and edges of ``graph`` to ``found``; return its own Input and Output nodes."""
    if depth > MAX_DEPTH:
        raise InputError(graph.where, f"the nesting of graphs exceeds the depth limit of {MAX_DEPTH}", "flatten it")
    members = graph.group("nodes")
    nested: dict[str, Ports] = {}
    own: Ports = {"Input": [], "Output": []}
    for name in members.names:
        group, full = members.group(name), prefix + name
        kind = group.text("type")
        found.metadata |= {f"{full}:{key}": value for key, value in read_metadata(group).items()}
        if kind == "NIRGraph":
            nested[name] = _walk(group, f"{full}.", depth + 1, found)
            continue
        if kind not in PRIMITIVES:
            known = ", ".join(PRIMITIVES)
            raise Unsupported(group.where, f"node {full!r} has the unknown type {kind!r}", f"known are {known}")
        _add(found, full, Record(kind, group))
        if kind in own:
            own[kind].append(full)
    found.edges += _edges(graph, prefix, set(members.names), nested)
    if depth > 1:
        found.inner += own["Input"] + own["Output"]
    return own


def _add(found: Flat, name: str, record: Record) -> None:
    if name in found.records:
        raise InputError(name, "two nodes have this name once nested graphs are taken apart", "rename one of them")
    if len(found.records) >= MAX_NODES:
        raise InputError(record.group.where, f"the file holds more nodes than the limit of {MAX_NODES:,}", "split it")
    if len(name) > MAX_NAME * MAX_DEPTH:
        raise InputError(record.group.where, "its full name is too long", "shorten the names of the nested graphs")
    found.records[name] = record


def _edges(graph: Group, prefix: str, names: set[str], nested: dict[str, Ports]) -> list[Edge]:
    pairs = graph.pairs("edges", MAX_EDGES)
    seen: set[Edge] = set()
    for source, target in pairs:
        for end in (source, target):
            if end not in names:
                raise InputError(
                    f"{prefix}{source} -> {prefix}{target}", f"the edge names the node {end!r}, which does not exist",
                    f"the nodes of this graph are {', '.join(sorted(names)[:20])}",
                )  # fmt: skip
        if (source, target) in seen:
            raise InputError(
                f"{prefix}{source} -> {prefix}{target}",
                "duplicate edge",
                "write it once, for two would double the input",
            )
        seen.add((source, target))
    return [
        (_port(prefix, source, nested, "Output"), _port(prefix, target, nested, "Input")) for source, target in pairs
    ]


def _port(prefix: str, name: str, nested: dict[str, Ports], kind: str) -> str:
    """Return the full name of the node that an edge end means: a nested graph stands for its one Input or Output."""
    if name not in nested:
        return prefix + name
    ports = nested[name][kind]
    if len(ports) != 1:
        raise Unsupported(
            prefix + name, f"the nested graph has {len(ports)} {kind} nodes, but an edge can only name the graph",
            f"give it one {kind}",
        )  # fmt: skip
    return ports[0]


def _dissolve(edges: list[Edge], inner: list[str]) -> list[Edge]:
    """Join the edges into and out of every node of ``inner`` and drop the node."""
    after: dict[str, dict[str, None]] = {}
    before: dict[str, dict[str, None]] = {}
    for source, target in edges:
        after.setdefault(source, {})[target] = None
        before.setdefault(target, {})[source] = None
    count = len(edges)
    for name in inner:
        sources, targets = before.pop(name, {}), after.pop(name, {})
        if name in sources:
            raise InputError(name, "a cycle runs through it without a neuron", "put a neuron into the loop")
        count += len(sources) * len(targets)
        if count > MAX_EDGES:
            raise InputError(name, f"joining its edges exceeds the limit of {MAX_EDGES:,} edges", "flatten the graph")
        for source in sources:
            del after[source][name]
            _join(after, source, targets)
        for target in targets:
            del before[target][name]
            before[target] |= sources
    return [(source, target) for source, targets in after.items() for target in targets]


def _join(after: dict[str, dict[str, None]], source: str, targets: dict[str, None]) -> None:
    if twice := after[source].keys() & targets.keys():
        raise InputError(
            f"{source} -> {min(twice)}",
            "duplicate edge once nested graphs are taken apart",
            "scale one path by 2 instead",
        )
    after[source] |= targets

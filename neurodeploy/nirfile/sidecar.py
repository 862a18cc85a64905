"""What NIR leaves out, kept in its metadata: the entry ``neurodeploy``, a JSON text.

::

    {"format": 1, "dt": 0.001, "feedback": [["lif", "w_rec"]], "notes": [...],
     "nodes": {"lif": {"semantics": {...}, "fields": {"threshold": [], "v_leak": null}}, ...}}

``nodes`` names all nodes in the order of the Graph. ``fields`` gives the shape that a constant had before it was
expanded for NIR, or null where the node had none.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.errors import InputError
from neurodeploy.graph import Graph, Neuron, Node, Shape, frozen_array
from neurodeploy.nirfile.tables import PRIMITIVES
from neurodeploy.semantics import Semantics, semantics_from

#: The key of our metadata; every key that starts with it belongs to neurodeploy and is not copied into a Graph.
KEY = "neurodeploy"
FORMAT = 1

#: Attribute -> the value that its absence means.
DEFAULTS: dict[str, float] = {"v_reset": 0.0, "v_leak": 0.0, "w_in": 1.0, "bias": 0.0}

_REMEDY = "write the file again, or remove its neurodeploy metadata and read it with --semantics and --dt"


@dataclass(frozen=True)
class Sidecar:
    """The content of the metadata entry."""

    dt: float
    feedback: frozenset[tuple[str, str]]
    notes: tuple[str, ...]
    semantics: Mapping[str, Semantics]
    fields: Mapping[str, Mapping[str, Shape | None]]


def dump(graph: Graph, fields: Mapping[str, Mapping[str, Shape | None]]) -> str:
    """Return the entry for ``graph``."""
    nodes: dict[str, dict[str, Any]] = {name: {} for name in graph.nodes}
    for name, node in graph.nodes.items():
        if isinstance(node, Neuron):
            nodes[name]["semantics"] = node.semantics.as_dict()
        if fields.get(name):
            nodes[name]["fields"] = dict(fields[name])
    content = {
        "format": FORMAT,
        "dt": float(graph.dt),
        "feedback": sorted(graph.feedback),
        "notes": list(graph.notes),
        "nodes": nodes,
    }
    return json.dumps(content, ensure_ascii=False, allow_nan=False)


def parse(text: str, where: str) -> Sidecar:
    """Return the entry ``text``.

    Raises
    ------
    InputError : it is no JSON of the known format, or a value in it makes no sense.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(where, f"its metadata {KEY!r} is not JSON ({error})", _REMEDY) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        found = content.get("format") if isinstance(content, dict) else type(content).__name__
        raise InputError(
            where, f"its metadata {KEY!r} has the format {found!r}; {FORMAT} is known", "update neurodeploy"
        )
    try:
        return _sidecar(content, where)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            where, f"its metadata {KEY!r} is damaged ({type(error).__name__}: {error})", _REMEDY
        ) from error


def _sidecar(content: Mapping[str, Any], where: str) -> Sidecar:
    dt = float(content["dt"])
    if not 0 < dt < math.inf:
        raise InputError(where, f"its metadata says dt = {dt}", "a finite duration above 0 is expected")
    nodes: Mapping[str, Mapping[str, Any]] = content["nodes"]
    return Sidecar(
        dt,
        frozenset((str(source), str(target)) for source, target in content["feedback"]),
        tuple(str(note) for note in content["notes"]),
        {
            name: semantics_from(entry["semantics"], f"{where}: {name}")
            for name, entry in nodes.items()
            if "semantics" in entry
        },
        {
            name: {str(k): None if v is None else tuple(map(int, v)) for k, v in entry.get("fields", {}).items()}
            for name, entry in nodes.items()
        },
    )


def check(sidecar: Sidecar, nodes: Mapping[str, str], edges: tuple[tuple[str, str], ...], where: str) -> None:
    """Raise :class:`InputError` where the entry describes another network than ``nodes`` (name -> NIR type)."""
    if odd := sorted(set(sidecar.fields) ^ set(nodes)):
        raise InputError(where, f"its metadata {KEY!r} does not describe its nodes (difference: {odd[:5]})", _REMEDY)
    if missing := [
        name for name, kind in nodes.items() if PRIMITIVES[kind].node is Neuron and name not in sidecar.semantics
    ]:
        raise InputError(where, f"its metadata {KEY!r} has no semantics for {missing[0]!r}", _REMEDY)
    if strange := sorted(sidecar.feedback - set(edges)):
        raise InputError(where, f"its metadata {KEY!r} names {strange[0]} as feedback, which is no edge", _REMEDY)


def restore(node: Node, fields: Mapping[str, Shape | None]) -> Node:
    """Undo the expansion of constants, as far as the stored arrays still are what the expansion made."""
    changes: dict[str, Any] = {}
    for attribute, shape in fields.items():
        values = getattr(node, attribute, None)
        if not isinstance(values, np.ndarray):
            continue
        if shape is None:
            if attribute in DEFAULTS and (values == DEFAULTS[attribute]).all():
                changes[attribute] = None
        elif (compact := _compact(values, shape)) is not None:
            changes[attribute] = compact
    return replace(node, **changes) if changes else node


def _compact(values: npt.NDArray[Any], shape: Shape) -> npt.NDArray[Any] | None:
    """Return the array of this shape that broadcasts to ``values``, or None where there is none."""
    padded = (1,) * (values.ndim - len(shape)) + shape
    if len(padded) != values.ndim or any(p not in (1, n) for p, n in zip(padded, values.shape, strict=True)):
        return None
    small = values[tuple(slice(0, size) for size in padded)]
    return frozen_array(small.reshape(shape)) if (values == small).all() else None

"""A NIR file becomes a Graph: bounded, checked, and with every choice the file leaves open written down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy.discrete import delay_steps
from neurodeploy.errors import InputError, UsageError
from neurodeploy.graph import Delay, Graph, Neuron, Node, frozen_array
from neurodeploy.hdf5 import Group, opened
from neurodeploy.nirfile import sidecar
from neurodeploy.nirfile.build import build
from neurodeploy.nirfile.feedback import find_feedback
from neurodeploy.nirfile.flat import Flat, read_flat
from neurodeploy.nirfile.flat import read_metadata as read_group_metadata
from neurodeploy.nirfile.propose import propose
from neurodeploy.nirfile.repair import prune, resolve
from neurodeploy.nirfile.tables import KNOWN_MAJOR, PRIMITIVES
from neurodeploy.semantics import PRESET_DT, PRESETS, Semantics, preset
from neurodeploy.verify import verify
from neurodeploy.verify_node import verify_node


@dataclass(frozen=True)
class Reading:
    """How the network of a file runs in time.

    Attributes
    ----------
    dt : seconds of a step.
    default : semantics of the nodes that ``own`` does not name.
    own : node -> semantics from the file's metadata.
    feedback : the delayed edges, or None to find them.
    """

    dt: float
    default: Semantics
    own: Mapping[str, Semantics]
    feedback: frozenset[tuple[str, str]] | None
    notes: tuple[str, ...] = ()


def read_graph(
    path: str | Path,
    *,
    dt: float | None = None,
    semantics: str | Semantics | None = None,
    layers: Mapping[str, Semantics] | None = None,
) -> Graph:
    """Read the ``.nir`` file ``path``.

    Parameters
    ----------
    dt : seconds of a step. Files that :func:`write_graph` wrote know theirs; bare NIR files never do.
    semantics : how the neurons run in discrete time, a preset's name or the reading itself; for all neurons, and over
        what the file says. A preset of a tool with a fixed step brings its dt along. With dt alone the equations of
        NIR are taken as they stand (the preset ``nir``).
    layers : population -> its own reading, over ``semantics`` and what the file says; needs one of the two.

    Returns
    -------
    A verified Graph; ``notes`` lists every repair and every choice that the file does not state.

    Raises
    ------
    InputError : the file is unreadable, damaged, too large, unsupported or makes no sense; or it is a bare file with
        neurons and neither dt nor semantics is given.
    UsageError : dt is not a finite duration above 0.
    """
    if dt is not None and not 0 < dt < float("inf"):
        raise UsageError("--dt", f"is {dt}", "give a finite duration in seconds above 0")
    path = Path(path)
    with opened(path) as root:
        notes = _version_notes(root)
        flat = read_flat(root.group("node"))
        entry = flat.metadata.get(sidecar.KEY)
        known = None if entry is None else sidecar.parse(str(entry), path.name)
        if known is not None:
            kinds = {name: record.kind for name, record in flat.records.items()}
            sidecar.check(known, kinds, tuple(flat.edges), path.name)
            notes = list(known.notes)
            flat.records = {name: flat.records[name] for name in known.fields}
        else:
            notes += flat.notes
        reading = _with_layers(_reading(path.name, flat, known, dt, semantics), flat, layers or {})
        nodes, edges = _nodes(flat, reading, known, notes)
    feedback = find_feedback(nodes, edges) if reading.feedback is None else reading.feedback
    if reading.feedback is None and feedback:
        listed = ", ".join(f"{source} -> {target}" for source, target in sorted(feedback))
        notes.append(f"feedback: {listed} carries the spikes of the step before")
    metadata = {key: _kept(value) for key, value in flat.metadata.items() if not key.startswith(sidecar.KEY)}
    graph = Graph(nodes, edges, reading.dt, feedback, (*notes, *reading.notes), metadata)
    verify(graph)
    return graph


def read_metadata(path: str | Path) -> dict[str, Any]:
    """Return the metadata of the root graph of a ``.nir`` file by key: str, or arrays of numbers as stored.

    A key of a nested group is ``outer:inner``. The network itself is not read.

    Raises
    ------
    InputError : the file is unreadable, damaged or too large.
    """
    with opened(path) as root:
        return read_group_metadata(root.group("node"))


def read_names(path: str | Path) -> list[str]:
    """Return the names of the nodes of a ``.nir`` file in its order, those of nested graphs as ``outer.inner``.

    Raises
    ------
    InputError : the file is unreadable, damaged or too large.
    """
    with opened(path) as root:
        return list(read_flat(root.group("node")).records)


def _nodes(
    flat: Flat, reading: Reading, known: sidecar.Sidecar | None, notes: list[str]
) -> tuple[dict[str, Node], tuple[tuple[str, str], ...]]:
    """Build all nodes and settle what the file leaves open; a file with our metadata leaves nothing open."""
    built = {name: build(name, record, reading.own.get(name, reading.default)) for name, record in flat.records.items()}
    nodes, edges = {name: made.node for name, made in built.items()}, tuple(flat.edges)
    for name, node in nodes.items():
        verify_node(name, node, reading.dt)
    notes += [
        told for name, node in nodes.items() if isinstance(node, Delay) for told in _rounded(name, node, reading.dt)
    ]
    if known is not None:
        return {name: sidecar.restore(node, known.fields[name]) for name, node in nodes.items()}, edges
    notes += [note for made in built.values() for note in made.notes]
    nodes, edges = prune(nodes, edges, notes)
    unsized = [name for name in nodes if built[name].unsized]
    claims = {name: built[name].input_shape for name in nodes if built[name].input_shape}
    return resolve(nodes, edges, unsized, claims, notes), edges


#: How far from a whole number of steps a delay may be, relative to the longest: what float32 leaves of one.
_WHOLE = 1e-5


def _rounded(name: str, delay: Delay, dt: float) -> list[str]:
    """Return a note where a delay is no whole number of steps."""
    steps = np.asarray(delay.delay, np.float64) / dt
    off = np.abs(steps - delay_steps(delay, dt))
    if off.max(initial=0.0) <= _WHOLE * max(1.0, steps.max(initial=0.0)):
        return []
    worst = int(off.argmax())
    return [f"{name}: a delay of {steps.flat[worst]:g} steps is taken as {delay_steps(delay, dt).flat[worst]}"]


def _reading(
    where: str, flat: Flat, known: sidecar.Sidecar | None, dt: float | None, semantics: str | Semantics | None
) -> Reading:
    chosen = preset(semantics) if isinstance(semantics, str) else semantics
    if known is not None:
        told = _overruled(known, dt, chosen)
        own = known.semantics if chosen is None else {}
        return Reading(dt or known.dt, chosen or PRESETS["nir"], own, known.feedback, told)
    timed = [name for name, record in flat.records.items() if PRIMITIVES[record.kind].node in (Neuron, Delay)]
    if dt is None and isinstance(semantics, str):
        dt = PRESET_DT.get(semantics)
    if not timed:
        return Reading(dt or 1.0, PRESETS["nir"], {}, None)
    if dt is None:
        raise _undated(where, flat, timed, chosen)
    if chosen is None:
        note = "dt was given but no semantics: the equations of NIR were taken as they stand (preset nir)"
        return Reading(dt, PRESETS["nir"], {}, None, (f"{note}, dt = {dt:g} s",))
    name = semantics if isinstance(semantics, str) else "given one by one"
    return Reading(dt, chosen, {}, None, (f"semantics {name}, dt = {dt:g} s, by choice of the user, not of the file",))


def _undated(where: str, flat: Flat, timed: Sequence[str], chosen: Semantics | None) -> InputError:
    """Return the error for a bare file, with the readings that its numbers speak for."""
    missing = "dt" if chosen is not None else "dt, nor how its neurons reset and decay in discrete time"
    built = (build(name, flat.records[name], PRESETS["nir"]).node for name in timed)
    fitting = [] if chosen else propose(node for node in built if isinstance(node, Neuron))
    looks = f"; its numbers fit {' or '.join(map(str, fitting))}" if fitting else ""
    return InputError(
        where,
        f"the file does not hold {missing}, which {timed[0]!r} needs{looks}",
        f"give {'' if chosen else '--semantics NAME (one of ' + ', '.join(PRESETS) + ') and '}--dt SECONDS"
        f" ({', '.join(f'{name} brings {value:g} s' for name, value in PRESET_DT.items())})",
    )


def _with_layers(reading: Reading, flat: Flat, layers: Mapping[str, Semantics]) -> Reading:
    if strange := [name for name in layers if name not in flat.records]:
        known = ", ".join(name for name, record in flat.records.items() if PRIMITIVES[record.kind].node is Neuron)
        raise UsageError("layers", f"the file has no population {strange[0]!r}", f"it has {known or 'none'}")
    if not layers:
        return reading
    told = f"semantics of {', '.join(layers)} given one by one, by choice of the user"
    return replace(reading, own={**reading.own, **layers}, notes=(*reading.notes, told))


def _overruled(known: sidecar.Sidecar, dt: float | None, chosen: Semantics | None) -> tuple[str, ...]:
    told = []
    if dt is not None and dt != known.dt:
        told.append(f"dt = {dt:g} s was given and overrules the file's {known.dt:g} s")
    if chosen is not None and any(own != chosen for own in known.semantics.values()):
        told.append("semantics were given and overrule the file's own")
    return tuple(told)


def _version_notes(root: Group) -> list[str]:
    if "version" not in root:
        return ["the file states no NIR version"]
    version = root.text("version")
    major = version.partition(".")[0]
    if not major.isdecimal() or int(major) > KNOWN_MAJOR:
        return [f"the file states the NIR version {version!r}, newer than the known {KNOWN_MAJOR}.x"]
    return []


def _kept(value: Any) -> Any:
    return value if isinstance(value, str) else frozen_array(value)

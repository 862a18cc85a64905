"""Load whatever a path holds: a float graph or an integer network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from neurodeploy.errors import InputError, UsageError
from neurodeploy.export.netx import read_net
from neurodeploy.files import require_file
from neurodeploy.graph import Graph
from neurodeploy.netfile import holds_network, read_network
from neurodeploy.network import Network
from neurodeploy.netxfile import NetxFile
from neurodeploy.nirfile import read_graph


def load(path: str | Path, *, dt: float | None = None, semantics: str | None = None) -> Graph | Network:
    """Return the :class:`Graph` of a ``.nir`` file, or the :class:`Network` of a ``.net`` or of integers in a ``.nir``.

    Parameters
    ----------
    dt : seconds of one step, for a file that does not say.
    semantics : name of a preset of :data:`neurodeploy.semantics.PRESETS`, for a file that does not say.

    Raises
    ------
    InputError : no such file, another format, or a file that contradicts itself.
    """
    path = require_file(path)
    if path.suffix not in _READERS:
        raise InputError(str(path), f"has the suffix {path.suffix or 'none'!r}", "give a .nir or .net file")
    return _READERS[path.suffix](path, dt, semantics)


def load_netx(path: str | Path, *, dt: float | None = None) -> NetxFile:
    """Return a ``.net`` file beside the network in it, as the backend ``netx`` takes it.

    Raises
    ------
    UsageError : another kind of file.
    InputError : it cannot be read.
    """
    path = require_file(path)
    if path.suffix != ".net":
        raise UsageError("backend netx", f"runs .net files, not {path.name}", "neurodeploy convert FILE -o OUT.net")
    return NetxFile(path, read_net(path, dt=dt))


def _nir(path: Path, dt: float | None, semantics: str | None) -> Graph | Network:
    return read_network(path) if holds_network(path) else read_graph(path, dt=dt, semantics=semantics)


def _net(path: Path, dt: float | None, semantics: str | None) -> Network:
    if semantics is not None:
        raise UsageError("--semantics", f"is for a bare .nir, {path.name} states its own", "leave it out")
    return read_net(path, dt=dt)


#: Suffix -> what reads the file.
_READERS: dict[str, Callable[[Path, float | None, str | None], Graph | Network]] = {".nir": _nir, ".net": _net}

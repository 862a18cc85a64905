"""Load whatever a path holds: a float graph or an integer network."""

from __future__ import annotations

from pathlib import Path

from neurodeploy.errors import InputError
from neurodeploy.files import require_file
from neurodeploy.graph import Graph
from neurodeploy.netfile import holds_network, read_network
from neurodeploy.network import Network
from neurodeploy.nirfile import read_graph


def load(path: str | Path, *, dt: float | None = None, semantics: str | None = None) -> Graph | Network:
    """Return the :class:`Graph` or, where the file carries integers, the :class:`Network` of a ``.nir`` file.

    Parameters
    ----------
    dt : seconds of one step, for a file that does not say.
    semantics : name of a preset of :data:`neurodeploy.semantics.PRESETS`, for a file that does not say.

    Raises
    ------
    InputError : no such file, another format, or a file that contradicts itself.
    """
    path = require_file(path)
    if path.suffix != ".nir":
        raise InputError(str(path), f"has the suffix {path.suffix or 'none'!r}", "give a .nir file")
    if holds_network(path):
        return read_network(path)
    return read_graph(path, dt=dt, semantics=semantics)

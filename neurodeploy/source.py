"""What a deployment starts from: a checkpoint, a float ``.nir``, or a quantized one, opened alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from neurodeploy.errors import InputError, UsageError
from neurodeploy.files import require_file
from neurodeploy.graph import Graph
from neurodeploy.network import Network

if TYPE_CHECKING:
    from neurodeploy.export.live import LiveNetwork

Kind = Literal["checkpoint", "float network", "quantized network"]

_EXACT_VALUES = "the source is quantized: float figures are those of its integers' exact values, not of a trained model"

#: Suffixes of network files.
_NETWORKS = (".nir", ".net")
_CHECKPOINTS = (".safetensors", ".pt", ".pth")


@dataclass(frozen=True, eq=False)
class Source:
    """An opened source.

    Attributes
    ----------
    graph : the float network, as read back from the file that was written; of a quantized source, its exact values.
    network : the integer network of a quantized source, else None.
    proof : what the export of a checkpoint proved: ``cells``, ``equal``, ``ties``.
    notes : repairs and readings that a report must show.
    """

    path: Path
    kind: Kind
    graph: Graph
    network: Network | None = None
    proof: Mapping[str, Any] | None = None
    notes: tuple[str, ...] = field(default=())


def open_source(
    path: str | Path,
    net: Path,
    *,
    samples: Path,
    dt: float | None = None,
    semantics: str | None = None,
    factory: str | None = None,
    framework: str | None = None,
) -> Source:
    """Open ``path`` and write its float network to ``net``.

    Parameters
    ----------
    samples : the events on which the export of a checkpoint is proved.
    dt, semantics : for a .nir that does not say, as in :func:`neurodeploy.loading.load`; ``dt`` also for a checkpoint.
    factory, framework : for a checkpoint, as in :class:`neurodeploy.export.door.Request` and its ``open_model``.

    Raises
    ------
    InputError : no such file, or a suffix that names no source.
    NotEqual : the exported file does not do what the trained model does.
    """
    path = require_file(path)
    if path.suffix in _NETWORKS:
        for option, value in (("factory", factory), ("from", framework)):
            if value is not None:
                raise UsageError(
                    f"--{option}", f"is for checkpoints, {path.name} is a {path.suffix} file", "leave it out"
                )
        return _open_nir(path, net, dt, semantics)
    if path.suffix not in _CHECKPOINTS:
        found = f"has the suffix {path.suffix or 'none'!r}"
        raise InputError(str(path), found, f"give a .nir or .net file, or a checkpoint ({', '.join(_CHECKPOINTS)})")
    from neurodeploy.export.door import Request, open_model
    from neurodeploy.export.live import LiveNetwork
    from neurodeploy.nir_export import export_model
    from neurodeploy.targets.lava.environment import packages

    model = open_model(Request(path, factory, samples=samples, dt=dt, packages=packages()), framework)
    if isinstance(model, LiveNetwork):
        return _integers(path, net, model, samples)
    exported = export_model(model, net, samples=samples, force=True)
    proof = {"cells": exported.proof.cells, "equal": exported.proof.equal, "ties": exported.proof.ties}
    return Source(path, "checkpoint", exported.graph, proof=proof, notes=exported.notes)


def _integers(path: Path, net: Path, model: LiveNetwork, samples: Path) -> Source:
    """Return the source of a checkpoint that holds a chip's integers; its float network is their exact values."""
    from neurodeploy.dequantize import dequantize
    from neurodeploy.network_export import export_network

    exported = export_network(model, net, samples=samples, force=True)
    proof = {"cells": exported.proof.cells, "equal": exported.proof.equal, "ties": 0}
    return Source(
        path,
        "quantized network",
        dequantize(exported.network),
        network=exported.network,
        proof=proof,
        notes=(*exported.notes, _EXACT_VALUES),
    )


def _open_nir(path: Path, net: Path, dt: float | None, semantics: str | None) -> Source:
    from neurodeploy.dequantize import dequantize
    from neurodeploy.loading import load
    from neurodeploy.nirfile import write_graph

    loaded = load(path, dt=dt, semantics=semantics)
    if isinstance(loaded, Graph):
        write_graph(loaded, net, force=True)
        return Source(path, "float network", loaded, notes=loaded.notes)
    graph = dequantize(loaded)
    write_graph(graph, net, force=True)
    return Source(path, "quantized network", graph, network=loaded, notes=(_EXACT_VALUES,))

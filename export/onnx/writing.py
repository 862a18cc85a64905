"""An integer network as an ``.onnx`` file."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from neurodeploy.errors import UsageError
from neurodeploy.files import refuse_existing, replacing
from neurodeploy.network import Network
from neurodeploy.onnxgraph import Options, scan_model, step_model
from neurodeploy.verify_network import verify_network

#: Form of a file -> what builds its model.
FORMS: dict[str, Callable[[Network, Options, Collection[str]], Any]] = {
    "scan": scan_model,
    "step": lambda network, options, _record: step_model(network, options),
}


def write_onnx(
    network: Network,
    path: str | Path,
    *,
    form: str = "scan",
    options: Options | None = None,
    record: Collection[str] = ("s",),
    force: bool = False,
) -> None:
    """Write ``network`` to ``path``; the same network gives the same bytes. See :mod:`neurodeploy.onnxgraph.model`.

    Parameters
    ----------
    form : ``scan`` for all steps of a sample at once, ``step`` for one step with its state as inputs and outputs.
    record : any of "u" and "v" that a Scan also answers with; a step always does.
    force : replace an existing file.

    Raises
    ------
    BackendMissing : onnx is not installed.
    UsageError : an unknown form, another suffix, or a file that exists.
    InputError : a network that contradicts itself, or that one file cannot hold.
    """
    path = Path(path)
    if path.suffix != ".onnx":
        raise UsageError(str(path), f"has the suffix {path.suffix or 'none'!r}", "give a name that ends in .onnx")
    if form not in FORMS:
        raise UsageError("--form", f"{form!r} is none", f"one of {', '.join(FORMS)}")
    if unknown := set(record) - {"s", "u", "v"}:
        raise UsageError("--record", f"{sorted(unknown)} cannot be recorded", "any of s, u, v")
    refuse_existing(path, force=force)
    verify_network(network)
    data = FORMS[form](network, options or Options(), record).SerializeToString(deterministic=True)
    with replacing(path) as temporary:
        temporary.write_bytes(data)

"""From one file of a network to another, by their suffixes; see :func:`convert`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from neurodeploy.errors import UsageError
from neurodeploy.export.netx import write_net
from neurodeploy.files import refuse_existing
from neurodeploy.graph import Graph
from neurodeploy.loading import load
from neurodeploy.netfile import write_network
from neurodeploy.network import Network
from neurodeploy.nirfile import write_graph

Notes = tuple[str, ...]


def convert(
    source: str | Path,
    output: str | Path,
    *,
    target: str | None = None,
    dt: float | None = None,
    semantics: str | None = None,
    round_bias: bool = False,
    force: bool = False,
) -> Notes:
    """Write the network of ``source`` to ``output``, each a ``.nir`` or ``.net``, and return what a reader should know.

    Parameters
    ----------
    target : quantize a float network to this chip first, without calibration; needed for a ``.net``.
    dt, semantics : as in :func:`neurodeploy.loading.load`.
    round_bias : as in :func:`neurodeploy.export.netx.write_net`.

    Raises
    ------
    UsageError : another suffix, an output that exists, or a float network for a ``.net`` without ``target``.
    Unsupported : something that the other format cannot hold; names the population.
    """
    output = Path(output)
    if output.suffix not in _WRITERS:
        raise UsageError(str(output), f"has the suffix {output.suffix or 'none'!r}", "give a .nir or .net file")
    if Path(source).absolute() == output.absolute():
        raise UsageError(str(output), "is the file that is read", "give another name with -o")
    if round_bias and output.suffix != ".net":
        raise UsageError("--round-bias", "is for a .net", "leave it out")
    refuse_existing(output, force=force)
    network = load(source, dt=dt, semantics=semantics)
    if isinstance(network, Graph) and target is not None:
        from neurodeploy.quantization import quantize
        from neurodeploy.targets.chip import load_chip

        network = quantize(network, load_chip(target))
    elif target is not None:
        raise UsageError("--target", f"{Path(source).name} holds integers already", "leave it out")
    read = network.notes if isinstance(network, Graph) else network.provenance.get("notes", ())
    return (*read, *_WRITERS[output.suffix](network, output, force, round_bias))


def _nir(network: Graph | Network, output: Path, force: bool, round_bias: bool) -> Notes:  # noqa: ARG001  # see the table
    if isinstance(network, Graph):
        write_graph(network, output, force=force)
    else:
        write_network(network, output, force=force)
    return ()


def _net(network: Graph | Network, output: Path, force: bool, round_bias: bool) -> Notes:
    if isinstance(network, Graph):
        raise UsageError(
            str(output), "a .net holds integers, the network is float", "give --target CHIP to quantize it"
        )
    return write_net(network, output, force=force, round_bias=round_bias)


#: Suffix -> what writes such a file.
_WRITERS: dict[str, Callable[[Graph | Network, Path, bool, bool], Notes]] = {".nir": _nir, ".net": _net}

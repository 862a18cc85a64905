"""From one file of a network to another, by their suffixes; see :func:`convert`."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from neurodeploy.dequantize import dequantize
from neurodeploy.errors import UsageError
from neurodeploy.export.netx import write_net
from neurodeploy.export.onnx.writing import write_onnx
from neurodeploy.export.torchcode import FRAMEWORKS, write_module
from neurodeploy.files import refuse_existing
from neurodeploy.graph import Graph
from neurodeploy.loading import load
from neurodeploy.netfile import write_network
from neurodeploy.network import Network
from neurodeploy.nirfile import write_graph
from neurodeploy.onnxgraph import Options

Notes = tuple[str, ...]


@dataclass(frozen=True)
class Particulars:
    """What only one format asks for; None where nothing is said.

    Attributes
    ----------
    round_bias : as in :func:`neurodeploy.export.netx.write_net`.
    form, record : as in :func:`neurodeploy.export.onnx.writing.write_onnx`.
    payload, integers_only : as in :class:`neurodeploy.onnxgraph.Options`.
    to : framework of a torch module, a key of :data:`neurodeploy.export.torchcode.FRAMEWORKS`.
    """

    round_bias: bool | None = None
    form: str | None = None
    record: Collection[str] | None = None
    payload: str | None = None
    integers_only: bool | None = None
    to: str | None = None

    def given(self) -> list[str]:
        """Return the names of what is said."""
        return [name for name, value in vars(self).items() if value]


def convert(
    source: str | Path,
    output: str | Path,
    *,
    target: str | None = None,
    dt: float | None = None,
    semantics: str | None = None,
    particulars: Particulars | None = None,
    force: bool = False,
) -> Notes:
    """Write the network of ``source`` to ``output``, in the format of its suffix; return what a reader should know.

    Parameters
    ----------
    source : a ``.nir`` or ``.net``.
    output : a ``.nir``, ``.net``, ``.onnx``, or a ``.py`` beside which a ``.safetensors`` is written.
    target : quantize a float network to this chip first, without calibration; ``.net`` and ``.onnx`` need it.
    dt, semantics : as in :func:`neurodeploy.loading.load`.

    Raises
    ------
    UsageError : another suffix, an output that exists, a float network for integers without ``target``, or a
        particular of another format.
    Unsupported : something that the other format cannot hold; names the population.
    """
    output = Path(output)
    if output.suffix not in _WRITERS:
        raise UsageError(
            str(output), f"has the suffix {output.suffix or 'none'!r}", f"give a {', '.join(_WRITERS)} file"
        )
    if Path(source).absolute() == output.absolute():
        raise UsageError(str(output), "is the file that is read", "give another name with -o")
    particulars = particulars or Particulars()
    for name in particulars.given():
        if _HOLDER[name] != output.suffix:
            raise UsageError(f"--{name.replace('_', '-')}", f"is for a {_HOLDER[name]}", "leave it out")
    refuse_existing(output, force=force)
    network = load(source, dt=dt, semantics=semantics)
    if isinstance(network, Graph) and target is not None:
        from neurodeploy.quantization import quantize
        from neurodeploy.targets.chip import load_chip

        network = quantize(network, load_chip(target))
    elif target is not None:
        raise UsageError("--target", f"{Path(source).name} holds integers already", "leave it out")
    read = network.notes if isinstance(network, Graph) else network.provenance.get("notes", ())
    return (*read, *_WRITERS[output.suffix](network, output, force, particulars))


def _nir(network: Graph | Network, output: Path, force: bool, _particulars: Particulars) -> Notes:
    if isinstance(network, Graph):
        write_graph(network, output, force=force)
    else:
        write_network(network, output, force=force)
    return ()


def _net(network: Graph | Network, output: Path, force: bool, particulars: Particulars) -> Notes:
    round_bias = bool(particulars.round_bias)
    return write_net(_integers(network, output), output, force=force, round_bias=round_bias)


def _onnx(network: Graph | Network, output: Path, force: bool, particulars: Particulars) -> Notes:
    options = Options(particulars.payload or "bool", bool(particulars.integers_only))
    form, record = particulars.form or "scan", particulars.record or ("s",)
    write_onnx(_integers(network, output), output, form=form, options=options, record=record, force=force)
    return ()


def _module(network: Graph | Network, output: Path, force: bool, particulars: Particulars) -> Notes:
    if particulars.to is None:
        raise UsageError(str(output), "is code for a framework", f"say which with --to {' or '.join(FRAMEWORKS)}")
    graph = network if isinstance(network, Graph) else dequantize(network)
    weights = write_module(graph, output, particulars.to, force=force)
    return (f"its weights are in {weights.name}",)


def _integers(network: Graph | Network, output: Path) -> Network:
    if isinstance(network, Graph):
        raise UsageError(
            str(output),
            f"a {output.suffix} holds integers, the network is float",
            "give --target CHIP to quantize it",
        )
    return network


#: Suffix -> what writes such a file.
_WRITERS: dict[str, Callable[[Graph | Network, Path, bool, Particulars], Notes]] = {
    ".nir": _nir,
    ".net": _net,
    ".onnx": _onnx,
    ".py": _module,
}
#: Particular -> the format that asks for it.
_HOLDER = {
    "round_bias": ".net",
    "form": ".onnx",
    "record": ".onnx",
    "payload": ".onnx",
    "integers_only": ".onnx",
    "to": ".py",
}

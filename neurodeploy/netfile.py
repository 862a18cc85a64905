"""The file of an integer network: a valid .nir of its dequantized values, with the integers in its metadata.

Any NIR tool reads the float network; neurodeploy reads the integers, exponents, latencies and provenance back exactly.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.dequantize import dequantize
from neurodeploy.errors import InputError
from neurodeploy.network import Connection, Convolution, Dense, Network, Population, Port, Projection
from neurodeploy.neurons import Lif
from neurodeploy.nirfile import read_metadata, write_graph
from neurodeploy.verify_network import verify_network

FORMAT = 1
_DOCUMENT = "neurodeploy_network"
_ARRAY = "neurodeploy_array_{}"

Arrays = list[npt.NDArray[Any]]


def write_network(network: Network, path: str | Path, *, force: bool = False) -> None:
    """Write ``network`` to ``path``; raise :class:`~neurodeploy.errors.UsageError` if it exists and not ``force``."""
    arrays: Arrays = []
    document = _encode(network, arrays)
    extra: dict[str, Any] = {_DOCUMENT: json.dumps(document)}
    extra |= {_ARRAY.format(i): array for i, array in enumerate(arrays)}
    write_graph(dequantize(network), path, force=force, extra_metadata=extra)


def holds_network(path: str | Path) -> bool:
    """Return whether the .nir file carries an integer network."""
    return _DOCUMENT in read_metadata(path)


def read_network(path: str | Path) -> Network:
    """Read an integer network.

    Raises
    ------
    InputError : no such file, a float network, a later format, or integers that contradict each other.
    """
    metadata = read_metadata(path)
    if _DOCUMENT not in metadata:
        advice = "quantize it first: neurodeploy quantize FILE --target CHIP -o OUT.nir"
        raise InputError(str(path), "is a float network", advice)
    try:
        document = json.loads(metadata[_DOCUMENT])
        if document["format"] != FORMAT:
            raise InputError(str(path), f"is of network format {document['format']}", f"this version reads {FORMAT}")
        network = _decode(document, metadata)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(str(path), f"holds a damaged integer network ({error!r})", "quantize it again") from error
    verify_network(network)
    return network


def _encode(network: Network, arrays: Arrays) -> dict[str, Any]:
    def keep(values: npt.NDArray[Any]) -> int | list[int]:
        if values.ndim == 0:
            return int(values)
        arrays.append(np.asarray(values, dtype=np.int32))
        return [len(arrays) - 1]

    return {
        "format": FORMAT,
        "target": network.target,
        "dt": network.dt,
        "outputs": list(network.outputs),
        "ports": [{"name": p.name, "shape": list(p.shape)} for p in network.ports],
        "populations": [_encode_population(p, keep) for p in network.populations],
        "projections": [
            {
                "name": p.name,
                "source": p.source,
                "target": p.target,
                "weight_exponent": p.weight_exponent,
                "delay": p.delay,
                "weight_bits": p.weight_bits,
                "weight": keep(p.connection.weight),
                "convolution": _encode_geometry(p.connection),
            }
            for p in network.projections
        ],
        "provenance": dict(network.provenance),
    }


def _encode_population(p: Population, keep: Any) -> dict[str, Any]:
    lif = p.neuron
    parameters = {name: keep(getattr(lif, name)) for name in ("threshold", "current_decay", "voltage_decay", "bias")}
    place = {"name": p.name, "shape": list(p.shape), "latency": p.latency, "scale": p.scale}
    return {**place, **parameters, "bias_exponent": lif.bias_exponent}


def _encode_geometry(connection: Connection) -> dict[str, Any] | None:
    if not isinstance(connection, Convolution):
        return None
    pairs = {name: list(getattr(connection, name)) for name in ("stride", "padding", "dilation")}
    return {**pairs, "groups": connection.groups}


def _decode(document: Mapping[str, Any], metadata: Mapping[str, Any]) -> Network:
    def array(reference: int | list[int]) -> npt.NDArray[Any]:
        if isinstance(reference, int):
            return np.array(reference)
        values = np.asarray(metadata[_ARRAY.format(reference[0])])
        if not np.issubdtype(values.dtype, np.integer):
            raise ValueError(f"array {reference[0]} is of type {values.dtype}")
        return values

    return Network(
        ports=tuple(Port(p["name"], tuple(p["shape"])) for p in document["ports"]),
        populations=tuple(
            Population(
                p["name"],
                tuple(p["shape"]),
                Lif(
                    **{name: array(p[name]) for name in ("threshold", "current_decay", "voltage_decay", "bias")},
                    bias_exponent=int(p["bias_exponent"]),
                ),
                int(p["latency"]),
                float(p["scale"]),
            )
            for p in document["populations"]
        ),
        projections=tuple(
            Projection(
                p["name"],
                p["source"],
                p["target"],
                _decode_connection(array(p["weight"]), p["convolution"]),
                int(p["weight_exponent"]),
                int(p["delay"]),
                int(p["weight_bits"]),
            )
            for p in document["projections"]
        ),
        outputs=tuple(document["outputs"]),
        dt=float(document["dt"]),
        target=str(document["target"]),
        provenance=document["provenance"],
    )


def _decode_connection(weight: npt.NDArray[Any], geometry: Mapping[str, Any] | None) -> Connection:
    if geometry is None:
        return Dense(weight)
    pairs = {name: (int(geometry[name][0]), int(geometry[name][1])) for name in ("stride", "padding", "dilation")}
    return Convolution(weight, **pairs, groups=int(geometry["groups"]))

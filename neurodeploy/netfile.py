"""The file of an integer network: a valid .nir of its dequantized values, with the integers in its metadata.

Any NIR tool reads the float network; neurodeploy reads the integers, exponents, latencies and provenance back exactly.
Where NIR has no node for a neuron model, the float network holds the nearest one and its notes say so.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.dequantize import dequantize
from neurodeploy.errors import InputError
from neurodeploy.network import (
    Connection,
    Convolution,
    Dense,
    Network,
    Population,
    Port,
    Projection,
    Sparse,
    stored_weights,
)
from neurodeploy.neurons import Lif, Neuron, Resonator, SigmaDelta
from neurodeploy.nirfile import read_metadata, write_graph
from neurodeploy.state_width import narrow_populations
from neurodeploy.verify_network import verify_network

#: What is written, and all that is read: format 1 knew plain neurons, dense and convolutional synapses only.
FORMAT, READABLE = 2, (1, 2, 3)
#: What is written where registers are narrower than 24 bits, which readers of format 2 would not know.
_NARROW = 3
_MODELS: dict[str, type[Neuron]] = {model.__name__: model for model in (Lif, SigmaDelta, Resonator)}
_DOCUMENT = "neurodeploy_network"
_ARRAY = "neurodeploy_array_{}"

Arrays = list[npt.NDArray[Any]]
Keep = Callable[[npt.NDArray[Any]], int | list[int]]
Fetch = Callable[[int | list[int]], npt.NDArray[Any]]


def write_network(network: Network, path: str | Path, *, force: bool = False) -> None:
    """Write ``network`` to ``path``; raise :class:`~neurodeploy.errors.UsageError` if it exists and not ``force``."""
    arrays: Arrays = []
    document = _encode(network, arrays)
    extra: dict[str, Any] = {_DOCUMENT: json.dumps(document)}
    extra |= {_ARRAY.format(i): array for i, array in enumerate(arrays)}
    write_graph(dequantize(network, nearest=True), path, force=force, extra_metadata=extra)


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
        if document["format"] not in READABLE:
            problem = f"is of network format {document['format']}"
            raise InputError(str(path), problem, f"this version reads {READABLE[0]} to {READABLE[-1]}")
        network = _decode(document, metadata)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(str(path), f"holds a damaged integer network ({error!r})", "quantize it again") from error
    verify_network(network)
    return network


def _encode(network: Network, arrays: Arrays) -> dict[str, Any]:
    def keep(values: npt.NDArray[Any]) -> int | list[int]:
        if values.ndim == 0:
            return int(values)
        arrays.append(np.asarray(values))
        return [len(arrays) - 1]

    return {
        "format": _NARROW if narrow_populations(network) else FORMAT,
        "target": network.target,
        "dt": network.dt,
        "outputs": list(network.outputs),
        "reset_interval": network.reset_interval,
        "reset_offset": network.reset_offset,
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
                "imaginary": p.imaginary,
                "weight": keep(stored_weights(p.connection)),
                "convolution": _encode_geometry(p.connection),
                "sparse": _encode_rows(p.connection, keep),
            }
            for p in network.projections
        ],
        "provenance": dict(network.provenance),
    }


def _encode_population(p: Population, keep: Keep) -> dict[str, Any]:
    neuron = p.neuron
    values = {each.name: getattr(neuron, each.name) for each in fields(neuron)}
    arrays = {name: keep(array) for name, array in neuron.arrays.items()}
    place = {"name": p.name, "shape": list(p.shape), "latency": p.latency, "scale": p.scale}
    return {**place, "model": type(neuron).__name__, **values, **arrays}


def _encode_rows(connection: Connection, keep: Keep) -> dict[str, Any] | None:
    if not isinstance(connection, Sparse):
        return None
    pointers = {"indptr": keep(connection.indptr), "indices": keep(connection.indices)}
    return {**pointers, "shape": list(connection.shape)}


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
            Population(p["name"], tuple(p["shape"]), _decode_neuron(p, array), int(p["latency"]), float(p["scale"]))
            for p in document["populations"]
        ),
        projections=tuple(
            Projection(
                p["name"],
                p["source"],
                p["target"],
                _decode_connection(p, array),
                int(p["weight_exponent"]),
                int(p["delay"]),
                int(p["weight_bits"]),
                bool(p.get("imaginary", False)),
            )
            for p in document["projections"]
        ),
        outputs=tuple(document["outputs"]),
        dt=float(document["dt"]),
        target=str(document["target"]),
        provenance=document["provenance"],
        reset_interval=int(document.get("reset_interval", 0)),
        reset_offset=int(document.get("reset_offset", 0)),
    )


def _decode_neuron(entry: Mapping[str, Any], array: Fetch) -> Neuron:
    model = _MODELS[entry.get("model", "Lif")]
    values: dict[str, Any] = {}
    for each in fields(model):
        if each.name in entry and entry[each.name] is not None:
            value = entry[each.name]
            values[each.name] = array(value) if each.name in model.parameters else _plain(each.name, each.type, value)
    return model(**values)


def _plain(name: str, declared: Any, value: Any) -> int | bool | str:
    """Return a value that is no array, if it is of its field's kind."""
    if type(value).__name__ != (declared if declared in ("int", "bool") else "str"):
        raise ValueError(f"{name} is {value!r}")
    plain: int | bool | str = value
    return plain


def _decode_connection(entry: Mapping[str, Any], array: Fetch) -> Connection:
    weight, geometry, rows = array(entry["weight"]), entry["convolution"], entry.get("sparse")
    if rows is not None:
        shape = (int(rows["shape"][0]), int(rows["shape"][1]))
        return Sparse(array(rows["indptr"]), array(rows["indices"]), weight, shape)
    if geometry is None:
        return Dense(weight)
    pairs = {name: (int(geometry[name][0]), int(geometry[name][1])) for name in ("stride", "padding", "dilation")}
    return Convolution(weight, **pairs, groups=int(geometry["groups"]))

"""A Graph becomes a NIR file that nir 1.0.8 reads, with what NIR leaves out in its metadata.

Two kinds of convolution are written that nir 1.0.8 itself refuses with its type checks on, by mistakes of its own: it
takes a non-square kernel for a square one, and the channels of one group for those of all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from neurodeploy.errors import Unsupported
from neurodeploy.files import refuse_existing, replacing
from neurodeploy.graph import (
    BatchNorm,
    Convolution,
    Delay,
    Flatten,
    Graph,
    Input,
    Linear,
    Neuron,
    Node,
    Output,
    Pool,
    Scale,
    Shape,
    Threshold,
)
from neurodeploy.hdf5 import MAX_NAME
from neurodeploy.nirfile import sidecar
from neurodeploy.nirfile.tables import PRIMITIVES, VERSION
from neurodeploy.shapes import infer_shapes, pads_same
from neurodeploy.verify import verify

#: Arrays up to this size are stored plainly: the index of a compressed one alone takes more.
_PLAIN_BYTES = 2048

Fields = dict[str, Any]
Metadata = Mapping[str, str | npt.NDArray[Any]]


def write_graph(graph: Graph, path: str | Path, *, force: bool = False, extra_metadata: Metadata | None = None) -> None:
    """Write ``graph`` to ``path``; the same graph gives the same bytes.

    Parameters
    ----------
    force : replace an existing file.
    extra_metadata : further entries of the root metadata, texts or arrays of numbers. Keys that start with
        ``neurodeploy`` are left out of ``Graph.metadata`` on reading; :func:`read_metadata` returns them.

    Raises
    ------
    UsageError : the file exists, or cannot be written.
    Unsupported : a node that NIR has no word for (the message names the pass that removes it), or a name that HDF5
        cannot store.
    InputError : the graph itself breaks a rule of :func:`neurodeploy.verify.verify`.
    """
    refuse_existing(path, force=force)
    verify(graph)
    shapes = infer_shapes(graph)
    written: dict[str, tuple[str, Fields]] = {}
    changed: dict[str, dict[str, Shape | None]] = {}
    for name, node in graph.nodes.items():
        _check_name(name)
        arriving = shapes[graph.sources(name)[0]] if graph.sources(name) else shapes[name]
        changed[name] = {}
        written[name] = _WRITERS[type(node)](name, node, arriving, changed[name])
    metadata = {**graph.metadata, **(extra_metadata or {}), sidecar.KEY: sidecar.dump(graph, changed)}
    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        _write(file, written, graph.edges, metadata)


def _write(file: h5py.File, written: Mapping[str, tuple[str, Fields]], edges: Any, metadata: Metadata) -> None:
    text = h5py.string_dtype()
    file.create_dataset("version", data=VERSION, dtype=text)
    root = file.create_group("node")
    nodes = root.create_group("nodes")
    for name, (kind, fields) in written.items():
        group = nodes.create_group(name)
        for field, value in fields.items():
            _dataset(group, field, value)
        group.create_dataset("type", data=kind, dtype=text)
    root.create_dataset("edges", data=[list(edge) for edge in edges], dtype=text)
    root.create_dataset("type", data="NIRGraph", dtype=text)
    entries = root.create_group("metadata")
    for key in sorted(metadata):
        _check_name(key)
        _dataset(entries, key, metadata[key])


def _dataset(group: h5py.Group, name: str, value: Any) -> None:
    if isinstance(value, str):
        group.create_dataset(name, data=value, dtype=h5py.string_dtype())
        return
    array = np.asarray(value)
    if array.dtype.kind not in "fiub":
        raise Unsupported(
            f"metadata {name}", f"is a {type(value).__name__}", "texts and arrays of numbers can be written"
        )
    group.create_dataset(name, data=array, compression="gzip" if array.nbytes > _PLAIN_BYTES else None)


def _check_name(name: str) -> None:
    if not name or name == "." or "/" in name or "\0" in name or len(name) > MAX_NAME:
        raise Unsupported(
            name[:80] or "''", "is no name that HDF5 can store", f"rename it: no '/', up to {MAX_NAME} letters"
        )


def _port(_name: str, node: Input | Output, _arriving: Shape, _changed: dict[str, Shape | None]) -> tuple[str, Fields]:
    return type(node).__name__, {"shape": _integers(node.shape)}


def _linear(_name: str, node: Linear, _arriving: Shape, _changed: dict[str, Shape | None]) -> tuple[str, Fields]:
    if node.bias is None:
        return "Linear", {"weight": node.weight}
    return "Affine", {"weight": node.weight, "bias": node.bias}


def _convolution(name: str, node: Convolution, arriving: Shape, changed: dict[str, Shape | None]) -> tuple[str, Fields]:
    axes = node.weight.ndim - 2
    bias = node.bias
    if bias is None:
        changed["bias"] = None
        bias = np.zeros(node.weight.shape[:1], dtype=node.weight.dtype)
    size: Callable[[Shape], Any] = _integers if axes == 2 else lambda values: values[0]
    return f"Conv{axes}d", {
        "input_shape": size(arriving[1:]),
        "weight": node.weight,
        "stride": size(node.stride),
        "padding": _padding(name, node, size),
        "dilation": size(node.dilation),
        "groups": node.groups,
        "bias": bias,
    }


def _padding(name: str, node: Convolution, size: Callable[[Shape], Any]) -> Any:
    if all(before == after for before, after in node.padding):
        return size(tuple(before for before, _ in node.padding))
    if pads_same(node):
        return "same"
    raise Unsupported(
        name, f"its padding {node.padding} differs before and behind", "NIR has one number an axis, or 'same'"
    )


def _pool(name: str, node: Pool, _arriving: Shape, _changed: dict[str, Shape | None]) -> tuple[str, Fields]:
    kinds = {"sum": "SumPool2d", "average": "AvgPool2d"}
    if node.kind not in kinds:
        raise Unsupported(
            name, "NIR has no maximum pooling", "run the pass max_pool_to_or first, or train with average pooling"
        )
    if len(node.kernel) != 2:
        raise Unsupported(name, "NIR has no pooling over one axis", "run the pass pool_to_convolution first")
    sizes = {"kernel_size": node.kernel, "stride": node.stride, "padding": node.padding}
    return kinds[node.kind], {field: _integers(values) for field, values in sizes.items()}


def _flatten(_name: str, node: Flatten, arriving: Shape, _changed: dict[str, Shape | None]) -> tuple[str, Fields]:
    return "Flatten", {"input_type": _integers(arriving), "start_dim": node.start, "end_dim": node.end}


def _batchnorm(name: str, _node: BatchNorm, _arriving: Shape, _changed: dict[str, Shape | None]) -> tuple[str, Fields]:
    raise Unsupported(name, "NIR has no batch normalisation", "run the pass fold_batchnorm first")


def _elementwise(
    _name: str, node: Scale | Threshold | Delay, arriving: Shape, changed: dict[str, Shape | None]
) -> tuple[str, Fields]:
    kind = type(node).__name__
    return kind, _expanded(kind, node, arriving, changed)


def _neuron(_name: str, node: Neuron, _arriving: Shape, changed: dict[str, Shape | None]) -> tuple[str, Fields]:
    return node.kind, _expanded(node.kind, node, node.shape, changed)


def _expanded(kind: str, node: Node, shape: Shape, changed: dict[str, Shape | None]) -> Fields:
    """Return the fields with every constant at full shape, as NIR requires, and note in ``changed`` what it was."""
    fields: Fields = {}
    for field in PRIMITIVES[kind].fields:
        values = getattr(node, field.attribute)
        if values is None:
            changed[field.attribute] = None
            values = np.asarray(sidecar.DEFAULTS[field.attribute])
        elif values.shape != shape:
            changed[field.attribute] = values.shape
        fields[field.name] = np.broadcast_to(values, shape)
    return fields


def _integers(values: Shape) -> npt.NDArray[np.int64]:
    return np.array(values, dtype=np.int64)


_WRITERS: dict[type, Callable[[str, Any, Shape, dict[str, Shape | None]], tuple[str, Fields]]] = {
    Input: _port,
    Output: _port,
    Linear: _linear,
    Convolution: _convolution,
    Pool: _pool,
    Flatten: _flatten,
    BatchNorm: _batchnorm,
    Scale: _elementwise,
    Threshold: _elementwise,
    Delay: _elementwise,
    Neuron: _neuron,
}

"""Read an ``.onnx`` file of unknown origin within bounds: size, depth, names of external files, lengths of arrays.

Nothing is executed and nothing outside the folder of the model is opened. What external files hold is taken into the
model, so that nobody after this has to look for them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.errors import InputError
from neurodeploy.files import require_file
from neurodeploy.onnxgraph import require_onnx

#: Most bytes of a model with its external files, most nodes, and most numbers in one tensor.
MAX_BYTES = (1 << 31) - (1 << 24)
MAX_NODES = 20_000
MAX_VALUES = 1 << 28
_MAX_AXES = 16

#: Oldest and newest versions of the standard operations that are understood.
OPSETS = (9, 26)


def read_model(path: str | Path) -> Any:
    """Return the ``onnx.ModelProto`` of a file, checked by onnx, every tensor inside it.

    Raises
    ------
    BackendMissing : onnx is not installed.
    InputError : no ONNX model; beyond the limits; operations that are not of the standard; an external file that is
        missing, too short, or outside the model's folder.
    """
    path = require_file(path)
    onnx = require_onnx()
    if path.stat().st_size > MAX_BYTES:
        raise InputError(str(path), f"has {path.stat().st_size:,} bytes", f"the limit is {MAX_BYTES:,}")
    model = onnx.ModelProto()
    try:
        model.ParseFromString(path.read_bytes())
    except Exception as error:
        raise InputError(str(path), "is no ONNX model, or a damaged one", "export it again") from error
    _check_outline(str(path), model)
    _check_names(str(path), model)
    left = MAX_BYTES - int(path.stat().st_size)
    for tensor in _tensors(model.graph):
        left -= _check_tensor(str(path), path.parent, tensor, left)
    try:
        onnx.checker.check_model(model)
    except Exception as error:
        first = (str(error).splitlines() or [""])[0]
        raise InputError(str(path), f"is refused by onnx ({first})", "export it again") from error
    return model


def _check_outline(path: str, model: Any) -> None:
    """Check what a model is made of before anything in it is looked at."""
    if not model.HasField("graph") or not model.graph.node:
        raise InputError(path, "is no ONNX model: it holds no graph", "export it again")
    if len(model.graph.node) > MAX_NODES:
        raise InputError(path, f"has {len(model.graph.node):,} nodes", f"the limit is {MAX_NODES:,}")
    if model.functions or model.training_info or model.graph.sparse_initializer:
        raise InputError(path, "holds functions, training or sparse tensors", "export it for inference, without them")
    versions = {opset.domain or "ai.onnx": opset.version for opset in model.opset_import}
    standard = versions.get("ai.onnx", 0)
    if not OPSETS[0] <= standard <= OPSETS[1]:
        allowed = f"{OPSETS[0]} to {OPSETS[1]}"
        raise InputError(path, f"uses version {standard} of the standard operations", f"export it with {allowed}")


def _check_names(path: str, model: Any) -> None:
    """Refuse names that are no text: the format does not hold them to UTF-8, and gives them as bytes then."""
    graph = model.graph
    names = [*(opset.domain for opset in model.opset_import), *(entry.key for entry in model.metadata_props)]
    names += [value.name for value in (*graph.input, *graph.output, *graph.initializer)]
    for node in graph.node:
        names += [node.name, node.op_type, node.domain, *node.input, *node.output]
        names += [attribute.name for attribute in node.attribute]
    if any(not isinstance(name, str) for name in names):
        raise InputError(path, "holds names that are no text", "export it again")


def _tensors(graph: Any) -> Iterator[Any]:
    """Yield every tensor: initializers, and constants in the attributes of nodes."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g") or attribute.graphs:
                continue  # no operation that we read has a body; the reader refuses it by its name
            yield from ([attribute.t] if attribute.HasField("t") else [])
            yield from attribute.tensors


def _check_tensor(path: str, folder: Path, tensor: Any, left: int) -> int:
    """Check the extent of a tensor, fetch it from its external file, and return how many bytes that took."""
    onnx = require_onnx()
    subject = f"{path}: tensor {tensor.name[:80]!r}"
    if len(tensor.dims) > _MAX_AXES:
        raise InputError(subject, f"has {len(tensor.dims):,} axes", f"the limit is {_MAX_AXES}")
    if any(size < 0 for size in tensor.dims) or math.prod(tensor.dims) > MAX_VALUES:
        raise InputError(subject, f"has the shape {list(tensor.dims)}", f"the limit is {MAX_VALUES:,} values")
    if tensor.data_location != onnx.TensorProto.EXTERNAL:
        return 0
    entries = {str(entry.key): str(entry.value) for entry in tensor.external_data}
    size = _bytes_of(subject, tensor)
    if size > left:
        raise InputError(subject, f"brings the model to more than {MAX_BYTES:,} bytes", "split the model")
    tensor.raw_data = _fetch(subject, folder, entries, size)
    tensor.data_location = onnx.TensorProto.DEFAULT
    del tensor.external_data[:]
    return size


def to_array(tensor: Any) -> npt.NDArray[Any]:
    """Return the numbers of a tensor; raise :class:`InputError` where there are not as many as its shape says."""
    try:
        return np.asarray(require_onnx().numpy_helper.to_array(tensor))
    except Exception as error:
        found = f"its data do not fill the shape {list(tensor.dims)} ({type(error).__name__})"
        raise InputError(f"tensor {tensor.name[:80]!r}", found, "export it again") from error


def _bytes_of(subject: str, tensor: Any) -> int:
    try:
        dtype = require_onnx().helper.tensor_dtype_to_np_dtype(tensor.data_type)
    except Exception as error:
        raise InputError(subject, f"is of the unknown type {tensor.data_type}", "export it again") from error
    return math.prod((int(dtype.itemsize), *map(int, tensor.dims)))


def _fetch(subject: str, folder: Path, entries: dict[str, str], size: int) -> bytes:
    """Return what an external file holds for one tensor."""
    location = entries.get("location", "")
    root = folder.resolve()
    try:
        file = (root / location).resolve()
        inside = bool(location) and not Path(location).is_absolute() and file.is_relative_to(root)
        regular = inside and file.is_file()
    except (OSError, ValueError):  # names too long, or with zeros in them
        inside = regular = False
    if not inside:
        raise InputError(
            subject, f"is kept in {location[:80]!r}, outside the model's folder", "keep both in one folder"
        )
    if not regular:
        raise InputError(subject, f"is kept in {location[:80]!r}, which is no file", "copy it beside the model")
    numbers = {key: entries.get(key, str(default)) for key, default in (("offset", 0), ("length", size))}
    if not all(text.isascii() and text.isdigit() and len(text) < 19 for text in numbers.values()):
        raise InputError(subject, f"has the offset and length {numbers}", "export it again")
    offset, length = int(numbers["offset"]), int(numbers["length"])
    if length != size or offset + size > file.stat().st_size:
        found = f"takes {size:,} bytes, its file says {length:,} from {offset:,} of {file.stat().st_size:,}"
        raise InputError(subject, found, "export it again")
    with file.open("rb") as stream:
        stream.seek(offset)
        return stream.read(size)

"""Mutations of files: blind ones of their bytes, and ones that know the format and keep the rest well-formed."""

from __future__ import annotations

import io
import json
import random
import zipfile
from collections.abc import Callable
from typing import Any

import h5py
import numpy as np

Mutation = Callable[[bytes, random.Random], bytes]

#: Numbers that readers tend to trip over.
EVIL = (0, 1, -1, 127, 128, 255, 256, 32767, 65535, 2**31 - 1, 2**31, 2**32 - 1, 2**53, 2**63 - 1, -(2**63))
EVIL_FLOATS = (float("nan"), float("inf"), -float("inf"), 1e308, -1e-308, 0.0)
EVIL_TEXT = ("", "\0", "../../etc/passwd", "a" * 5000, "é\u202e", "__class__", "NaN", "[]", "{}")


def flip_bits(data: bytes, rng: random.Random) -> bytes:
    """Flip a few bits anywhere."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 2, 8, 64))):
        out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
    return bytes(out)


def overwrite(data: bytes, rng: random.Random) -> bytes:
    """Overwrite a stretch with one byte, random bytes or an evil integer."""
    out = bytearray(data)
    at, length = rng.randrange(len(out)), rng.choice((1, 4, 8, 100))
    fill = rng.choice((b"\xff" * length, b"\0" * length, rng.randbytes(length)))
    number = (rng.choice(EVIL) & (2**64 - 1)).to_bytes(8, rng.choice(("little", "big")))
    piece = rng.choice((fill, number))
    out[at : at + len(piece)] = piece
    return bytes(out)


def truncate(data: bytes, rng: random.Random) -> bytes:
    """Cut the end off."""
    return data[: rng.randrange(len(data))]


def splice(data: bytes, rng: random.Random) -> bytes:
    """Copy one stretch over another place, or leave a stretch out."""
    a, b = sorted(rng.randrange(len(data)) for _ in range(2))
    at = rng.randrange(len(data))
    return data[:at] + data[a:b] + data[at:] if rng.random() < 0.5 else data[:a] + data[b:]


def append(data: bytes, rng: random.Random) -> bytes:
    """Put something behind or before the file."""
    junk = rng.randbytes(rng.choice((1, 16, 4096)))
    return data + junk if rng.random() < 0.7 else junk + data


BYTES: tuple[Mutation, ...] = (flip_bits, overwrite, truncate, splice, append)


def _evil_array(rng: random.Random, like: np.ndarray) -> object:
    kind = rng.randrange(7)
    if kind == 0:
        return np.full(like.shape, rng.choice(EVIL_FLOATS))
    if kind == 1:
        return np.full(like.shape, rng.choice(EVIL), dtype=np.float64).astype(np.int64, casting="unsafe")
    if kind == 2:
        return np.zeros(tuple(rng.choice((0, 1, 2, 3)) for _ in range(rng.randrange(6))), dtype=like.dtype)
    if kind == 3:
        return rng.choice(EVIL_TEXT).replace("\0", "")
    if kind == 4:
        return np.asarray(like).astype(complex) if like.dtype.kind in "iuf" else np.zeros(3, complex)
    if kind == 5:
        return np.asarray(like).reshape(-1)[: rng.randrange(1 + like.size)]
    return rng.choice(EVIL)


def change_hdf5(data: bytes, rng: random.Random) -> bytes:
    """Replace, drop, copy or link a few items of an HDF5 file."""
    buffer = io.BytesIO(data)
    with np.errstate(invalid="ignore"), h5py.File(buffer, "a") as file:
        for _ in range(rng.choice((1, 1, 2, 4))):
            names: list[str] = []
            file.visit(names.append)
            if not names:
                break
            name = rng.choice(names)
            item, action = file[name], rng.randrange(6)
            if action == 0 or (action < 3 and isinstance(item, h5py.Group)):
                del file[name]
            elif action < 3:
                old = item[()]
                old = old if isinstance(old, np.ndarray) else np.asarray(old)
                del file[name]
                file[name] = _evil_array(rng, old if old.dtype.kind in "iuf" else np.zeros(2))
            elif action == 3:
                file.copy(item, file, name=f"{rng.choice(('node/nodes/x', 'x', 'node/x'))}{rng.randrange(9)}")
            elif action == 4:
                del file[name]
                file[name] = rng.choice((h5py.SoftLink("/" + rng.choice(names)), h5py.ExternalLink("x.h5", "/node")))
            else:
                other = rng.choice(names)
                if not (other == name or other.startswith(name) or name.startswith(other)):
                    del file[name]
                    file[name] = file[other]
    return buffer.getvalue()


def change_zip(data: bytes, rng: random.Random) -> bytes:
    """Mutate one member of a zip archive (.npz, .pt), or its name, and write a sound archive around it."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        members = source.namelist()
        chosen = rng.choice(members)
        for name in members:
            content = source.read(name)
            if name == chosen:
                if rng.random() < 0.15:
                    name = rng.choice(EVIL_TEXT).replace("\0", "") or "x"
                content = rng.choice(BYTES)(content, rng) if content else content
            target.writestr(name, content)
    return out.getvalue()


def change_safetensors(data: bytes, rng: random.Random) -> bytes:
    """Mutate the header of a safetensors file and give it a header length that fits."""
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    for _ in range(rng.choice((1, 2, 4))):
        name = rng.choice(list(header))
        entry = header[name]
        key = rng.choice(list(entry)) if isinstance(entry, dict) and entry else None
        values = (rng.choice(EVIL), rng.choice(EVIL_TEXT), [rng.choice(EVIL)] * rng.randrange(4), None, {}, "F64")
        if key is None or rng.random() < 0.2:
            header[rng.choice((name, "x"))] = rng.choice(values)
        else:
            entry[key] = rng.choice(values)
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data[8 + length :]


def change_text(data: bytes, rng: random.Random) -> bytes:
    """Replace, drop or double tokens and lines of a text file."""
    lines = data.decode().splitlines()
    for _ in range(rng.choice((1, 2, 5))):
        at = rng.randrange(len(lines))
        head, equals, _ = lines[at].partition("=")
        value = rng.choice(
            (*map(str, EVIL), *map(repr, EVIL_FLOATS), *map(json.dumps, EVIL_TEXT), "[[1]]", "{a=1}", "true")
        )
        choices = (f"{head}{equals} {value}", "", lines[at] * 2, lines[at][: len(lines[at]) // 2], f"x = {value}")
        lines[at] = rng.choice(choices)
    return "\n".join(lines).encode()


def change_onnx(data: bytes, rng: random.Random) -> bytes:
    """Change operations, edges, attributes and tensors of an ONNX graph that still parses."""
    import onnx

    model = onnx.ModelProto.FromString(data)
    graph = model.graph
    names = [name for node in graph.node for name in (*node.input, *node.output)]
    for _ in range(rng.choice((1, 1, 2, 4))):
        node, tensor = rng.choice(graph.node), rng.choice(graph.initializer)
        action = rng.randrange(9)
        if action == 0:
            node.op_type = rng.choice([*(n.op_type for n in graph.node), "Loop", "Flatten", "MaxPool", "Squeeze", ""])
        elif action == 1 and node.input:
            node.input[rng.randrange(len(node.input))] = rng.choice([*names, "", "nowhere"])
        elif action == 2:
            _change_attribute(node, rng)
        elif action == 3:
            tensor.dims[:] = [rng.choice((*EVIL, *tensor.dims)) & (2**62 - 1) for _ in range(rng.randrange(4))]
        elif action == 4:
            tensor.data_location = onnx.TensorProto.EXTERNAL
            for key in rng.sample(("location", "offset", "length"), rng.randrange(4)):
                tensor.external_data.add(key=key, value=rng.choice((*EVIL_TEXT[2:], "valid.onnx", "0", "48")))
        elif action == 5:
            tensor.raw_data = rng.choice(BYTES)(tensor.raw_data or b"x", rng)
        elif action == 6:
            tensor.data_type = rng.randrange(30)
        elif action == 7:
            graph.input[0].type.tensor_type.shape.dim[rng.randrange(3)].dim_value = rng.choice(EVIL) & (2**62 - 1)
        else:
            graph.node.insert(rng.randrange(len(graph.node)), node)
    return bytes(model.SerializeToString())


def _change_attribute(node: Any, rng: random.Random) -> None:
    from onnx import helper

    names = [*(a.name for a in node.attribute), "axis", "group", "pads", "kernel_shape", "axes", "min", "alpha"]
    name = rng.choice(names)
    kept = [a for a in node.attribute if a.name != name]
    values = (
        rng.choice(EVIL) % 2**62,
        [rng.choice(EVIL) % 2**62] * rng.randrange(1, 6),
        rng.choice(EVIL_FLOATS),
        "SAME",
    )
    del node.attribute[:]
    node.attribute.extend([*kept, helper.make_attribute(name, rng.choice(values))])


#: Suffix -> mutations that know the format; the blind ones apply to all.
FORMATS: dict[str, Mutation] = {
    ".nir": change_hdf5,
    ".net": change_hdf5,
    ".npz": change_zip,
    ".pt": change_zip,
    ".safetensors": change_safetensors,
    ".onnx": change_onnx,
    ".toml": change_text,
}


def mutate(data: bytes, suffix: str, rng: random.Random) -> bytes:
    """Return a mutation of ``data``: half of them blind, half with knowledge of the format."""
    if suffix in FORMATS and rng.random() < 0.5:
        try:
            return FORMATS[suffix](data, rng)
        except (OSError, RuntimeError, ValueError, KeyError, TypeError, OverflowError):
            pass  # this change of this file makes no file at all
    return rng.choice(BYTES)(data, rng)

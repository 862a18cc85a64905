"""netx files made by hand, layer by layer, and drawn at random; neither by our writer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

Fields = dict[str, Any]


def neuron(threshold: Any = 100, current_decay: Any = 1024, voltage_decay: Any = 512, **more: Any) -> Fields:
    parameters = {"vThMant": threshold, "iDecay": current_decay, "vDecay": voltage_decay}
    return {"type": b"CUBA", **parameters, "refDelay": 1, "gradedSpike": False, **more}


def source(*shape: int, **more: Any) -> Fields:
    return {"type": "input", "shape": np.array(shape), **more}


def dense(weight: Any, *, cell: Fields | None = None, kind: str = "dense", **more: Any) -> Fields:
    weight = np.asarray(weight, dtype=np.float32)
    return {"type": kind, "shape": np.array([len(weight)]), "weight": weight, "neuron": cell or neuron(), **more}


def conv(weight: Any, shape: tuple[int, ...], *, cell: Fields | None = None, **more: Any) -> Fields:
    fields = {"stride": np.array([1, 1]), "padding": np.array([0, 0]), "dilation": np.array([1, 1]), "groups": 1}
    weight = np.asarray(weight, dtype=np.float32)
    return {"type": "conv", "shape": np.array(shape), "weight": weight, **fields, "neuron": cell or neuron(), **more}


FLATTEN: Fields = {"type": "flatten", "shape": np.array([1, 1, 1])}


def write(path: Path, *layers: Fields, **root: Any) -> Path:
    """Write layers to ``path``; a value None leaves the field out."""
    with h5py.File(path, "w") as file:
        for index, fields in enumerate(layers):
            group = file.create_group(f"layer/{index}")
            group.create_dataset("type", (1,), "S10", [fields["type"].encode()])
            for name, value in fields.items():
                if name == "neuron" and value is not None:
                    for key, parameter in value.items():
                        group[f"neuron/{key}"] = parameter
                elif name != "type" and value is not None:
                    group[name] = value
        for name, value in root.items():
            file[name.replace("__", "/")] = value
    return path


def weights(rng: np.random.Generator, kind: str, *shape: int) -> np.ndarray:
    """Return a matrix of one of the kinds that lava-dl's loader treats differently."""
    ranges = {"even": (-128, 128, 2), "odd": (-256, 255, 1), "positive": (1, 256, 1), "sparse": (0, 90, 1)}
    if kind == "negative":
        return -rng.integers(1, 200, shape)
    if kind == "small":
        return rng.integers(-7, 8, shape)
    if kind == "sixteens":
        return rng.integers(-8, 8, shape) * 16
    low, high, step = ranges[kind]
    return rng.integers(low, high, shape) * step


KINDS = ("even", "odd", "positive", "negative", "small", "sixteens", "sparse")


def random_file(path: Path, seed: int) -> tuple[Path, tuple[int, ...]]:
    """Write a random chain and return it with the shape of its input."""
    rng = np.random.default_rng(seed)

    def kind() -> str:
        return str(rng.choice(KINDS))

    def cell(per: int) -> Fields:
        vector = bool(rng.integers(2))
        decays = [int(d) for d in rng.choice([0, 1, 300, 1024, 4095, 4096], 2)]
        if vector:
            return neuron(rng.integers(20, 900, per), rng.integers(0, 4097, per), rng.integers(0, 4097, per))
        return neuron(int(rng.integers(20, 900)), *decays)

    def bias(per: int) -> np.ndarray | None:
        return rng.integers(-60, 90, per) if rng.integers(2) else None

    layers: list[Fields] = []
    if seed % 2:
        height, width = (int(n) for n in rng.integers(6, 10, 2))
        shape: tuple[int, ...] = (2, height, width)
        groups = int(rng.choice([1, 2]))
        kernel = tuple(int(k) for k in rng.integers(1, 4, 2))
        stride, padding = (tuple(int(n) for n in rng.integers(low, low + 2, 2)) for low in (1, 0))
        out = tuple((n + 2 * p - k) // s + 1 for n, p, k, s in zip(shape[1:], padding, kernel, stride, strict=True))
        weight = weights(rng, kind(), 4, 2 // groups, *kernel)
        geometry = {"stride": np.array(stride), "padding": np.array(padding), "groups": groups}
        layers += [source(*shape), conv(weight, (4, *out), cell=cell(4), bias=bias(4), **geometry), FLATTEN]
        before = 4 * int(np.prod(out))
    else:
        before = int(rng.integers(5, 14))
        shape = (before,)
        layers.append(source(before))
    for _ in range(int(rng.integers(1, 3))):
        after = int(rng.integers(3, 12))
        delay = [None, rng.integers(0, 63, after), rng.integers(0, 20, before), 3, 70.0][int(rng.integers(5))]
        layers.append(dense(weights(rng, kind(), after, before), cell=cell(after), bias=bias(after), delay=delay))
        before = after
    if rng.integers(2):
        shared = kind() if rng.integers(2) else "odd"
        first, again = weights(rng, shared, 6, before), weights(rng, shared, 6, 6)
        layers.append(dense(first, kind="dense_rec", weight_rec=again.astype(np.float32), cell=cell(6)))
    return write(path, *layers), shape

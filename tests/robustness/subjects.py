"""Valid files of every format that neurodeploy reads, and what reads them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Subject:
    """One kind of file: a maker of a valid one, and the reader that must survive any other."""

    name: str
    suffix: str
    make: Callable[[Path], None]
    read: Callable[[Path], Any]


def _float_nir(path: Path) -> None:
    from neurodeploy.nirfile import write_graph
    from tests.test_quantization import convolutional

    write_graph(convolutional(np.random.default_rng(1)), path)


def _network_nir(path: Path) -> None:
    from neurodeploy.netfile import write_network
    from neurodeploy.quantization import quantize
    from tests.test_quantization import CHIP, convolutional

    write_network(quantize(convolutional(np.random.default_rng(1)), CHIP), path)


def _foreign_nir(path: Path) -> None:
    import nir

    weight = np.ones((3, 2), dtype=np.float32)
    lif = nir.LIF(*(np.full(3, x) for x in (0.01, 1.0, 0.0, 1.0)), v_reset=np.zeros(3))
    inner = nir.NIRGraph.from_list(nir.Affine(weight, np.zeros(3)), lif)
    nir.write(path, inner)


def _load(path: Path) -> Any:
    from neurodeploy.loading import load

    return load(path, dt=1e-3, semantics="nir")


def _load_netx(path: Path) -> Any:
    from neurodeploy.loading import load

    return load(path)


def _events(path: Path) -> None:
    np.savez(path, spikes=np.ones((2, 3, 4), np.uint8), labels=np.arange(2), extra=np.asfortranarray(np.eye(3)))


def _read_events(path: Path) -> Any:
    from neurodeploy.npz import read_events

    return read_events(path)


def _checkpoint(path: Path) -> None:
    from neurodeploy.models.checkpoint import Checkpoint, save_checkpoint
    from neurodeploy.models.convnet import build_model
    from neurodeploy.models.recipe import load_recipe

    recipe = load_recipe("digits")
    save_checkpoint(path, Checkpoint(recipe=recipe, epoch=1, model=dict(build_model(recipe).state_dict())))


def _read_checkpoint(path: Path) -> Any:
    from neurodeploy.models.checkpoint import load_model

    return load_model(path)


def _state_dict(path: Path) -> None:
    import torch

    torch.save({"0.weight": torch.ones(3, 4), "0.bias": torch.zeros(3)}, path)


def _read_weights(path: Path) -> Any:
    from neurodeploy.export.weights import load_weights

    return load_weights(path)


def _recipe(path: Path) -> None:
    from neurodeploy.models.recipe import load_recipe

    path.write_text(load_recipe("digits").to_toml())


def _read_recipe(path: Path) -> Any:
    from neurodeploy.models.recipe import load_recipe

    return load_recipe(str(path))


def _chip(path: Path) -> None:
    import neurodeploy.targets.chip as chips

    path.write_bytes((Path(chips.__file__).parent / "loihi2.toml").read_bytes())


def _read_chip(path: Path) -> Any:
    from neurodeploy.targets.chip import load_chip

    return load_chip(path)


def _trained(path: Path) -> None:
    from tests.export.onnx.files import Model

    model = Model("n", 2, 6, 6)
    model.add("Sub", np.array([0.5, 0.25]).reshape(2, 1, 1))
    model.conv(3, 2, pads=[1, 1, 1, 1])
    model.norm(3)
    first = model.add("Relu")
    scale, zero = model.constant(np.float32(0.02)), model.constant(np.uint8(0))
    model.add("QuantizeLinear", scale, zero)
    model.add("DequantizeLinear", scale, zero)
    model.conv(3, 3, (1, 1))
    model.add("Add", sources=[model.last, first])
    features = model.add("AveragePool", kernel_shape=[2, 2], strides=[2, 2])
    model.add("Shape")
    model.add("Gather", np.array(0), axis=0)
    batch = model.add("Unsqueeze", np.array([0]))
    model.add("Concat", sources=[batch, model.constant(np.array([-1]))], axis=0)
    model.add("Reshape", sources=[features, model.last])
    model.gemm(4, 27)
    model.add("Clip", np.float32(0), np.float32(6))
    model.save(path)


def _read_trained(path: Path) -> Any:
    from neurodeploy.export.onnx.coding import Coding
    from neurodeploy.export.onnx.spiking import Recipe, spiking
    from neurodeploy.export.onnx.translation import Choices, read_ann

    ann, _ = read_ann(path, Choices(max_pool="or"))
    return spiking(ann, Recipe(Coding("payload", 1.0), dict.fromkeys(ann.activations, 1.0), (0.0, 1.0), 8))


def _netx(path: Path) -> None:
    from tests.export.netx.files import FLATTEN, conv, dense, neuron, source, weights, write

    rng = np.random.default_rng(4)
    image = conv(weights(rng, "even", 4, 1, 3, 3), (4, 5, 4), groups=2, padding=np.array([1, 1]), bias=np.arange(4))
    late = dense(weights(rng, "odd", 6, 80), delay=rng.integers(0, 9, 6), cell=neuron(rng.integers(20, 90, 6)))
    again = weights(rng, "small", 5, 5).astype(np.float32)
    loop = dense(weights(rng, "positive", 5, 6), kind="dense_rec", weight_rec=again)
    write(path, source(2, 5, 4), image, FLATTEN, late, loop, simulation__Ts=1.0)


def _driven_netx(path: Path) -> None:
    from tests.export.netx.files import dense, source, write

    cell = {"type": b"SDNN", "vThMant": 20, "refDelay": 1, "gradedSpike": True}
    first = source(4, neuron={**cell, "vThMant": 9}, bias=np.array(3), weight=np.array(64))
    write(path, first, dense(np.eye(3, 4) * 64, cell=cell), dense(np.ones((2, 3)) * 30, cell=cell))


SUBJECTS: tuple[Subject, ...] = (
    Subject("float network", ".nir", _float_nir, _load),
    Subject("integer network", ".nir", _network_nir, _load),
    Subject("network by nir", ".nir", _foreign_nir, _load),
    Subject("netx chain", ".net", _netx, _load_netx),
    Subject("netx driven by the host", ".net", _driven_netx, _load_netx),
    Subject("events", ".npz", _events, _read_events),
    Subject("checkpoint", ".safetensors", _checkpoint, _read_checkpoint),
    Subject("state dict", ".pt", _state_dict, _read_weights),
    Subject("recipe", ".toml", _recipe, _read_recipe),
    Subject("chip", ".toml", _chip, _read_chip),
    Subject("trained network", ".onnx", _trained, _read_trained),
)

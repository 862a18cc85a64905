"""Every operation that is read, against what onnxruntime answers; every one that is not, by its message."""

from __future__ import annotations

import numpy as np
import pytest

from neurodeploy.errors import InputError, Unsupported
from neurodeploy.export.onnx.coding import Coding
from neurodeploy.export.onnx.engine import measure
from neurodeploy.export.onnx.spiking import Recipe, spiking
from neurodeploy.export.onnx.translation import Choices, read_ann
from neurodeploy.graph import Neuron
from neurodeploy.targets.reference import run
from tests.export.onnx.files import Model

STEPS = 300


def head(model: Model, into: int) -> Model:
    model.add("Flatten")
    model.gemm(4, into)
    return model


def plain() -> Model:
    model = Model("n", 2, 6, 5)
    model.conv(3, 2, (3, 2), auto_pad="SAME_UPPER", strides=[2, 1])
    model.add("Relu")
    return head(model, 3 * 3 * 5)


def grouped() -> Model:
    model = Model("n", 4, 6, 6)
    model.conv(6, 2, group=2, dilations=[2, 1], pads=[2, 1, 2, 1])
    model.add("Relu")
    model.conv(4, 6, (1, 1), bias=False)
    model.add("Clip", np.float32(0), np.float32(0.4))
    model.add("GlobalAveragePool")
    return head(model, 4)


def one_axis() -> Model:
    model = Model("n", 2, 9)
    model.conv(3, 2, (4,), auto_pad="SAME_LOWER", strides=[2])
    model.add("Relu")
    model.add("AveragePool", kernel_shape=[2], strides=[2])
    return head(model, 6)


def normalised() -> Model:
    model = Model("n", 2, 6, 6)
    model.add("Sub", np.array([0.5, 0.25]).reshape(2, 1, 1))
    model.add("Div", np.array([2.0, 0.5]).reshape(1, 2, 1, 1))
    model.conv(3, 2)
    model.norm(3)
    model.add("Relu")
    model.conv(3, 3, pads=[1, 1, 1, 1], bias=False)
    model.norm(3)
    model.add("Mul", np.float32(0.7))
    model.add("Relu")
    model.add("AveragePool", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)
    return head(model, 12)


def residual() -> Model:
    model = Model("n", 2, 5, 5)
    model.conv(3, 2, pads=[1, 1, 1, 1])
    first = model.add("Relu")
    model.conv(3, 3, pads=[1, 1, 1, 1])
    model.norm(3)
    second = model.add("Add", sources=[model.last, first])
    third = model.add("Relu")
    model.conv(3, 3, (1, 1), source=third)
    model.add("Add", sources=[model.last, third])
    model.conv(2, 3, (1, 1))
    model.add("Relu")
    assert second
    return head(model, 50)


def matrices() -> Model:
    model = Model("n", 6, opset=13)
    model.add("MatMul", model.rng.normal(0, 0.5, (6, 8)))
    model.add("Add", sources=[model.constant(model.rng.normal(0, 0.2, 8)), model.last])
    model.add("Relu")
    model.add("Identity")
    model.add("Dropout")
    model.add("Gemm", model.rng.normal(0, 0.5, (8, 4)), alpha=0.5, beta=2.0)
    model.add("Softmax", axis=-1)
    return model


def shapes_by_arithmetic() -> Model:
    """Return what torch writes for ``x.view(x.size(0), -1)``."""
    model = Model("n", 2, 4, 4)
    model.conv(2, 2)
    features = model.add("Relu")
    model.add("Shape")
    model.add("Gather", np.array(0), axis=0)
    batch = model.add("Unsqueeze", np.array([0]))
    model.add("Concat", sources=[batch, model.constant(np.array([-1]))], axis=0)
    model.add("Reshape", sources=[features, model.last])
    model.gemm(4, 8)
    return model


def averaged(opset: int, keepdims: int) -> Model:
    """Return what torch writes for ``x.mean((2, 3))``, before and after axes became an input."""
    model = Model("n", 2, 5, 6, opset=opset)
    model.conv(5, 2, strides=[2, 1], bias=False)
    model.add("Relu")
    if opset < 18:
        model.add("ReduceMean", axes=[-1, -2], keepdims=keepdims)
    else:
        model.add("ReduceMean", np.array([2, 3]), keepdims=keepdims)
    return head(model, 5)


def reshaped() -> Model:
    model = Model(3, 2, 4, 4)
    model.conv(2, 2, (4, 4))
    model.add("Relu")
    model.add("Squeeze", np.array([2, 3]))
    model.gemm(5, 2)
    model.add("Relu")
    model.add("Reshape", np.array([3, 5]))
    model.gemm(4, 5)
    return model


def quantized() -> Model:
    """Return integers turned back, of weights and activations; all rectifiers but one are left to their range."""
    model = Model("n", 2, 5, 5)
    scale, zero = model.constant(np.float32(0.02)), model.constant(np.uint8(0))
    low = model.constant(np.uint8(10))
    model.add("QuantizeLinear", scale, low)
    model.add("DequantizeLinear", scale, low)
    pixels = model.last
    integers = model.rng.integers(-127, 128, (3, 2, 3, 3)).astype(np.int8)
    by_channel = np.array([0.004, 0.003, 0.002])
    weight = model.add("DequantizeLinear", by_channel, np.zeros(3, np.int8), source=model.constant(integers), axis=0)
    model.add("Conv", sources=[pixels, weight])
    model.add("Relu")
    for _ in range(2):
        model.add("QuantizeLinear", scale, zero)
        model.add("DequantizeLinear", scale, zero)
        model.conv(3, 3, (1, 1))
    model.add("QuantizeLinear", scale, zero)
    model.add("DequantizeLinear", scale, zero)
    return head(model, 27)


NETWORKS = {f.__name__: f for f in (plain, grouped, one_axis, normalised, residual, matrices, shapes_by_arithmetic)}
NETWORKS |= {"averaged": lambda: averaged(13, 0), "averaged by an input": lambda: averaged(18, 1)}
NETWORKS |= {"reshaped": reshaped, "quantized": quantized}
#: The error falls with the length of a run, more slowly in deep networks; rounding of activations is left out for good.
LOOSE = {"residual": 0.06, "quantized": 0.05}


@pytest.mark.parametrize("name", NETWORKS)
def test_rates_over_a_long_run_are_the_answers_of_the_network(name, tmp_path):
    ann, model = read_ann(NETWORKS[name]().save(tmp_path / "net.onnx"))
    inputs = np.random.default_rng(1).integers(0, 9, (7, *ann.nodes["input"].shape)) / 8
    measured = measure(ann, model, inputs)
    levels = {layer: level or 1.0 for layer, level in measured.levels.items()}
    recipe = Recipe(Coding("payload", 1 / 8), levels, (0, 1), STEPS, readout="membrane")
    graph = spiking(ann, recipe)
    spikes = recipe.coding.encode(inputs, STEPS)
    found = run(graph, {"input": spikes}, ("s", "v"))["output/output"][:, -1] / STEPS
    span = np.ptp(measured.answers)
    error = np.abs(found.reshape(measured.answers.shape) - measured.answers).max()
    assert error < LOOSE.get(name, 0.01) * span
    assert measured.answers.std(axis=0).max() > 0.02 * span


def test_levels_are_percentiles_of_what_the_layers_answer(tmp_path):
    ann, model = read_ann(plain().save(tmp_path / "net.onnx"))
    inputs = np.random.default_rng(1).random((50, 2, 6, 5)).astype(np.float32)
    (whole,) = measure(ann, model, inputs).levels.values()
    (part,) = measure(ann, model, inputs, 90.0).levels.values()
    weight, bias = (ann.nodes["Conv_0"].weight, ann.nodes["Conv_0"].bias)
    assert weight.shape == (3, 2, 3, 2)
    assert bias.shape == (3,)
    assert 0 < part < whole


def test_ceiling_of_a_second_rectifier_is_that_of_the_first(tmp_path):
    model = Model("n", 4)
    model.gemm(3, 4)
    model.add("Relu")
    model.add("Clip", np.float32(-1), np.float32(6))
    model.add("Clip", np.float32(0), np.float32(2))
    model.gemm(2, 3)
    ann, _ = read_ann(model.save(tmp_path / "net.onnx"))
    (part,) = ann.activations.values()
    assert (part.ceiling, part.value) == (2.0, "y3")


def test_older_files_give_bounds_and_axes_as_attributes(tmp_path):
    model = Model("n", 2, 1, 1, opset=10)
    model.conv(3, 2, (1, 1))
    model.add("Clip", min=0.0, max=3.0)
    model.add("Squeeze", axes=[2, 3])
    ann, _ = read_ann(model.save(tmp_path / "net.onnx"))
    assert [part.ceiling for part in ann.activations.values()] == [3.0]
    assert ann.nodes["output"].shape == (3,)


def test_weights_used_twice_are_not_changed_for_one_use(tmp_path):
    """A bias is added to one of two uses of a layer: the other keeps the layer as it is."""
    model = Model("n", 4)
    shared = model.gemm(3, 4)
    model.add("Add", np.ones(3), source=shared)
    shifted = model.add("Relu")
    straight = model.add("Relu", source=shared)
    model.add("Add", sources=[shifted, straight])
    model.gemm(2, 3)
    ann, proto = read_ann(model.save(tmp_path / "net.onnx"))
    inputs = np.random.default_rng(0).random((5, 4))
    measured = measure(ann, proto, inputs)
    graph = spiking(ann, Recipe(Coding("payload", 0.01), measured.levels, (0, 1), STEPS, readout="membrane"))
    found = run(graph, {"input": np.repeat(np.rint(inputs[:, None] * 100).astype(int), STEPS, 1)}, ("s",))
    assert np.abs(found["output/output"][:, -1] / STEPS - measured.answers).max() < 0.05


def test_maximum_is_refused_or_taken_of_spikes_with_a_note(tmp_path):
    model = Model("n", 2, 4, 4)
    model.conv(2, 2, (1, 1))
    model.add("Relu")
    model.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    path = head(model, 8).save(tmp_path / "net.onnx")
    with pytest.raises(Unsupported, match=r"MaxPool '/MaxPool_2': takes a maximum.*--max-pool or"):
        read_ann(path)
    ann, proto = read_ann(path, Choices(max_pool="or"))
    assert any("maximum of spikes" in note for note in ann.notes)
    measured = measure(ann, proto, np.ones((1, 2, 4, 4)))
    graph = spiking(ann, Recipe(Coding("payload", 1.0), measured.levels, (0, 1), 8))
    assert run(graph, {"input": np.ones((1, 8, 2, 4, 4), int)}, ("s",))["output/output"].shape == (1, 8, 4)


def test_names_are_such_as_nir_files_hold(tmp_path):
    ann, _ = read_ann(plain().save(tmp_path / "net.onnx"))
    assert not [name for name in ann.nodes if "/" in name]


def test_neurons_are_those_that_chips_have(tmp_path):
    ann, model = read_ann(plain().save(tmp_path / "net.onnx"))
    levels = measure(ann, model, np.ones((1, 2, 6, 5))).levels
    graph = spiking(ann, Recipe(Coding("rate", 1.0), levels, (0.0, 2.0), 10, reset="zero"))
    kinds = {graph.nodes[name].kind for name in graph.of_type(Neuron)}
    assert kinds == {"IF"}
    assert {graph.nodes[name].semantics.reset for name in graph.of_type(Neuron)} == {"zero"}
    assert any("reset to zero" in note for note in graph.notes)


def refused(**nodes) -> Model:
    model = Model("n", 2, 4, 4)
    model.conv(2, 2, (1, 1))
    for kind, (constants, attributes) in nodes.items():
        model.add(kind, *constants, **attributes)
    return model


REFUSED = {
    "LSTM-like": (refused(Sigmoid=((), {})), r"Sigmoid '/Sigmoid_1': cannot become spiking neurons; what can is Add,"),
    "leaky": (refused(LeakyRelu=((), {})), "LeakyRelu .* cannot become"),
    "clip below zero": (refused(Clip=((np.float32(-1), np.float32(1)), {})), r"Clip .* clips below at -1\.0"),
    "clip at nothing": (refused(Clip=((np.float32(0), np.float32(0)), {})), r"clips above at 0\.0; use a bound above"),
    "softmax inside": (refused(Softmax=((), {}), Relu=((), {})), "Softmax .* stands within the network"),
    "axes": (refused(Transpose=((), {"perm": [0, 2, 3, 1]})), "Transpose .* cannot become"),
    "partial windows": (
        refused(AveragePool=((), {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1})),
        r"rounds up \(ceil_mode\)",
    ),
    "padding left out": (
        refused(AveragePool=((), {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]})),
        "leaves padding out of its average",
    ),
    "uneven padding": (
        refused(AveragePool=((), {"kernel_shape": [2, 2], "pads": [1, 0, 0, 0], "count_include_pad": 1})),
        "pad both ends alike",
    ),
    "a map of biases": (refused(Add=((np.ones((2, 4, 4)) * np.arange(4),), {})), "differs within a channel"),
    "per cell": (refused(Mul=((np.ones((3, 1, 1)),), {})), r"adds or multiplies the shape \[3, 1, 1\] to \[2, 4, 4\]"),
    "zero": (refused(Div=((np.zeros(1),), {})), "divides by zero"),
    "samples mixed": (refused(Reshape=((np.array([-1, 2]),), {})), "keep the samples in front"),
    "axes made": (refused(Reshape=((np.array([0, 4, 8]),), {})), r"into \[4, 8\]; only flattening"),
    "flattened": (refused(Flatten=((), {"axis": 2})), "flattens at axis 2"),
    "last axis": (refused(MatMul=((np.ones((4, 3)),), {})), r"multiplies the last axis of \[2, 4, 4\]"),
    "unfolded integers": (
        refused(QuantizeLinear=((np.float32(0.1), np.uint8(0)), {}), Relu=((), {})),
        "is not turned back by DequantizeLinear",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_spiking_is_refused_by_name(name, tmp_path):
    model, message = REFUSED[name]
    with pytest.raises(InputError, match=message):
        read_ann(model.save(tmp_path / "net.onnx"))

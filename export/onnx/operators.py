"""The ONNX operations that become parts of a spiking network."""

from __future__ import annotations

from collections.abc import Callable

from neurodeploy.export.onnx import pooling, rectifiers, shaping, synapses
from neurodeploy.export.onnx.translation import Value

#: ONNX operation -> what reads it: (the walk, the node, the values of its inputs) -> the value of its answer.
#: Those of :data:`neurodeploy.export.onnx.constants.FOLDED` come here only where they depend on the input.
OPERATORS: dict[str, Callable[..., Value]] = {
    "Add": synapses.add,
    "AveragePool": pooling.average_pool,
    "BatchNormalization": synapses.batch_norm,
    "Clip": rectifiers.clip,
    "Constant": shaping.constant,
    "Conv": synapses.convolution,
    "DequantizeLinear": rectifiers.dequantize,
    "Div": synapses.divide,
    "Dropout": shaping.same,
    "Flatten": shaping.flatten,
    "Gemm": synapses.gemm,
    "GlobalAveragePool": pooling.global_average_pool,
    "Identity": shaping.same,
    "LogSoftmax": shaping.softmax,
    "MatMul": synapses.matmul,
    "MaxPool": pooling.max_pool,
    "Mul": synapses.multiply,
    "QuantizeLinear": rectifiers.quantize,
    "ReduceMean": pooling.reduce_mean,
    "Relu": rectifiers.relu,
    "Reshape": shaping.reshape,
    "Shape": shaping.shape,
    "Softmax": shaping.softmax,
    "Squeeze": shaping.squeeze,
    "Sub": synapses.subtract,
}

"""ONNX files made by hand, node by node."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper


class Model:
    """Collects nodes one after the other, each taking the answer of the one before unless told otherwise."""

    def __init__(self, *shape: int | str, opset: int = 17, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.tensors: list[onnx.TensorProto] = []
        self.shape, self.opset, self.last = shape, opset, "x"

    def constant(self, values) -> str:
        name = f"c{len(self.tensors)}"
        array = np.asarray(values)
        self.tensors.append(
            numpy_helper.from_array(array.astype(np.float32) if array.dtype.kind == "f" else array, name)
        )
        return name

    def add(self, kind: str, *constants, source: str | None = None, sources=(), name: str = "", **attributes) -> str:
        inputs = [
            *(sources or [source or self.last]),
            *(c if isinstance(c, str) else self.constant(c) for c in constants),
        ]
        self.last = f"y{len(self.nodes)}"
        self.nodes.append(
            helper.make_node(kind, inputs, [self.last], name or f"/{kind}_{len(self.nodes)}", **attributes)
        )
        return self.last

    def conv(self, out: int, into: int, kernel=(3, 3), *, bias: bool = True, **attributes) -> str:
        fan = into * int(np.prod(kernel))
        weight = self.rng.normal(0, 1.5 / np.sqrt(fan), (out, into, *kernel))
        return self.add("Conv", weight, *([self.rng.normal(0, 0.1, out)] if bias else []), **attributes)

    def gemm(self, out: int, into: int, **attributes) -> str:
        weight = self.rng.normal(0, 1.5 / np.sqrt(into), (out, into))
        return self.add("Gemm", weight, self.rng.normal(0, 0.1, out), transB=1, **attributes)

    def norm(self, channels: int) -> str:
        r = self.rng
        statistics = (r.uniform(0.5, 1.5, channels), r.normal(0, 0.1, channels), r.normal(0, 0.1, channels))
        return self.add("BatchNormalization", *statistics, r.uniform(0.5, 1.5, channels))

    def proto(self, *, infer: bool = True) -> onnx.ModelProto:
        value = helper.make_tensor_value_info
        ends = [value("x", onnx.TensorProto.FLOAT, self.shape)], [value(self.last, onnx.TensorProto.FLOAT, None)]
        graph = helper.make_graph(self.nodes, "g", *ends, self.tensors)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)
        if infer:
            model = onnx.shape_inference.infer_shapes(model)
        model.graph.output[0].type.tensor_type.shape.SetInParent()
        return model

    def save(self, path: Path) -> Path:
        path.write_bytes(self.proto().SerializeToString())
        return path


def save_data(path: Path, inputs: np.ndarray, labels: np.ndarray | None = None) -> Path:
    arrays = {"inputs": inputs} if labels is None else {"inputs": inputs, "labels": labels}
    np.savez(path, **arrays)
    return path

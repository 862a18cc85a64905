"""What a trained network answers to real inputs, layer by layer, computed by onnxruntime from the file itself."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.errors import BackendError, UsageError
from neurodeploy.export.onnx.ann import Ann
from neurodeploy.graph import Input
from neurodeploy.onnxgraph import require_onnx, require_onnxruntime

Array = npt.NDArray[Any]

#: Samples that run at once, where the file does not fix their number.
_BATCH = 32


@dataclass(frozen=True, eq=False)
class Measured:
    """What was seen.

    Attributes
    ----------
    levels : activation -> the percentile of its answers over all samples and cells.
    answers : float64 [samples, outputs], before a closing softmax.
    """

    levels: dict[str, float]
    answers: Array


def measure(ann: Ann, model: Any, inputs: Array, percentile: float = 100.0) -> Measured:
    """Run the network on ``inputs`` [samples, *shape].

    Raises
    ------
    BackendMissing : onnxruntime is not installed.
    BackendError : onnxruntime refuses the file or fails in it.
    UsageError : inputs of another shape.
    """
    node = ann.nodes[ann.input]
    assert isinstance(node, Input)
    if inputs.shape[1:] != node.shape or inputs.ndim != 1 + len(node.shape) or not len(inputs):
        found = f"hold the shape {list(inputs.shape)}, the network takes [samples, {str(list(node.shape))[1:]}"
        raise UsageError("inputs", found, "give its own data")
    watched = {name: part.value for name, part in ann.activations.items()}
    names = list(dict.fromkeys([*watched.values(), ann.answer]))
    session = _session(model, names)
    sizes = {name: math.prod(part.shape) for name, part in ann.activations.items()}
    tops = {name: _Top(len(inputs) * sizes[name], percentile) for name in watched}
    answers = []
    for batch in _batches(session, ann, names, inputs):
        for name, value in watched.items():
            tops[name].add(batch[value])
        answers.append(batch[ann.answer].reshape(len(batch[ann.answer]), -1).astype(np.float64))
    return Measured({name: top.value() for name, top in tops.items()}, np.concatenate(answers))


class _Top:
    """The largest numbers of a stream: as many as tell a high percentile of all of them."""

    def __init__(self, total: int, percentile: float) -> None:
        self.keep = total - math.ceil(total * percentile / 100) + 1
        self.largest = np.zeros(0, dtype=np.float32)

    def add(self, values: Array) -> None:
        together = np.concatenate([self.largest, np.ravel(values)])
        cut = len(together) - min(self.keep, len(together))
        self.largest = np.partition(together, cut)[cut:]

    def value(self) -> float:
        return float(self.largest.min())


def _session(model: Any, names: list[str]) -> Any:
    """Return a session that answers with these values of the graph."""
    onnx, engine = require_onnx(), require_onnxruntime()
    watching = onnx.ModelProto()
    watching.CopyFrom(model)
    present = {output.name for output in watching.graph.output}
    watching.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in present)
    options = engine.SessionOptions()
    options.log_severity_level = 3
    try:
        return engine.InferenceSession(watching.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise BackendError("onnxruntime", f"refuses the file ({_first_line(error)})", "export it again") from error


def _batches(session: Any, ann: Ann, names: list[str], inputs: Array) -> Iterator[dict[str, Array]]:
    """Yield the values of a few samples at a time; the last ones are filled up where the file fixes the number."""
    size = ann.batch or _BATCH
    dtype = np.float64 if "double" in session.get_inputs()[0].type else np.float32
    for start in range(0, len(inputs), size):
        part = np.asarray(inputs[start : start + size], dtype=dtype)
        given = len(part)
        if ann.batch:
            part = np.concatenate([part, np.repeat(part[-1:], size - given, axis=0)])
        try:
            found = session.run(names, {ann.feed: part})
        except Exception as error:
            raise BackendError("onnxruntime", f"fails in the file ({_first_line(error)})", "export it again") from error
        yield {name: values[:given] for name, values in zip(names, found, strict=True)}


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]

"""Weighted sums of one step's spikes, exact in whichever element type is fastest.

::

    a = floor(2^weight_exponent sum w x)

A table of kernels, the first that is exact for the weights and payloads at hand being taken. Floating point holds whole
numbers exactly up to 2^24 and 2^53, so a sum whose every partial sum stays below is exact in any order of addition.
``MatMulInteger`` and ``ConvInteger`` are used for payloads 0 and 1 alone: for larger ones some processors saturate the
16-bit sums of two products inside them, in spite of the standard.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from neurodeploy.network import Connection, Convolution, Dense, Projection, Shape, Sparse, largest_sum
from neurodeploy.onnxgraph.arithmetic import Width, shift
from neurodeploy.onnxgraph.emitter import Emitter, Value
from neurodeploy.onnxgraph.signals import Signal

#: Whole numbers up to here are exact in float32 and float64.
_EXACT32, _EXACT64 = 1 << 24, 1 << 53
#: Sparse synapses become a matrix of at most so many weights; beyond, they are added row by row.
_DENSE_CELLS = 1 << 22

Cells = npt.NDArray[np.integer]


@dataclass(frozen=True, eq=False)
class Task:
    """A connection to compute: its signal, and the largest magnitude a sum can have on the way."""

    emit: Emitter
    signal: Signal
    connection: Connection
    target: Shape
    largest: int

    @property
    def binary_bytes(self) -> bool:
        """Whether payloads are 0 and 1 and every weight fits a signed byte."""
        assert not isinstance(self.connection, Sparse)
        weight = self.connection.weight
        fits = bool(weight.size == 0 or (weight.min() >= -128 and weight.max() <= 127))
        return self.signal.dtype == np.bool_ and fits and self.largest < 1 << 31


def arriving(
    emit: Emitter, projection: Projection, signal: Signal, target: Shape, width: Width, *, integers_only: bool
) -> Value:
    """Emit what a projection adds at its target, [samples, *target] of type ``width``, in weight units.

    Parameters
    ----------
    integers_only : use no floating point, for a runtime whose floating point is not exact (TF32, bfloat16).
    """
    connection, exponent = _halved(_prepared(projection.connection), projection.weight_exponent)
    task = Task(emit, signal, connection, target, largest_sum(connection) * signal.largest)
    rows = KERNELS[type(connection)]
    kernel = next(row for row in rows if row.exact(task) and not (integers_only and row.floating))
    summed = kernel.emit(task)
    return shift(emit, emit.cast(summed, width), exponent, width)


def _prepared(connection: Connection) -> Connection:
    """Turn a sparse connection of moderate size into a dense one."""
    if isinstance(connection, Sparse) and connection.shape[0] * connection.shape[1] <= _DENSE_CELLS:
        return Dense(connection.to_dense())
    return connection


def _halved(connection: Connection, exponent: int) -> tuple[Connection, int]:
    """Move the power of two that all weights share into the exponent: even 9-bit weights then fit a byte."""
    name = "data" if isinstance(connection, Sparse) else "weight"
    weight = getattr(connection, name)
    common = int(np.bitwise_or.reduce(weight, axis=None)) if weight.size else 0
    halvings = (common & -common).bit_length() - 1 if common else 0
    return replace(connection, **{name: weight >> halvings}), exponent + halvings


def _stored(task: Task, weight: Cells, dtype: npt.DTypeLike) -> Value:
    """Return weights as ``dtype``, stored in as few bytes as they need."""
    info = (np.iinfo(kind) for kind in (np.int8, np.int16, np.int32))
    low, high = int(weight.min(initial=0)), int(weight.max(initial=0))
    narrow = next(i.dtype for i in info if i.min <= low and high <= i.max)
    stored = task.emit.constant(weight, narrow)
    return stored if narrow == dtype else task.emit.once("Cast", stored, to=task.emit.element(dtype))


def _matrix(kind: str, source: npt.DTypeLike, weights: npt.DTypeLike) -> Callable[[Task], Value]:
    def emit(task: Task) -> Value:
        assert isinstance(task.connection, Dense)
        flat = task.emit.op("Flatten", task.signal.value, axis=1)
        weight = _stored(task, task.connection.weight.T, weights)
        return _shaped(task, task.emit.op(kind, task.emit.cast(flat, source), weight))

    return emit


def _float_convolution(task: Task) -> Value:
    assert isinstance(task.connection, Convolution)
    weight = _stored(task, task.connection.weight, np.float32)
    return _convolution("Conv", task, task.emit.cast(task.signal.value, np.float32), weight)


def _integer_convolution(task: Task) -> Value:
    """Store weights above a zero point: onnxruntime up to 1.20 has unsigned ones only."""
    assert isinstance(task.connection, Convolution)
    unsigned = task.emit.constant(task.connection.weight + 128, np.uint8)
    zeros = (task.emit.constant(zero, np.uint8) for zero in (0, 128))
    return _convolution("ConvInteger", task, task.emit.cast(task.signal.value, np.uint8), unsigned, *zeros)


def _convolution(kind: str, task: Task, *inputs: Value) -> Value:
    connection = task.connection
    assert isinstance(connection, Convolution)
    (top, left), strides, dilations = connection.padding, connection.stride, connection.dilation
    sizes = {"strides": strides, "pads": (top, left, top, left), "dilations": dilations, "group": connection.groups}
    return task.emit.op(kind, *inputs, **sizes)


def _taps(dtype: npt.DTypeLike) -> Callable[[Task], Value]:
    """Return a kernel that adds one matrix product a tap of the kernel, for types that have no convolution."""

    def emit(task: Task) -> Value:
        connection = task.connection
        assert isinstance(connection, Convolution)
        groups, (outs, per_group, high, wide) = connection.groups, connection.weight.shape
        by_tap = connection.weight.reshape(groups, outs // groups, per_group, high, wide).transpose(3, 4, 0, 1, 2)
        padded = _padded(task, connection, dtype)
        total: Value | None = None
        for row, column in np.ndindex(high, wide):
            view = _view(task, connection, padded, row, column)
            term = task.emit.op("MatMul", _stored(task, by_tap[row, column], dtype), view)
            total = term if total is None else task.emit.op("Add", total, term)
        assert total is not None
        return _shaped(task, total)

    return emit


def _padded(task: Task, connection: Convolution, dtype: npt.DTypeLike) -> Value:
    top, left = connection.padding
    pads = task.emit.constant([0, 0, top, left, 0, 0, top, left], np.int64)
    return task.emit.op("Pad", task.emit.cast(task.signal.value, dtype), pads)


def _view(task: Task, connection: Convolution, padded: Value, row: int, column: int) -> Value:
    """Return the cells that one tap reads, [samples, groups, channels of a group, places]."""
    emit, groups = task.emit, connection.groups
    first = [tap * gap for tap, gap in zip((row, column), connection.dilation, strict=True)]
    last = [
        start + (extent - 1) * stride + 1
        for start, extent, stride in zip(first, task.target[1:], connection.stride, strict=True)
    ]
    bounds = (emit.constant(values, np.int64) for values in (first, last, (2, 3), connection.stride))
    cut = emit.op("Slice", padded, *bounds)
    places = task.target[1] * task.target[2]
    shape = emit.constant([0, groups, task.signal.shape[0] // groups, places], np.int64)
    return emit.op("Reshape", cut, shape)


def _rows(task: Task) -> Value:
    """Add synapse by synapse: running sums over all synapses, then differences between the ends of the rows."""
    emit, connection = task.emit, task.connection
    assert isinstance(connection, Sparse)
    flat = emit.cast(emit.op("Flatten", task.signal.value, axis=1), np.int64)
    sent = emit.op("Gather", flat, emit.constant(connection.indices, np.int64), axis=1)
    added = emit.op("Mul", sent, _stored(task, connection.data, np.int64))
    running = emit.op("CumSum", added, emit.constant(1, np.int64))
    ends = emit.op("Pad", running, emit.constant([0, 1, 0, 0], np.int64))
    high, low = (
        emit.op("Gather", ends, emit.constant(edge, np.int64), axis=1)
        for edge in (connection.indptr[1:], connection.indptr[:-1])
    )
    return _shaped(task, emit.op("Sub", high, low))


def _shaped(task: Task, summed: Value) -> Value:
    return task.emit.op("Reshape", summed, task.emit.constant([0, *task.target], np.int64))


@dataclass(frozen=True)
class Kernel:
    """One way to compute a connection: where it is exact, and whether it uses floating point."""

    emit: Callable[[Task], Value]
    exact: Callable[[Task], bool]
    floating: bool = False


def _always(_task: Task) -> bool:
    return True


def _below(limit: int) -> Callable[[Task], bool]:
    return lambda task: task.largest <= limit


#: Connection -> its kernels, the fastest first (onnxruntime 1.31 on two cores).
KERNELS: dict[type[Connection], tuple[Kernel, ...]] = {
    Dense: (
        Kernel(_matrix("MatMulInteger", np.uint8, np.int8), lambda task: task.binary_bytes),
        Kernel(_matrix("MatMul", np.float32, np.float32), _below(_EXACT32), floating=True),
        Kernel(_matrix("MatMul", np.float64, np.float64), _below(_EXACT64), floating=True),
        Kernel(_matrix("MatMul", np.int64, np.int64), _always),
    ),
    Convolution: (
        Kernel(_float_convolution, _below(_EXACT32), floating=True),
        Kernel(_integer_convolution, lambda task: task.binary_bytes),
        Kernel(_taps(np.float64), _below(_EXACT64), floating=True),
        Kernel(_taps(np.int64), _always),
    ),
    Sparse: (Kernel(_rows, _always),),
}

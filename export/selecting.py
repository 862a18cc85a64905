"""Parts of a value between layers: slices, chunks and splits of its channels, as synapses of weight one.

The operation itself, run on the places of a sample's cells instead of their values, says which cells it takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from neurodeploy.export.joining import MOST_JOINED, PLACES
from neurodeploy.export.recorder import Handler, Recorder, Value, leading_axes
from neurodeploy.graph import frozen_array


def _select(recorder: Recorder, operation: str, args: Any, kwargs: Any, answer: Any) -> None:
    value = recorder.read(args[0], operation)
    places = torch.arange(int(np.prod(value.shape))).reshape(value.shape).expand(args[0].shape)
    taken = getattr(torch.Tensor, operation)(places, *args[1:], **kwargs)
    if isinstance(answer, Tensor):
        _take(recorder, operation, (args[0], value), answer, taken)
    else:
        for part, cells in zip(answer, taken, strict=True):
            _take(recorder, operation, (args[0], value), part, cells)


def _take(recorder: Recorder, operation: str, given: tuple[Tensor, Value], answer: Tensor, cells: Tensor) -> None:
    """Add the synapse whose rows are those of the identity that belong to the channels taken."""
    tensor, value = given
    channels = _channels(cells, tensor, value)
    if channels is None:
        raise recorder.cannot(operation, f"takes a part of samples {value.shape} that is not some of their channels")
    if max(len(channels), value.shape[0]) > MOST_JOINED or len(value.shape) not in PLACES:
        raise recorder.cannot(operation, f"takes channels of {value.shape}, more than {MOST_JOINED:,} or of other axes")
    rows = np.eye(value.shape[0], dtype=np.float32)[channels]
    recorder.put("part", PLACES[len(value.shape)](frozen_array(rows)), value, answer)


def _channels(cells: Tensor, tensor: Tensor, value: Value) -> npt.NDArray[np.int64] | None:
    """Return the channels that the places ``cells`` are made of, or None where they are no whole channels."""
    leading = leading_axes(tensor, value)
    if cells.shape[:leading] != tensor.shape[:leading] or cells.shape[leading + 1 :] != value.shape[1:]:
        return None
    if cells.ndim != tensor.ndim or not cells.numel():
        return None
    found = cells[(0,) * leading].reshape(cells.shape[leading], -1).numpy()
    space = found.shape[1]
    channels: npt.NDArray[np.int64] = found[:, 0] // space
    return channels if (found == channels[:, np.newaxis] * space + np.arange(space)).all() else None


#: Operation -> what it adds to the graph.
SELECTING: Mapping[str, Handler] = dict.fromkeys(
    ("__getitem__", "chunk", "split", "split_with_sizes", "tensor_split", "narrow", "index_select"), _select
)

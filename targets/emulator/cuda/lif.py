"""Leaky integrate-and-fire neurons on the device: their tables, and the launch of their kernel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from neurodeploy.targets.emulator.cuda import kernels
from neurodeploy.targets.emulator.cuda.device import Device
from neurodeploy.targets.emulator.cuda.plan import Layer

if TYPE_CHECKING:
    from torch import Tensor

#: Neurons of one program, 4 or 2 a thread; fewer where there are too few to give every multiprocessor a program. Under
#: the interpreter an operation costs the same whatever its width.
_MANY, _FEW, _INTERPRETED = 256, 64, 4096
#: A bias beyond this saturates any membrane whose other summands are in range, as one of exactly this size does.
_ENOUGH = 1 << 28


@dataclass(frozen=True, eq=False)
class Tables:
    """Parameters on the device, each [1] or [size], and the shift from sums to state units."""

    shift: int
    period: int
    tensors: tuple[Tensor, Tensor, Tensor, Tensor]


def load(layer: Layer, device: Device, *, wide: bool) -> Tables:
    """Return a layer's tables in 32 bits, or in 64 where 32 could overflow."""
    dtype = torch.int64 if wide else torch.int32
    bias = layer.bias if wide else layer.bias.clip(-_ENOUGH, _ENOUGH)
    columns = (layer.threshold, layer.keep_current, layer.keep_voltage, bias)
    period = max(column.size for column in columns)
    tensors = [torch.from_numpy(c.copy()).to(device.name, dtype).expand(period).contiguous() for c in columns]
    return Tables(layer.shift, period, (tensors[0], tensors[1], tensors[2], tensors[3]))


def advance(
    tables: Tables, a: Tensor | None, s: Tensor, states: Tensor, kept: tuple[Tensor | None, ...], device: Device
) -> None:
    """Run a population through the steps of ``s``.

    Parameters
    ----------
    a : sums of synapses, int16 or int32 [steps, samples, size]; None where nothing is connected.
    s : int8 [steps, samples, size], written.
    states : int32 or int64 [4, samples * size], updated: u, v, and how many updates wrapped u and saturated v.
    kept : where to write u and v of every step, int32 like ``s``, or None.
    """
    steps, cells = len(s), states.shape[1]
    width = _INTERPRETED if device.interpreted else _MANY if cells >= _MANY * device.processors else _FEW
    kept_u, kept_v = kept
    kernels.neurons[(-(-cells // width),)](
        s if a is None else a, s, states, s if kept_u is None else kept_u, s if kept_v is None else kept_v,
        *tables.tensors, steps, cells, tables.period, tables.shift,
        DRIVEN=a is not None, UNIFORM=tables.period == 1, KEEP_U=kept_u is not None, KEEP_V=kept_v is not None,
        CELLS=width, num_warps=2 if width == _MANY else 1,
    )  # fmt: skip

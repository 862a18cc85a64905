"""Neurons on the device: their tables, and the launch of their kernel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from neurodeploy.targets.emulator.cuda import kernels, variants
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
    """A layer's parameters on the device, each [1] or [size]."""

    layer: Layer
    interval: int
    tensors: tuple[Tensor, ...]

    @property
    def period(self) -> int:
        """After how many cells they begin anew."""
        return len(self.tensors[0])


def load(layer: Layer, interval: int, device: Device, *, wide: bool) -> Tables:
    """Return a layer's tables in 32 bits, or in 64 where 32 could overflow."""
    model, dtype = layer.model, torch.int64 if wide else torch.int32
    bias = model.bias if wide else model.bias.clip(-_ENOUGH, _ENOUGH)
    columns = [model.threshold, model.first, model.second, bias]
    if not model.plain:
        columns.append(model.lower)
    period = max(column.size for column in columns)
    tensors = [torch.from_numpy(c.copy()).to(device.name, dtype).expand(period).contiguous() for c in columns]
    return Tables(layer, interval, tuple(tensors))


def state_rows(layer: Layer) -> int:
    """Return how many numbers are remembered of a neuron, the last two of which count wraps and clips."""
    return 4 if layer.model.plain else 6


def advance(
    tables: Tables, sums: tuple[Tensor | None, Tensor | None], s: Tensor, states: Tensor,
    kept: tuple[Tensor | None, Tensor | None], time: tuple[Tensor, int], device: Device,
) -> None:  # fmt: skip
    """Run a population through the steps of ``s``.

    Parameters
    ----------
    sums : of synapses, int16 or int32 [steps, samples, size], at both inputs; None where nothing is connected.
    s : int8 (int32 of a loud model) [steps, samples, size], written.
    states : int32 or int64 [rows, samples * size], updated.
    kept : where to write u and v of every step, int32 like ``s``, or None.
    time : int32 [1] and an offset, which add up to the first step's number within the sample.
    """
    layer, model = tables.layer, tables.layer.model
    steps, cells = len(s), states.shape[1]
    width = _INTERPRETED if device.interpreted else _MANY if cells >= _MANY * device.processors else _FEW
    inputs, outputs = ([s if one is None else one for one in pair] for pair in (sums, kept))
    extents = (steps, cells, tables.period, layer.shift, time[1], max(tables.interval, 1), layer.phase)
    given = {
        "DRIVEN": sums[0] is not None, "KEEP_U": kept[0] is not None, "KEEP_V": kept[1] is not None,
        "RESETS": tables.interval > 0, "CELLS": width, "num_warps": 2 if width == _MANY else 1,
    }  # fmt: skip
    grid = (-(-cells // width),)
    if model.plain:
        kernels.neurons[grid](
            inputs[0], s, states, *outputs, time[0], *tables.tensors, *extents, UNIFORM=tables.period == 1, **given
        )
    else:
        variants.variants[grid](
            *inputs, s, states, *outputs, time[0], *tables.tensors, *extents,
            model.refractory, model.exponent, model.below,
            DRIVEN_B=sums[1] is not None, U=model.recorded[0], V=model.recorded[1], **model.flags, **given,
        )  # fmt: skip

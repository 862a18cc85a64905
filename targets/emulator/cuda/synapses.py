"""Sums of synapses on the device: three ways that are all exact, and the choice among them.

==========  ============================================================================  =============================
way         how                                                                           exact because
==========  ============================================================================  =============================
``matrix``  ``torch._int_mm``: the vendor's int8 matrix product; large dense layers        8-bit factors, 32-bit sums
``tiles``   :func:`kernels.sums`, int8 tensor cores; convolutions and the rest             the same
``double``  float64 matrix products, one kernel tap at a time; where ``tiles`` fails       every partial sum is below 2^53
==========  ============================================================================  =============================
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from neurodeploy.targets.emulator.cuda import kernels
from neurodeploy.targets.emulator.cuda.device import Device
from neurodeploy.targets.emulator.cuda.plan import Geometry, Synapse

if TYPE_CHECKING:
    from torch import Tensor

#: The matrix way pays off from this many weights on, and takes no fewer rows.
_MATRIX_WEIGHTS, _MATRIX_ROWS = 1 << 16, 17
#: Rows of a tile under the interpreter, where an operation costs the same whatever its size.
_INTERPRETED = 1024
#: Fan-in tiles below which a program's share is not split further.
_SHARE = 4


@dataclass(frozen=True, eq=False)
class Loaded:
    """A synapse on the device; ``weight`` int8 [digits, groups, outs, fan-in]."""

    synapse: Synapse
    weight: Tensor


def load(synapse: Synapse, device: Device) -> Loaded:
    """Return the synapse with its weights on the device."""
    return Loaded(synapse, torch.from_numpy(np.ascontiguousarray(synapse.digits)).to(device.name))


@dataclass(frozen=True)
class Tile:
    """How a launch of :func:`kernels.sums` is cut."""

    flat: bool
    rows: int
    columns: int
    depth: int
    splits: int
    grid: tuple[int, int]


def cut(geometry: Geometry, rows: int, device: Device) -> Tile:
    """Return tiles that fill the device; one of few shapes, so that few kernels are compiled."""
    flat = geometry.channels < 16 and geometry.fan_in > geometry.channels
    columns = next(n for n in (16, 32, 64) if geometry.outs <= n or n == 64)
    along = geometry.fan_in if flat else geometry.channels
    depth = next(n for n in (32, 64, 128) if along <= n or n == (64 if flat else 128))
    across = -(-geometry.outs // columns) * geometry.groups
    height = _INTERPRETED if device.interpreted else 64 if rows * across >= 64 * device.processors else 16
    programs = -(-rows // height) * across
    deep = -(-along // depth) * (1 if flat else geometry.kernel[0] * geometry.kernel[1])
    splits = max(1, min(deep // _SHARE, 2 * device.processors // programs))
    return Tile(flat, height, columns, depth, splits, (-(-rows // height), across))


def way(loaded: Loaded, payload_digits: int, frames: int, approved: Collection[str]) -> str:
    """Return by which of the ways, of those that this device computes exactly, the synapse is summed."""
    geometry = loaded.synapse.geometry
    single = geometry.dense and len(loaded.weight) == payload_digits == 1 and frames >= _MATRIX_ROWS
    aligned = geometry.channels % 8 == 0 and geometry.outs % 8 == 0
    large = geometry.channels * geometry.outs >= _MATRIX_WEIGHTS
    if "matrix" in approved and single and aligned and large:
        return "matrix"
    return "tiles" if "tiles" in approved else "double"


def add(
    loaded: Loaded, x: Tensor, out: Tensor, *, first: bool, device: Device, approved: Collection[str] = ("tiles",)
) -> None:
    """Add the sums of some steps' spikes to ``out``, or write them over it where they are the first.

    Parameters
    ----------
    x : int8 [digits, steps, samples, source cells], contiguous in all but the first axis.
    out : int16 or int32 [steps, samples, target cells], contiguous; must hold the result and, but for int32, is the
        only summand's.
    """
    exponent, frames = loaded.synapse.exponent, x.shape[1] * x.shape[2]
    chosen = way(loaded, len(x), frames, approved)
    products = _products(len(loaded.weight), len(x))
    if chosen == "double":
        return _combine(out, _double(loaded, x, frames), exponent, first=first)
    if chosen == "matrix":
        return _matrix(loaded, x[0].reshape(frames, -1), out, exponent, first=first)
    if exponent < 0 and len(products) > 1:
        total = torch.zeros(out.shape, dtype=torch.int32, device=out.device)
        for i, j, left in products:
            _tiles(loaded, i, x[j], total, (left, 0), first=False, device=device)
        return _combine(out, total, exponent, first=first)
    for i, j, left in products:
        _tiles(loaded, i, x[j], out, (left + max(exponent, 0), max(-exponent, 0)), first=first, device=device)
        first = False
    return None


def splits(loaded: Loaded, frames: int, device: Device) -> int:
    """Return among how many programs one sum is shared; more than 1 needs int32 sums."""
    geometry = loaded.synapse.geometry
    tile = cut(geometry, frames * geometry.out_height * geometry.out_width, device)
    return tile.splits if loaded.synapse.exponent >= 0 else 1


def _products(weight_digits: int, payload_digits: int) -> list[tuple[int, int, int]]:
    """Return (weight digit, payload digit, left shift) of every product that reaches into 32 bits."""
    pairs = [(i, j, 8 * (i + j)) for i in range(weight_digits) for j in range(payload_digits)]
    return [pair for pair in pairs if pair[2] < 32]


def _combine(out: Tensor, total: Tensor, exponent: int, *, first: bool) -> None:
    shifted = total.view(out.shape)
    if exponent:
        shifted = shifted << exponent if exponent > 0 else shifted >> -exponent
    if first:
        out.copy_(shifted)
    else:
        out.add_(shifted)


def _matrix(loaded: Loaded, x: Tensor, out: Tensor, exponent: int, *, first: bool) -> None:
    weight = loaded.weight[0, 0].t()
    if first and exponent == 0 and out.dtype == torch.int32:
        torch._int_mm(x, weight, out=out.view(len(x), -1))
    else:
        _combine(out, torch._int_mm(x, weight), exponent, first=first)


def _tiles(
    loaded: Loaded, i: int, x: Tensor, out: Tensor, shifts: tuple[int, int], *, first: bool, device: Device
) -> None:
    g = loaded.synapse.geometry
    rows = x.shape[0] * x.shape[1] * g.out_height * g.out_width
    tile = cut(g, rows, device)
    many = splits(loaded, x.shape[0] * x.shape[1], device) if out.dtype == torch.int32 else 1
    mode = kernels.ATOMIC if many > 1 else kernels.STORE if first else kernels.ADD
    if mode == kernels.ATOMIC and first:
        out.zero_()
    extents: tuple[Any, ...] = (
        g.channels, g.height, g.width, g.outs, g.out_height, g.out_width, g.groups,
        *g.kernel, *g.stride, *g.padding, *g.dilation,
    )  # fmt: skip
    kernels.sums[(*tile.grid, many)](
        x, loaded.weight[i], out, rows, many, *shifts, *extents,
        FLAT=tile.flat, MODE=mode, ROWS=tile.rows, COLUMNS=tile.columns, DEPTH=tile.depth,
    )  # fmt: skip


def _double(loaded: Loaded, x: Tensor, frames: int) -> Tensor:
    """Return int32 sums by float64 products, whose partial sums all stay integers below 2^53."""
    g = loaded.synapse.geometry
    scale = [256.0**i for i in range(max(len(x), len(loaded.weight)))]
    values = sum(x[j].double() * scale[j] for j in range(len(x)))
    weight = sum(loaded.weight[i].double() * scale[i] for i in range(len(loaded.weight)))
    assert isinstance(values, torch.Tensor) and isinstance(weight, torch.Tensor)  # noqa: PT018
    (py, px), (sy, sx), (dy, dx) = g.padding, g.stride, g.dilation
    cells = values.reshape(frames, g.height, g.width, g.groups * g.channels)
    padded = torch.nn.functional.pad(cells, (0, 0, px, px, py, py))
    taps = weight.view(g.groups, g.outs, *g.kernel, g.channels)
    total = torch.zeros(frames, g.out_height, g.out_width, g.groups, g.outs, dtype=torch.float64, device=x.device)
    for ky in range(g.kernel[0]):
        for kx in range(g.kernel[1]):
            rows = slice(ky * dy, ky * dy + (g.out_height - 1) * sy + 1, sy)
            columns = slice(kx * dx, kx * dx + (g.out_width - 1) * sx + 1, sx)
            view = padded[:, rows, columns].reshape(*total.shape[:3], g.groups, g.channels)
            total += torch.einsum("fyxgc,goc->fyxgo", view, taps[:, :, ky, kx])
    return total.to(torch.int64).to(torch.int32)

"""Sums of synapses on the device: ways that are all exact, and the choice among them.

==========  ==========================================================================  ==============================
way         how                                                                         exact because
==========  ==========================================================================  ==============================
``matrix``  ``torch._int_mm``: the vendor's int8 matrix product; large dense layers     8-bit factors, 32-bit sums
``tiles``   :func:`kernels.sums`, int8 tensor cores; convolutions and the rest          the same
``double``  float64 matrix products, one kernel tap at a time; where ``tiles`` fails    every partial sum is below 2^53
``rows``    ``torch.index_add_``, synapse by synapse; sparse rows of a huge matrix      32-bit integers
==========  ==========================================================================  ==============================
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from neurodeploy.errors import BackendError
from neurodeploy.targets.emulator.cuda import kernels
from neurodeploy.targets.emulator.cuda.device import Device
from neurodeploy.targets.emulator.cuda.weights import Geometry, Synapse

if TYPE_CHECKING:
    from torch import Tensor

#: The matrix way pays off from this many weights on, and takes no fewer rows.
_MATRIX_WEIGHTS, _MATRIX_ROWS = 1 << 16, 17
#: Products that sparse rows are formed of at a time.
_PORTION = 1 << 26
#: Rows of a tile where there are enough to fill the device, and where not.
_TALL, _SHORT = 128, 16
#: Warps of a tile. A tall one whose every weight finds its own cell has so many addresses that four would spill them.
_WARPS, _MANY_WARPS = 4, 8
#: Rows of a tile under the interpreter, where an operation costs the same whatever its size.
_INTERPRETED = 1024
#: Weights of a projection, those that fill up its last round included: the kernel's offsets are 32-bit.
_WEIGHTS = (1 << 31) - 1
#: Fan-in tiles below which a program's share is not split further.
_SHARE = 4


@dataclass(frozen=True, eq=False)
class Loaded:
    """A synapse on the device.

    Attributes
    ----------
    weight : int8 [digits, groups, outs, fan-in].
    blocks : int8 [digits, groups, outs, rounds * depth], the same in the order of the kernel's rounds.
    table : int32 [3, rounds * depth or rounds], see :func:`kernels.sums`.
    sparse : int64 [3, synapses], as the synapse has it.
    """

    synapse: Synapse
    flat: bool
    depth: int
    rounds: int
    weight: Tensor
    blocks: Tensor
    table: Tensor
    sparse: Tensor | None = None


def load(synapse: Synapse, device: Device) -> Loaded:
    """Return the synapse with its weights on the device."""
    geometry = synapse.geometry
    if synapse.sparse is not None:
        none = torch.zeros(*synapse.digits.shape, dtype=torch.int8, device=device.name)
        return Loaded(synapse, False, 0, 0, none, none, none, torch.from_numpy(synapse.sparse).to(device.name))
    flat = geometry.channels < 16 and geometry.fan_in > geometry.channels
    depth = _depth(geometry, flat)
    per_tap = -(-(geometry.fan_in if flat else geometry.channels) // depth)
    taps = synapse.digits if flat else synapse.digits.reshape(*synapse.digits.shape[:3], -1, geometry.channels)
    missing = per_tap * depth - taps.shape[-1]
    blocks = np.pad(taps, [(0, 0)] * (taps.ndim - 1) + [(0, missing)]).reshape(*synapse.digits.shape[:3], -1)
    if blocks[0].size > _WEIGHTS:
        found = f"a projection from {synapse.source} has {blocks[0].size:,} weights, the kernels count to {_WEIGHTS:,}"
        raise BackendError(f"device {device.title}", found, "run with --device cpu")
    table = _table(geometry, flat, per_tap, per_tap * depth)
    arrays = (synapse.digits, blocks, table)
    tensors = [torch.from_numpy(np.ascontiguousarray(values)).to(device.name) for values in arrays]
    return Loaded(synapse, flat, depth, blocks.shape[-1] // depth, tensors[0], tensors[1], tensors[2])


def _depth(geometry: Geometry, flat: bool) -> int:
    """Return how much of the fan-in is multiplied at a time; int8 matrix units take 32 at least.

    Where every weight finds its own cell no more than that, for a tile holds an address for each.
    """
    return 32 if flat else next(n for n in (32, 64, 128) if geometry.channels <= n or n == 128)


def _table(geometry: Geometry, flat: bool, per_tap: int, length: int) -> npt.NDArray[np.int32]:
    """Return row and column of the kernel, as cells of the source, and channel of every weight, or of every round."""
    (kernel_y, kernel_x), (gap_y, gap_x) = geometry.kernel, geometry.dilation
    inner = geometry.channels if flat else per_tap
    y, x, channel = np.meshgrid(
        np.arange(kernel_y) * gap_y, np.arange(kernel_x) * gap_x, np.arange(inner), indexing="ij"
    )
    table = np.stack([y.ravel(), x.ravel(), channel.ravel()])
    if flat:
        table = np.pad(table, ((0, 0), (0, length - table.shape[1])))
    return table.astype(np.int32)


@dataclass(frozen=True)
class Tile:
    """How a launch of :func:`kernels.sums` is cut."""

    rows: int
    columns: int
    grid: tuple[int, int]
    splits: int


def cut(loaded: Loaded, rows: int, device: Device) -> Tile:
    """Return tiles that fill the device; one of few shapes, so that few kernels are compiled."""
    geometry = loaded.synapse.geometry
    columns = next(n for n in (16, 32, 64) if geometry.outs <= n or n == 64)
    across = -(-geometry.outs // columns) * geometry.groups
    full = rows * across >= 2 * _TALL * device.processors
    tall = _INTERPRETED if device.interpreted else _TALL if full else _SHORT
    programs = -(-rows // tall) * across
    splits = max(1, min(loaded.rounds // _SHARE, 2 * device.processors // programs))
    return Tile(tall, columns, (-(-rows // tall), across), splits)


def way(loaded: Loaded, payload_digits: int, frames: int, approved: Collection[str]) -> str:
    """Return by which of the ways, of those that this device computes exactly, the synapse is summed."""
    geometry = loaded.synapse.geometry
    if loaded.sparse is not None:
        return "rows"
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
    if chosen == "rows":
        return _combine(out, _rows(loaded, x, frames), exponent, first=first)
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
    if loaded.sparse is not None:
        return 1
    tile = cut(loaded, frames * geometry.out_height * geometry.out_width, device)
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
    tile = cut(loaded, rows, device)
    many = splits(loaded, x.shape[0] * x.shape[1], device) if out.dtype == torch.int32 else 1
    mode = kernels.ATOMIC if many > 1 else kernels.STORE if first else kernels.ADD
    if mode == kernels.ATOMIC and first:
        out.zero_()
    warps = _MANY_WARPS if loaded.flat and tile.rows == _TALL else _WARPS
    kernels.sums[(*tile.grid, many)](
        x, loaded.blocks[i], loaded.table, out, rows, loaded.rounds, many, *shifts,
        g.channels, g.height, g.width, g.outs, g.out_height, g.out_width, g.groups, *g.stride, *g.padding,
        FLAT=loaded.flat, MODE=mode, ROWS=tile.rows, COLUMNS=tile.columns, DEPTH=loaded.depth,
        num_warps=warps,
    )  # fmt: skip


def _rows(loaded: Loaded, x: Tensor, frames: int) -> Tensor:
    """Return int32 sums of sparse rows, a portion of the frames at a time."""
    assert loaded.sparse is not None
    targets, sources, weights = loaded.sparse
    values = x[0].reshape(frames, -1).to(torch.int32)
    for i, digit in enumerate(x[1:], start=1):
        values += digit.reshape(frames, -1).to(torch.int32) << (8 * i)
    total = torch.zeros(frames, loaded.synapse.geometry.outs, dtype=torch.int32, device=x.device)
    portion = max(1, _PORTION // max(1, len(weights)))
    for part in (slice(at, at + portion) for at in range(0, frames, portion)):
        total[part].index_add_(1, targets, values[part][:, sources] * weights.to(torch.int32))
    return total


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

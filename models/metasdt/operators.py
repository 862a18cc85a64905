"""torchvision beside any build of torch: where its compiled operators do not load, the two that detectors need.

Package registries hold torchvision compiled for CUDA, and beside a torch without CUDA even its import fails. Its Python
code needs no more than that the operators exist; non-maximum suppression and RoIAlign are computed here then, in NumPy
and plain torch, and the others refuse to run. Where the compiled ones load, nothing here is used.
"""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from neurodeploy.models.extras import require

#: torchvision's operators, by which its import registers shapes and gradients; the two at the top run here.
_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "roi_align(Tensor input, Tensor rois, float spatial_scale, SymInt pooled_height, SymInt pooled_width,"
    " int sampling_ratio, bool aligned) -> Tensor",
    "_roi_align_backward(Tensor grad, Tensor rois, float spatial_scale, SymInt pooled_height, SymInt pooled_width,"
    " SymInt batch_size, SymInt channels, SymInt height, SymInt width, int sampling_ratio, bool aligned) -> Tensor",
    "_cuda_version() -> int",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qroi_align(Tensor input, Tensor rois, float scale, int zero, float rois_scale, int rois_zero, float spatial_scale,"
    " SymInt pooled_height, SymInt pooled_width, int sampling_ratio, bool aligned) -> Tensor",
    *(
        f"{name}(Tensor input, Tensor rois, float spatial_scale, SymInt pooled_height, SymInt pooled_width{more})"
        " -> (Tensor, Tensor)"
        for name, more in (("ps_roi_align", ", int sampling_ratio"), ("ps_roi_pool", ""), ("roi_pool", ""))
    ),
    *(
        f"_{name}_backward(Tensor grad, Tensor rois, Tensor kept, float spatial_scale, SymInt pooled_height,"
        f" SymInt pooled_width{more}, SymInt batch_size, SymInt channels, SymInt height, SymInt width) -> Tensor"
        for name, more in (("ps_roi_align", ", int sampling_ratio"), ("ps_roi_pool", ""), ("roi_pool", ""))
    ),
    "deform_conv2d(Tensor input, Tensor weight, Tensor offset, Tensor mask, Tensor bias, SymInt[] numbers) -> Tensor",
    "_deform_conv2d_backward(Tensor grad, Tensor input, Tensor weight, Tensor offset, Tensor mask, Tensor bias,"
    " SymInt[] numbers) -> (Tensor, Tensor, Tensor, Tensor, Tensor)",
)

_lock = threading.Lock()
_libraries: list[torch.library.Library] = []


def torchvision(module: str = "torchvision") -> Any:
    """Return torchvision's ``module``, imported with its operators or with those of this file.

    Raises :class:`neurodeploy.errors.BackendMissing` where it is not installed.
    """
    require("torchvision", extra="detection")
    with _lock:
        if "torchvision" not in sys.modules:
            # What an import that failed has left behind is without operators.
            for name in [name for name in sys.modules if name.startswith("torchvision.")]:
                del sys.modules[name]
            # Whoever asks may be building a network without memory: constants of modules are not part of that.
            with _operators(), torch.device("cpu"):
                importlib.import_module("torchvision")
    return importlib.import_module(module)


@contextmanager
def _operators() -> Iterator[None]:
    """Define torchvision's operators within the block when its own library is asked for and does not load."""
    load: Callable[[str], None] = torch.ops.load_library

    def load_or_define(path: str) -> None:
        try:
            load(path)
        except OSError:
            if Path(path).name.partition(".")[0] != "_C":
                raise
            _define()

    vars(torch.ops)["load_library"] = load_or_define  # beside the method, which comes back below
    try:
        yield
    finally:
        del vars(torch.ops)["load_library"]


def _define() -> None:
    if _libraries:
        return
    library: Any = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
    for schema in _SCHEMAS:
        library.define(schema)
    library.impl("nms", suppressed, "CPU")
    library.impl("roi_align", aligned_regions, "CPU")
    library.impl("_roi_align_backward", _regions_gradient, "CPU")
    library.impl("_cuda_version", lambda: -1, "CompositeExplicitAutograd")
    _libraries.append(library)  # a library takes its operators with it when it goes


def suppressed(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """Return the indices of the boxes that stay, best first: those that no better one which stays overlaps by more.

    ``boxes`` are [N, 4], left, top, right, bottom; of equal scores the first is better.
    """
    order = torch.argsort(scores, descending=True, stable=True).numpy()
    left, top, right, bottom = boxes.detach().double().numpy()[order].T
    areas, alive, kept = (right - left) * (bottom - top), np.ones(len(order), np.bool_), list[int]()
    for index in range(len(order)):
        if not alive[index]:
            continue
        kept.append(int(order[index]))
        behind = slice(index + 1, None)
        wide = np.minimum(right[index], right[behind]) - np.maximum(left[index], left[behind])
        tall = np.minimum(bottom[index], bottom[behind]) - np.maximum(top[index], top[behind])
        common = np.maximum(wide, 0) * np.maximum(tall, 0)
        union = areas[index] + areas[behind] - common
        alive[behind] &= ~(common > iou_threshold * union)
    return torch.tensor(kept, dtype=torch.int64)


def aligned_regions(
    maps: Tensor, regions: Tensor, scale: float, height: int, width: int, samples: int, aligned: bool
) -> Tensor:
    """Return [K, C, height, width]: for each region of ``maps`` [B, C, H, W] the means of samples of its grid's cells.

    ``regions`` are [K, 5], the map's number and a box whose numbers times ``scale`` are pixels; ``samples`` a cell's
    samples along a side, one a pixel of the cell where it is below 1 (He et al., "Mask R-CNN", 2017).
    """
    found = maps.new_zeros(len(regions), maps.shape[1], height, width)
    for read in _reads(maps.shape, regions, scale, (height, width), samples, aligned):
        values = functional.grid_sample(maps[read.map, None], read.grid, padding_mode="border", align_corners=False)
        seen = values.reshape(-1, *read.inside.shape).transpose(0, 1) * read.inside[:, None]
        found[read.chosen] = functional.avg_pool2d(seen, read.samples)
    return found


def _regions_gradient(
    gradient: Tensor,
    regions: Tensor,
    scale: float,
    height: int,
    width: int,
    batch: int,
    channels: int,
    rows: int,
    columns: int,
    samples: int,
    aligned: bool,
) -> Tensor:
    """Return the gradient of :func:`aligned_regions` by its maps; below autograd, which could not find it there."""
    maps = gradient.new_zeros(batch, channels, rows, columns)
    for read in _reads(maps.shape, regions, scale, (height, width), samples, aligned):
        down, across = read.samples
        shared = gradient[read.chosen] / (down * across)
        each = shared.repeat_interleave(down, 2).repeat_interleave(across, 3) * read.inside[:, None]
        back = each.transpose(0, 1).reshape(1, channels, *read.grid.shape[1:3])
        bilinear, border = 0, 1
        maps[read.map] += torch.ops.aten.grid_sampler_2d_backward(
            back, maps[read.map, None], read.grid, bilinear, border, False, [True, False]
        )[0][0]
    return maps


@dataclass(frozen=True, eq=False)
class _Read:
    """The regions ``chosen`` of one ``map`` whose cells have equally many ``samples``, down and across.

    ``grid`` is [1, K * rows, columns, 2], and what of it counts, ``inside``, [K, rows, columns].
    """

    map: int
    chosen: Tensor
    samples: tuple[int, int]
    grid: Tensor
    inside: Tensor


def _reads(
    maps: Sequence[int], regions: Tensor, scale: float, cells: tuple[int, int], samples: int, aligned: bool
) -> Iterator[_Read]:
    """Yield what is read of maps of the shape ``maps``."""
    sides = [_side(regions[:, axis], regions[:, axis + 2], scale, aligned) for axis in (2, 1)]
    if samples > 0:
        counts = torch.full((len(regions), 2), samples)
    else:
        counts = torch.stack([(side[1] / n).ceil().clamp(min=1) for side, n in zip(sides, cells, strict=True)], 1)
    kinds = torch.cat([regions[:, :1].long(), counts.long()], dim=1)
    different, kind_of = torch.unique(kinds, dim=0, return_inverse=True)
    for kind, (index, down, across) in enumerate(different.tolist()):
        chosen = torch.nonzero(kind_of == kind)[:, 0]
        (rows, above), (columns, left) = (
            _places(side[0][chosen], side[1][chosen], n * count, extent)
            for side, n, count, extent in zip(sides, cells, (down, across), maps[2:], strict=True)
        )
        inside = above[:, :, None] & left[:, None, :]
        both = columns[:, None, :].expand(inside.shape), rows[:, :, None].expand(inside.shape)
        grid = torch.stack(both, dim=-1).reshape(1, -1, inside.shape[2], 2)
        yield _Read(index, chosen, (down, across), grid, inside)


def _side(low: Tensor, high: Tensor, scale: float, aligned: bool) -> tuple[Tensor, Tensor]:
    """Return where regions begin on a side, and how long they are, in pixels of the map."""
    begin, length = low * scale - 0.5 * aligned, (high - low) * scale
    return begin, length if aligned else length.clamp(min=1.0)


def _places(begin: Tensor, length: Tensor, number: int, extent: int) -> tuple[Tensor, Tensor]:
    """Return ``number`` places along regions [K] of a side, -1 to 1 as torch counts it, and which of them are on it.

    Up to a pixel outside the map counts as its border.
    """
    steps = (torch.arange(number, dtype=begin.dtype) + 0.5) / number
    places = begin[:, None] + steps * length[:, None]
    inside = (places >= -1.0) & (places <= extent)
    return (2 * places.clamp(0, extent - 1) + 1) / extent - 1, inside

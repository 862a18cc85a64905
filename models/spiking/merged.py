"""Layers without memory over a sequence: time becomes part of the batch, so that each runs once over all steps."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def merged(layer: nn.Module, x: Tensor) -> Tensor:
    """Return what ``layer`` makes of each step of ``x`` [T, B, ...]; a batch norm pools over steps and samples."""
    y: Tensor = layer(x.flatten(0, 1))
    return y.reshape(*x.shape[:2], *y.shape[1:])


def joined(parts: Sequence[Tensor], dim: int) -> Tensor:
    """Return maps [T, B, C, H, W] one after another along the steps (0) or the channels (2), in their memory layout.

    torch joins five dimensions into the order channel, row, column, whatever came.
    """
    x = torch.cat([part.flatten(0, 1) for part in parts], dim=1 if dim == 2 else 0)
    return x.view(-1, parts[0].shape[1], *x.shape[1:])


def channels_last(x: Tensor) -> Tensor:
    """Return ``x`` [T, B, C, H, W] with the channels of a pixel side by side in memory."""
    return x.flatten(0, 1).contiguous(memory_format=torch.channels_last).view(x.shape)

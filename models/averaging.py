"""A running average of a network's parameters, which often answers better than the last of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightAverage:
    """The exponential moving average of ``model``'s parameters (Polyak averaging); buffers stay the network's own.

    After update n the average keeps min(``decay``, (1 + n) / (10 + n)) of itself, so that the first, random weights are
    soon forgotten.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self._parameters = dict(model.named_parameters())
        self.values: dict[str, Tensor] = {name: p.detach().clone() for name, p in self._parameters.items()}

    @torch.no_grad()
    def update(self, number: int) -> None:
        """Take the parameters after optimizer step ``number``, counted from 1, into the average."""
        keep = min(self.decay, (1 + number) / (10 + number))
        for name, parameter in self._parameters.items():
            self.values[name].lerp_(parameter, 1.0 - keep)

    @torch.no_grad()
    def restore(self, values: Mapping[str, Tensor]) -> None:
        """Go on from ``values``, which have the names and shapes of :attr:`values`."""
        for name, value in self.values.items():
            value.copy_(values[name])

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Exchange the parameters for their average inside the block."""
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    @torch.no_grad()
    def _exchange(self) -> None:
        for name, parameter in self._parameters.items():
            kept = parameter.detach().clone()
            parameter.copy_(self.values[name])
            self.values[name].copy_(kept)

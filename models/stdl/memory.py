"""What training takes in bytes: tensors kept for the backward pass, weights, gradients and moments, measured.

Nothing is taken from tables: units run on two samples of one step, and what autograd keeps of them is counted.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from neurodeploy.models.spiking.streaming import streaming
from neurodeploy.models.stdl.units import Shape, Unit, Units, in_evaluation

#: Batch normalisation needs more than one value a channel.
_SAMPLES = 2


class Kept:
    """The bytes of tensors that autograd holds for backward passes to come: those of ``now`` and the ``peak``."""

    def __init__(self) -> None:
        self.now = self.peak = 0
        self._holders: dict[tuple[int, int], int] = {}

    def hold(self, key: tuple[int, int]) -> None:
        """Count one more holder of the memory ``key``: address and bytes."""
        holders = self._holders.get(key, 0)
        self._holders[key] = holders + 1
        if not holders:
            self.now += key[1]
            self.peak = max(self.peak, self.now)

    def release(self, key: tuple[int, int]) -> None:
        """Count one holder less."""
        self._holders[key] -= 1
        if not self._holders[key]:
            del self._holders[key]
            self.now -= key[1]


class _Held:
    """A saved tensor, which tells when autograd lets go of it."""

    __slots__ = ("_kept", "_key", "tensor")

    def __init__(self, tensor: Tensor, kept: Kept | None) -> None:
        self.tensor, self._kept = tensor, kept
        self._key = (tensor.data_ptr(), tensor.numel() * tensor.element_size())
        if kept is not None:
            kept.hold(self._key)

    def __del__(self) -> None:
        if self._kept is not None:
            self._kept.release(self._key)


@contextmanager
def counting_kept(weights: Iterable[Tensor] = ()) -> Iterator[Kept]:
    """Count what autograd keeps in the block; ``weights`` are there anyway and do not count.

    A tensor kept by several operations counts once.
    """
    kept = Kept()
    owned = {tensor.untyped_storage().data_ptr() for tensor in weights}

    def pack(tensor: Tensor) -> _Held:
        free = tensor.untyped_storage().data_ptr() in owned
        return _Held(tensor, None if free else kept)

    with saved_tensors_hooks(pack, lambda held: held.tensor):
        yield kept


@dataclass(frozen=True)
class Cost:
    """Bytes of weights with gradients and moments, and of what one sample keeps at one step."""

    fixed: int = 0
    kept: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.fixed + other.fixed, self.kept + other.kept)

    def of(self, samples: int) -> int:
        """Return the bytes for so many samples."""
        return self.fixed + round(self.kept * samples)


class Costs:
    """What training each unit of a network takes, as it is and made once more for another input.

    ``copies`` are how often a weight's bytes are there: itself, its gradient and the optimizer's moments.
    ``shapes`` are those of the units' outputs, of one sample at one step. The network itself stays as it was.
    """

    def __init__(
        self, model: nn.Module, input_shape: Shape, head: Callable[[Shape, int], nn.Module], copies: int
    ) -> None:
        self._model, self._input, self._head, self._copies = model, input_shape, head, copies
        self.shapes = unit_shapes(model.local_units(), input_shape, _place(model))  # type: ignore[operator]

    @cached_property
    def own(self) -> tuple[Cost, ...]:
        """The units of the network, and last its head."""
        units: Units = copy.deepcopy(self._model).local_units()  # type: ignore[operator]
        sources = (self._input, *self.shapes)
        modules = [*(unit.module for unit in units.units), units.head]
        return tuple(self._measured(module, shape) for module, shape in zip(modules, sources, strict=True))

    @cache  # noqa: B019 (as short-lived as its table)
    def chosen(self, end: int, choice: tuple[int, ...]) -> Cost:
        """Return what an auxiliary network of the units ``choice`` behind unit ``end`` takes, classifier and all."""
        total, shape = Cost(), self.shapes[end]
        for unit in choice:
            total += self._again(unit, shape)
            shape = self.shapes[unit]
        return total + self._classifier(shape, len(choice))

    @cache  # noqa: B019
    def _again(self, unit: int, source: Shape) -> Cost:
        units: Units = self._model.local_units()  # type: ignore[operator]
        return self._measured(made_again(units.units[unit], source, self.shapes[unit]), source)

    @cache  # noqa: B019
    def _classifier(self, source: Shape, depth: int) -> Cost:
        return self._measured(self._head(source, depth), source)

    def _measured(self, module: nn.Module, source: Shape) -> Cost:
        place = _place(self._model)
        with torch.random.fork_rng(devices=[]):
            module = module.to(place).train()
            x = torch.ones(1, _SAMPLES, *source, device=place, requires_grad=True)
            with counting_kept((*module.parameters(), *module.buffers())) as kept, streaming(module, detached=True):
                answer = module(x)
            peak = kept.peak
            del answer
        return Cost(self._copies * weight_bytes(module), peak / _SAMPLES)


def bptt_bytes(model: nn.Module, input_shape: Shape, steps: int, samples: int, copies: int) -> int:
    """Return what training the whole of ``model`` by back-propagation through ``steps`` steps takes."""
    probe = copy.deepcopy(model).train()
    with torch.random.fork_rng(devices=[]), counting_kept((*probe.parameters(), *probe.buffers())) as kept:
        answer = probe(torch.ones(1, _SAMPLES, *input_shape, device=_place(model)))
        del answer
    return Cost(copies * weight_bytes(probe), kept.peak / _SAMPLES * steps).of(samples)


def weight_bytes(module: nn.Module) -> int:
    """Return the bytes of the parameters of ``module``."""
    return sum(parameter.numel() * parameter.element_size() for parameter in module.parameters())


def made_again(unit: Unit, source: Shape, target: Shape) -> nn.Module:
    """Return ``unit`` with fresh weights between two shapes; raise :class:`ValueError` where it cannot be."""
    if unit.again is None:
        raise ValueError(f"{unit.name} cannot be made once more")
    return unit.again(source, target)


@torch.no_grad()
def unit_shapes(units: Units, input_shape: Shape, place: torch.device) -> tuple[Shape, ...]:
    """Return the shape of each unit's output, of one sample at one step."""
    shapes, x = [], torch.zeros(1, 1, *input_shape, device=place)
    for unit in units.units:
        with in_evaluation(unit.module):
            x = unit.module(x)
        shapes.append(tuple(x.shape[2:]))
    return tuple(shapes)


def _place(model: Any) -> torch.device:
    return next(iter(model.parameters())).device  # type: ignore[no-any-return]

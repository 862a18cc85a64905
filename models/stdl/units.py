"""What a network must tell of itself to be trained in groups: its units in order, and what answers behind the last."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor, nn

from neurodeploy.models.spiking.merged import merged

Shape = tuple[int, ...]
#: Shapes of one sample at one step, before and after -> fresh modules that lead from the one to the other.
Again = Callable[[Shape, Shape], nn.Module]


class Piece(nn.Module):
    """A part of a network as a module of its own, [T, B, ...] to [T, B, ...]; it shares the network's parameters."""

    def __init__(self, run: Callable[[Tensor], Tensor], *parts: nn.Module) -> None:
        super().__init__()
        self.parts, self._run = nn.ModuleList(parts), run

    def forward(self, x: Tensor) -> Tensor:
        """Return what the part of the network makes of ``x``."""
        return self._run(x)


@dataclass(frozen=True, eq=False)
class Unit:
    """One unit: its module, and how it is made once more for an auxiliary network.

    ``again`` is None where it cannot be: the first unit of a network never needs to.
    """

    name: str
    module: nn.Module
    again: Again | None = None


@dataclass(frozen=True, eq=False)
class Units:
    """A network as a chain: its answer is ``head`` of the last unit's output.

    ``neuron`` makes the neurons that turn a unit's output into spikes, where that output is potentials.
    """

    units: tuple[Unit, ...]
    head: nn.Module
    neuron: Callable[[], nn.Module] | None = None


@runtime_checkable
class Unitary(Protocol):
    """A network that can be cut into units."""

    def local_units(self) -> Units:
        """Return the units; raise :class:`ValueError` where the network has no such form."""
        ...


@contextmanager
def in_evaluation(model: nn.Module) -> Iterator[None]:
    """Put every module in ``model`` in evaluation mode for the block, then each back as it was.

    Pieces hold parts of a network without following its mode, so that one flag would not tell.
    """
    before = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in before:
            module.training = training


class Resize(nn.Module):
    """A map averaged to a height and width, for units that cannot reduce by what is asked."""

    def __init__(self, sides: Shape) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d((sides[0], sides[1]))

    def forward(self, x: Tensor) -> Tensor:
        """Return the map [T, B, C, height, width] of ``x`` [T, B, C, H, W]."""
        return merged(self.pool, x)


def reduction(source: Shape, target: Shape) -> tuple[int, Sequence[nn.Module]]:
    """Return the stride of a padded convolution between two maps, and what must stand before it.

    Shapes are [C, H, W]. Mostly nothing stands before it: the sides are then ceil(side / stride).
    """
    (height, width), wanted = source[1:], target[1:]
    for stride in range(1, max(height, width) + 1):
        if (-(-height // stride), -(-width // stride)) == wanted:
            return stride, ()
    return 1, (Resize(wanted),)

"""A chain of layers as units: each layer with weights begins one, and norms and neurons behind it belong to it.

Pooling and flattening belong to what follows them, so that every unit ends with spikes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from torch import Tensor, nn

from neurodeploy.models.layers import AvgPoolLayer, ConvLayer, FlattenLayer, Layer, LifLayer, LinearLayer
from neurodeploy.models.neuron import Lif
from neurodeploy.models.spiking.merged import merged
from neurodeploy.models.stdl.units import Again, Shape, Unit, Units, reduction

if TYPE_CHECKING:
    from neurodeploy.models.convnet import ConvNet

#: Layers that only change shapes.
_SHAPING = (AvgPoolLayer, FlattenLayer)


class Chain(nn.Module):
    """Layers over [T, B, ...]; those without memory see time as part of the batch."""

    def __init__(self, layers: Sequence[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> Tensor:
        """Return the last layer's output."""
        for layer in self.layers:
            x = layer(x) if isinstance(layer, Lif) else merged(layer, x)
        return x


class _Mean(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        """Return the mean over places."""
        return x.mean((-2, -1))


def chain_units(model: ConvNet) -> Units:
    """Return the units of ``model``; raise :class:`ValueError` where a unit ends without neurons."""
    pieces = _pieces(model.specs)
    modules = list(model.layers)
    for piece in pieces[:-1]:
        if not isinstance(model.specs[piece.stop - 1], LifLayer):
            raise ValueError(f"layers.{piece.stop - 1} is followed by weights and has no neurons")
    units = [
        Unit(f"layers.{p.start}-{p.stop - 1}", Chain(modules[p.start : p.stop]), _again(model.specs[p.start : p.stop]))
        for p in pieces
    ]
    return Units(tuple(units[:-1]), units[-1].module)


def _pieces(specs: Sequence[Layer]) -> list[range]:
    weighted = [index for index, spec in enumerate(specs) if isinstance(spec, ConvLayer | LinearLayer)]
    starts = [0]
    for index in weighted[1:]:
        start = index
        while isinstance(specs[start - 1], _SHAPING):
            start -= 1
        starts.append(start)
    return [range(first, last) for first, last in zip(starts, [*starts[1:], len(specs)], strict=True)]


def _again(specs: Sequence[Layer]) -> Again:
    own = [spec for spec in specs if not isinstance(spec, _SHAPING)]

    def again(source: Shape, target: Shape) -> nn.Module:
        from neurodeploy.models.convnet import BUILDERS

        before: list[nn.Module] = []
        layers, shape = list(own), source
        first = layers[0]
        if isinstance(first, ConvLayer):
            stride, resized = reduction(source, target)
            before += resized
            kernel = first.kernel | 1  # odd, so that padding can keep the sides
            layers[0] = replace(first, kernel=kernel, stride=stride, padding=kernel // 2)
            shape = (source[0], *(target[1:] if resized else source[1:]))
        elif len(source) == 3:
            before.append(_Mean())
            shape = source[:1]
        built = []
        for spec in layers:
            module, shape = BUILDERS[type(spec)](spec, shape)
            built.append(module)
        return nn.Sequential(*before, Chain(built))

    return again

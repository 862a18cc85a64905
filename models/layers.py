"""The layer kinds a recipe may name, each with its options and their limits; no torch here.

:mod:`neurodeploy.models.convnet` turns them into modules.
"""

from __future__ import annotations

from dataclasses import dataclass

from neurodeploy.errors import UsageError
from neurodeploy.models.tables import bounded, describe, join, nearest, one_of, read_table, write_table


@dataclass(frozen=True)
class ConvLayer:
    """A square convolution with zero padding: [C, H, W] -> [channels, H', W']."""

    channels: int = bounded(1, 4096)
    kernel: int = bounded(1, 31, 3)
    stride: int = bounded(1, 31, 1)
    padding: int = bounded(0, 15, 0)
    bias: bool = True


@dataclass(frozen=True)
class BatchNormLayer:
    """Batch normalisation per channel; its statistics pool over samples, places and time steps."""

    momentum: float = bounded(0.0, 1.0, 0.1)
    epsilon: float = bounded(1e-12, 1.0, 1e-5)


@dataclass(frozen=True)
class LifLayer:
    """Leaky integrate-and-fire neurons, one for each value of the shape they are given."""

    beta: float = bounded(0.0, 1.0, 0.9)
    threshold: float = bounded(1e-6, 1e6, 1.0)
    reset: str = one_of(("zero", "subtract", "none"), "zero")
    learn_beta: bool = False


@dataclass(frozen=True)
class AvgPoolLayer:
    """The mean over square windows that do not overlap; what is left over at the far edge is dropped."""

    kernel: int = bounded(1, 31)


@dataclass(frozen=True)
class FlattenLayer:
    """[C, H, W] -> [C * H * W], in that order."""


@dataclass(frozen=True)
class LinearLayer:
    """A fully connected layer: [N] -> [features]."""

    features: int = bounded(1, 65536)
    bias: bool = True


Layer = ConvLayer | BatchNormLayer | LifLayer | AvgPoolLayer | FlattenLayer | LinearLayer

LAYER_KINDS: dict[str, type[Layer]] = {
    "conv": ConvLayer,
    "batchnorm": BatchNormLayer,
    "lif": LifLayer,
    "avgpool": AvgPoolLayer,
    "flatten": FlattenLayer,
    "linear": LinearLayer,
}

MOST_LAYERS = 256


def read_layers(raw: object, file: str) -> tuple[Layer, ...]:
    """Return the layers of a recipe's ``[[layers]]`` tables, or raise :class:`UsageError` naming the layer and key."""
    if not isinstance(raw, list) or not raw:
        raise UsageError(f"{file}: layers", f"is {describe(raw)}, not a list of layers", "write [[layers]] tables")
    if len(raw) > MOST_LAYERS:
        raise UsageError(
            f"{file}: layers", f"has {len(raw)} layers, {MOST_LAYERS} are allowed", "build a smaller network"
        )
    return tuple(_read_layer(entry, f"layers.{index}", file) for index, entry in enumerate(raw))


def write_layers(layers: tuple[Layer, ...]) -> str:
    """Return the ``[[layers]]`` tables that :func:`read_layers` reads back."""
    names = {cls: kind for kind, cls in LAYER_KINDS.items()}
    return "\n".join(f'[[layers]]\nkind = "{names[type(layer)]}"\n{write_table(layer)}' for layer in layers)


def _read_layer(entry: object, where: str, file: str) -> Layer:
    options = dict(entry) if isinstance(entry, dict) else {}
    kind = options.pop("kind", None)
    if not isinstance(kind, str) or kind not in LAYER_KINDS:
        found = "is missing" if kind is None else f"{kind!r} is no kind of layer"
        raise UsageError(f"{file}: {join(where, 'kind')}", found, nearest(str(kind), LAYER_KINDS))
    return read_table(LAYER_KINDS[kind], options, where, file)

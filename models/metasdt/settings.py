"""The options of the Meta-SDT backbones; no torch here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from neurodeploy.models.tables import bounded, one_of

MIXERS = ("conv", "mlpixer", "srb")
LAYOUTS = ("reference", "pointwise")
ORDERS = ("mlp-conv", "conv-mlp")
NEURONS = ("i-lif", "lif-sj")

#: Sections of a backbone, each a change of resolution or width and its blocks; the last two are transformers.
SECTIONS = ("1a", "1b", "2", "3", "4")
#: Published widths of V3; its first section has half of the first.
V3_CHANNELS: dict[str, tuple[int, int, int, int]] = {
    "nano": (24, 48, 96, 128),
    "t": (32, 64, 128, 192),
    "s": (48, 96, 192, 240),
    "b": (64, 128, 256, 360),
}
#: Published widths of V2, by the names of its checkpoints.
V2_CHANNELS: dict[str, tuple[int, int, int, int]] = {
    "8-384": (96, 192, 384, 480),
    "8-512": (128, 256, 512, 640),
    "8-768": (192, 384, 768, 960),
}
BLOCKS = (1, 1, 2, 6, 2)
STRIDES = (2, 2, 2, 2, 1)


def _integers(default: tuple[int, ...], low: int, high: int) -> Any:
    return bounded(low, high, default)


@dataclass(frozen=True)
class BackboneSettings:
    """What the backbones of both versions have in common.

    Attributes
    ----------
    channels : of the four stages.
    blocks, strides : of the sections ``1a``, ``1b``, ``2``, ``3``, ``4``; published 1, 1, 2, 6, 2 and 2, 2, 2, 2, 1.
    mixer : of channels, in the sections ``1a``, ``1b`` and ``2``: two 3 x 3 convolutions, two linear layers, or one
        of each.
    layout : what a row of a linear layer is. ``reference``: as many consecutive numbers of the map as there are
        channels, which are neighbouring pixels of one channel (the public code and its checkpoints). ``pointwise``:
        the channels of a pixel (the paper's formula, and what a chip can hold).
    order : of SRB: linear then convolution (public code) or the reverse (formula).
    mixer_norm : a batch norm behind every linear layer of a mixer (formula; the public code has none).
    expansion : of mixers and of the transformers' linear layers, which published settings share.
    mixer_expansion : of mixers alone, 0 for the same.
    """

    channels: tuple[int, ...] = _integers(V3_CHANNELS["t"], 2, 4096)
    blocks: tuple[int, ...] = _integers(BLOCKS, 0, 64)
    strides: tuple[int, ...] = _integers(STRIDES, 1, 4)
    mixer: str = one_of(MIXERS, "conv")
    layout: str = one_of(LAYOUTS, "reference")
    order: str = one_of(ORDERS, "mlp-conv")
    mixer_norm: bool = field(default=False)
    expansion: int = bounded(1, 64, 4)
    mixer_expansion: int = bounded(0, 64, 0)
    heads: int = bounded(1, 64, 8)

    def check(self) -> None:
        """Raise :class:`ValueError` where options contradict each other, naming them."""
        check_sizes(self.channels, self.blocks, self.strides, self.heads)


@dataclass(frozen=True)
class MetaSdtSettings(BackboneSettings):
    """Meta-SDT V3 as its public code has it, for frames or one image (a still image is one step).

    Attributes
    ----------
    channels : the published T by default; see :data:`V3_CHANNELS`.
    levels : D, the largest integer that an I-LIF neuron sends; published 4 (8 is the public classes' default).
    neuron : ``i-lif``, integers without memory; ``lif-sj``, binary spikes with memory.
    dropout : behind the mixers' linear layers.
    """

    levels: int = bounded(1, 255, 4)
    neuron: str = one_of(NEURONS, "i-lif")
    dropout: float = bounded(0.0, 0.95, 0.2)


@dataclass(frozen=True)
class SemanticFpnSettings(MetaSdtSettings):
    """Semantic-FPN on a backbone of V3, for a class at every pixel.

    Attributes
    ----------
    width : channels of pyramid and head.
    head_dropout : of whole channels before the classifier.
    """

    width: int = bounded(1, 4096, 128)
    head_dropout: float = bounded(0.0, 0.95, 0.1)


@dataclass(frozen=True)
class MaskRcnnSettings(MetaSdtSettings):
    """Mask R-CNN on a backbone of V3, for objects with boxes and masks.

    Attributes
    ----------
    width : channels of the pyramid and the mask head.
    features : outputs of the box head's layers.
    proposals : of an image that go on to the heads, at most.
    regions : of them that training draws, a quarter of them with objects where there are so many.
    """

    width: int = bounded(1, 4096, 256)
    features: int = bounded(1, 65_536, 1024)
    proposals: int = bounded(1, 100_000, 1000)
    regions: int = bounded(1, 100_000, 512)


@dataclass(frozen=True)
class MetaSdtV2Settings(BackboneSettings):
    """Meta-SDT V2: LIF neurons, re-parameterised convolutions in attention, and Conv mixers.

    Attributes
    ----------
    channels : the published 8-512 by default; see :data:`V2_CHANNELS`.
    attention_threshold : of the neurons behind the product of attention.
    dropout : behind the mixers' linear layers.
    """

    channels: tuple[int, ...] = _integers(V2_CHANNELS["8-512"], 2, 4096)
    attention_threshold: float = bounded(0.0, 1e3, 0.5)
    dropout: float = bounded(0.0, 0.95, 0.2)


def check_sizes(channels: tuple[int, ...], blocks: tuple[int, ...], strides: tuple[int, ...], heads: int) -> None:
    """Raise :class:`ValueError` unless there are four widths that halves and heads divide, and five of the others."""
    if len(channels) != 4 or channels[0] % 2:
        raise ValueError(f"channels {list(channels)} are not four numbers, the first of them even")
    for name, values in (("blocks", blocks), ("strides", strides)):
        if len(values) != len(SECTIONS):
            raise ValueError(f"{name} {list(values)} are not {len(SECTIONS)} numbers, for {', '.join(SECTIONS)}")
    for width in channels[2:]:
        if width % heads:
            raise ValueError(f"{heads} heads do not divide {width} channels")

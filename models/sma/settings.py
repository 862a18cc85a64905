"""The options of SMA's networks; no torch here."""

from __future__ import annotations

from dataclasses import dataclass

from neurodeploy.models.tables import bounded, one_of

#: Depth -> blocks of each stage of the MS-ResNets that SMA was published in.
RESNET_BLOCKS: dict[int, tuple[int, ...]] = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 104: (3, 8, 32, 8)}

ZONEOUTS = ("off", "attention", "in-place", "random")
ATTENTIONS = ("sma", "sma-l", "none")


@dataclass(frozen=True)
class SmaVggSettings:
    """SMA-VGG8: five blocks of a convolution and neurons, attention in the second and third, and three linear layers.

    Attributes
    ----------
    attention : ``sma``, the lighter ``sma-l`` whose channel weights are the same at all steps, or ``none``.
    largest_kernel : branches of 1, 3, ... pixels up to this.
    zoneout : ``attention`` is AZO; ``in-place`` its other public form, where a replaced step may be copied on;
        ``random`` draws the places; all in training only.
    channel_ratio, time_ratio : AZO acts on one channel, and one step, in so many.
    channels, blocks, hidden : the published 64, 5 and 2048; fewer for small frames. Nothing normalises what the hidden
        layers take in, so that their neurons are silent at first; 0 leaves both out, for short training.
    """

    attention: str = one_of(ATTENTIONS, "sma")
    largest_kernel: int = bounded(1, 15, 7)
    channel_reduction: int = bounded(1, 1024, 4)
    time_reduction: int = bounded(1, 1024, 4)
    zoneout: str = one_of(ZONEOUTS, "attention")
    channel_ratio: int = bounded(1, 1024, 4)
    time_ratio: int = bounded(1, 1024, 4)
    channels: int = bounded(1, 1024, 64)
    blocks: int = bounded(3, 5, 5)
    hidden: int = bounded(0, 65_536, 2048)
    dropout: float = bounded(0.0, 0.95, 0.5)


@dataclass(frozen=True)
class SmaResNetSettings:
    """MS-ResNet-18, 34 or 104 with attention behind the first convolution of the first blocks of every stage.

    Attributes
    ----------
    attended_blocks : of each stage; the public script has two.
    branches : ``relu`` as in the public code, or ``lif-ms``, spikes, which a chip can hold.
    time_steps_kept : inner size of the attention over time: int(6 / 1.5) = 4 (the script's float fails today).
    """

    depth: int = bounded(18, 104, 18)
    attention: str = one_of(ATTENTIONS, "sma")
    attended_blocks: int = bounded(0, 3, 2)
    branches: str = one_of(("relu", "lif-ms"), "relu")
    largest_kernel: int = bounded(1, 15, 7)
    channel_reduction: int = bounded(1, 1024, 4)
    time_steps_kept: int = bounded(1, 1024, 4)
    zoneout: str = one_of(ZONEOUTS, "attention")
    channel_ratio: int = bounded(1, 1024, 4)
    time_ratio: int = bounded(1, 1024, 4)
    channels: int = bounded(1, 1024, 64)
    dropout: float = bounded(0.0, 0.95, 0.0)

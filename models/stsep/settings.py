"""The options of the non-stateful family and of STSep; no torch here."""

from __future__ import annotations

from dataclasses import dataclass, field

from neurodeploy.models.tables import bounded, one_of

#: Depth -> blocks of each stage, and whether a block is a bottleneck (He et al., 2016; 10 is 18 with half its blocks).
DEPTHS: dict[int, tuple[tuple[int, ...], bool]] = {
    10: ((1, 1, 1, 1), False),
    18: ((2, 2, 2, 2), False),
    34: ((3, 4, 6, 3), False),
    50: ((3, 4, 6, 3), True),
}

STAGES = ("1", "2", "3", "4")
STEM = "stem"


@dataclass(frozen=True)
class StsepSettings:
    """A spiking residual network for clips; each frame is a step.

    Re-implementation: what the paper leaves open is an option, its default the choice made here.

    Attributes
    ----------
    depth : 10, 18, 34 or 50, for blocks and kind of block.
    block : ``stsep`` has a spatial and a temporal branch, ``plain`` is one chain of neurons and convolutions.
    separated : stages whose blocks are STSep's, where ``block`` is; the others stay plain and stateless.
    stateless : stages (``stem``, ``1`` to ``4``) whose neurons carry nothing from step to step: NS(stages).
    shortcut : what passes a block by: potentials, as in MS-ResNet, or spikes, as in SEW-ResNet.
    charge : ``alpha`` is v / 2 + x, ``sj`` is v + (x - v) / 2; without memory the gains are 1 and 1/2.
    stem : ``imagenet`` is a 7 x 7 convolution and a maximum over 3 x 3, both of stride 2, ``small`` a 3 x 3 alone.
    channels : of the first stage; each further one has twice as many.
    stages : how many of the four there are.
    difference : of the spikes that enter the temporal branch, or of its first convolution's normalised output.
    boundary : the first difference: 0, or the first frame itself (as if a blank one came before).
    rectify : two maps, of what appears and of what disappears, in place of one with signs.
    fusion, balance : the output is shortcut + (1 - balance) spatial + balance temporal; a learned balance is a sigmoid,
        one number a block.
    width : both branches ``full``, ``split`` over the channels with ``split`` the spatial share, or ``shared`` weights.
    temporal_state : whether the temporal branch's neurons remember.
    """

    depth: int = bounded(10, 50, 18)
    block: str = one_of(("stsep", "plain"), "stsep")
    separated: tuple[str, ...] = STAGES
    stateless: tuple[str, ...] = ()
    shortcut: str = one_of(("membrane", "spike"), "membrane")
    charge: str = one_of(("alpha", "sj"), "alpha")
    stem: str = one_of(("imagenet", "small"), "imagenet")
    channels: int = bounded(1, 1024, 64)
    stages: int = bounded(1, 4, 4)
    difference: str = one_of(("input", "post-conv"), "input")
    boundary: str = one_of(("zero", "history"), "zero")
    rectify: bool = field(default=False)
    fusion: str = one_of(("fixed", "learned"), "fixed")
    balance: float = bounded(0.0, 1.0, 0.5)
    width: str = one_of(("full", "split", "shared"), "full")
    split: float = bounded(0.05, 0.95, 0.5)
    temporal_state: bool = field(default=True)

    def check(self) -> None:
        """Raise :class:`ValueError` where options contradict each other, naming them."""
        if self.depth not in DEPTHS:
            raise ValueError(f"depth {self.depth} is none of {', '.join(map(str, DEPTHS))}")
        for key, known in (("stateless", (STEM, *STAGES)), ("separated", STAGES)):
            for name in getattr(self, key):
                if name not in known:
                    raise ValueError(f"{key} {name!r} is none of {', '.join(known)}")
        if self.width == "shared" and self.rectify:
            raise ValueError("width 'shared' and rectify: two maps do not fit the spatial branch's weights")

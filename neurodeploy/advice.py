"""What to change so that a network fits, with the number each change gives."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from neurodeploy.network import Convolution, Population, Projection
from neurodeploy.occupancy import Occupancy
from neurodeploy.reshaping import with_groups


@dataclass(frozen=True)
class Excess:
    """A population that exceeds a limit however it is cut: ``found`` of ``allowed``, and ``limit`` without margin.

    Narrower weights are no remedy here: with one neuron to a core, each row takes one word whatever its width. They
    save cores, and :mod:`neurodeploy.mapping` says how many where there are too few.
    """

    occupancy: Occupancy
    population: Population
    name: str
    found: int
    allowed: int
    limit: int


def advise(excess: Excess) -> str:
    """Return the changes that would make the population respect the limit, in words."""
    knobs = (knob(excess) for knob in KNOBS.get(excess.name, (_margin, _sources)))
    return ", or ".join(text for text in knobs if text) or "make the layer smaller, or choose another chip"


def _margin(excess: Excess) -> str:
    return f"--margin 0 allows {excess.limit:,}" if excess.found <= excess.limit else ""


def _sources(excess: Excess) -> str:
    """Name the size of the largest source that fits, and the stride that leads to it."""
    network = excess.occupancy.network
    projections = network.into(excess.population.name)
    if not projections:
        return ""
    largest = max(projections, key=lambda p: math.prod(network.by_name[p.source].shape))
    shape = network.by_name[largest.source].shape
    share = excess.allowed / excess.found
    if isinstance(largest.connection, Convolution):
        channels = math.floor(shape[0] * share)
        fewer = f"give {largest.source} at most {channels} channels instead of {shape[0]}" if channels else ""
        return ", or ".join(text for text in (fewer, _split(excess, largest)) if text)
    size, most = math.prod(shape), math.floor(math.prod(shape) * share)
    text = f"give {largest.source} at most {most:,} neurons instead of {size:,}"
    stride = math.ceil(math.sqrt(size / most)) if most else 0
    if len(shape) == 3 and stride and min(shape[1:]) >= stride:
        left = shape[0] * math.prod(-(-extent // stride) for extent in shape[1:])
        text += f" (a stride or pooling of {stride} there leaves {left:,})"
    return text


def _split(excess: Excess, projection: Projection) -> str:
    """Name the fewest groups of channels that make a convolution fit, and what they leave."""
    for groups in range(2, excess.occupancy.network.by_name[projection.source].shape[0] + 1):
        left = -(-excess.found // groups)
        if left <= excess.allowed and with_groups(excess.occupancy.network, projection.name, groups) is not None:
            return f"split its channels into {groups} groups, which leaves {left:,}"
    return ""


def _parameters(excess: Excess) -> str:
    return f"let a core's neurons share thresholds and decays: at most {excess.allowed} different sets"


def _targets(excess: Excess) -> str:
    return f"let {excess.population.name} feed fewer or smaller layers, so that a neuron reaches fewer cores"


#: Limit -> what may help, tried in this order; limits without an entry are pools of words.
KNOBS: dict[str, tuple[Callable[[Excess], str], ...]] = {
    "in_axons": (_margin, _sources),
    "axon_in_words": (_margin, _sources),
    "out_slots": (_margin, _targets),
    "axon_map_words": (_margin, _targets),
    "neuron_groups": (_parameters,),
}

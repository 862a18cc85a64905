"""Changes that make a network take fewer cores, each tried out: what is named is what the mapper then finds.

A knob is a name, a number to turn it to, and the cores that the network takes when it is turned; :func:`turn` turns it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from neurodeploy.network import Network
from neurodeploy.occupancy import Occupancy, allowed_by_kind
from neurodeploy.partition import cut_populations
from neurodeploy.reshaping import with_bits, with_channels, with_stride
from neurodeploy.targets.chip import Chip


@dataclass(frozen=True)
class Knob:
    """One change.

    Attributes
    ----------
    name : a key of :data:`TURNS`.
    population : whose, or "" for the whole network.
    value : what to turn it to.
    cores : that the network then takes.
    fits : whether the board has as many.
    """

    name: str
    population: str
    value: int
    cores: int
    fits: bool = True

    @property
    def text(self) -> str:
        """The change in words."""
        return _TEXTS[self.name].format(**vars(self)) + ("" if self.fits else ", still too many")


_TEXTS = {
    "chips": "a board of {value:,} chips (chips_max in a chip file of your own)",
    "weight_bits": "weights of {value} bits, with which it takes {cores:,} cores",
    "channels": "{value:,} channels in {population}, with which it takes {cores:,} cores",
    "stride": "a stride {value} times as large into {population}, with which it takes {cores:,} cores",
}

#: Name -> (network, chip, population, value) -> network and chip with the knob turned; None where that cannot be told.
TURNS: dict[str, Callable[[Network, Chip, str, int], tuple[Network | None, Chip]]] = {
    "chips": lambda network, chip, _name, value: (network, replace(chip, chips_max=value)),
    "weight_bits": lambda network, chip, _name, value: (with_bits(network, value), chip),
    "channels": lambda network, chip, name, value: (with_channels(network, name, value), chip),
    "stride": lambda network, chip, name, value: (with_stride(network, name, value), chip),
}


def turn(knob: Knob, network: Network, chip: Chip) -> tuple[Network, Chip]:
    """Return network and chip after a change that :func:`for_fewer_cores` named."""
    turned, other = TURNS[knob.name](network, chip, knob.population, knob.value)
    assert turned is not None
    return turned, other


def for_fewer_cores(network: Network, chip: Chip, margin: float, cores: int, largest: str) -> tuple[Knob, ...]:
    """Return the changes by which a network of so many cores, ``largest`` taking the most, comes to fit or nearer.

    A larger board is named first; then, of each kind, the least change that fits, or else the one that saves most.
    """
    board = Knob("chips", "", -(-cores // chip.usable_cores), cores)
    knobs = [board, *_least("weight_bits", network, chip, margin, cores, "", _narrower(network, chip))]
    shape = network.by_name[largest].shape
    fewer = [shape[0] * part // 4 for part in (3, 2, 1) if shape[0] * part // 4]
    knobs += _least("channels", network, chip, margin, cores, largest, fewer)
    knobs += _least("stride", network, chip, margin, cores, largest, [2, 4])
    return tuple(knobs)


def _narrower(network: Network, chip: Chip) -> list[int]:
    widest = max((projection.weight_bits for projection in network.projections), default=0)
    return sorted((bits for bits in chip.weight_bits if 4 <= bits < widest), reverse=True)


def _least(
    name: str, network: Network, chip: Chip, margin: float, cores: int, population: str, values: list[int]
) -> Iterator[Knob]:
    """Yield the first of the values that fits the board, or the last one that saves cores."""
    best = None
    for value in values:
        turned, other = TURNS[name](network, chip, population, value)
        found = cores if turned is None else _cores(turned, other, margin)
        if found < cores:
            best = Knob(name, population, value, found, fits=found <= chip.cores_max)
        if found <= chip.cores_max:
            break
    if best is not None:
        yield best


def _cores(network: Network, chip: Chip, margin: float) -> int:
    occupancy = Occupancy(network, chip)
    cut_populations(occupancy, allowed_by_kind(chip, margin))
    return sum(tiling.count for tiling in occupancy.tilings.values())

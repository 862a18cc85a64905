"""Limits that a network cannot keep on a chip: which part, which limit, by how much, and what would help."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from neurodeploy.advice import Excess, advise
from neurodeploy.knobs import for_fewer_cores
from neurodeploy.matching import Shortage
from neurodeploy.network import Network
from neurodeploy.neurons import Lif
from neurodeploy.occupancy import Occupancy, Use, allowed_use
from neurodeploy.placement import Core, Violation
from neurodeploy.targets.chip import Chip
from neurodeploy.tiling import Tiling


def find_violations(
    occupancy: Occupancy, cores: Sequence[Core], hopeless: Mapping[str, Use], margin: float, shortage: Shortage | None
) -> tuple[Violation, ...]:
    """Return every limit that a placement on these cores breaks, those of single cores first.

    Parameters
    ----------
    hopeless : population -> the limits that no cut of it respects, with the least use a cut leaves.
    shortage : tiles that compete for too few cores of their kind; None where each has a core.
    """
    network, chip = occupancy.network, occupancy.chip
    tilings = {population.name: occupancy.tilings[population.name] for population in network.order}
    used = len({(core.chip, core.core) for core in cores})
    on_board = tuple(_chip_violations(network, chip, tilings, margin, used))
    return (
        *_core_violations(occupancy, cores, hopeless),
        *_delay_violations(network, chip),
        *_leak_violations(network, chip),
        *on_board,
        *(() if on_board else _kind_violations(cores, shortage)),
    )


def _core_violations(occupancy: Occupancy, cores: Sequence[Core], hopeless: Mapping[str, Use]) -> list[Violation]:
    """Return, per population and limit, the least use it can be brought to where that is too much."""
    found: dict[tuple[str, str], tuple[int, int]] = {}
    for core in cores:
        for limit, (used, allowed) in core.use.items():
            if used > allowed:
                least = hopeless.get(core.population, {}).get(limit, used)
                found[core.population, limit] = max((least, allowed), found.get((core.population, limit), (0, 0)))
    populations = {population.name: population for population in occupancy.network.populations}
    limits = allowed_use(occupancy.chip, 0.0)
    return [
        Violation(
            name,
            limit,
            amount,
            allowed,
            advise(Excess(occupancy, populations[name], limit, amount, allowed, limits[limit])),
        )
        for (name, limit), (amount, allowed) in found.items()
    ]


def _leak_violations(network: Network, chip: Chip) -> Iterator[Violation]:
    """Yield populations whose neurons forget, on a chip whose neurons cannot."""
    for population in network.populations:
        neuron = population.neuron
        if not isinstance(neuron, Lif):
            continue
        kept_current = np.any(neuron.current_decay != chip.formats.decay_one)
        if not chip.formats.leak and (np.any(neuron.voltage_decay) or kept_current):
            advice = "train integrate-and-fire neurons: no leak of the membrane, and no synaptic current that lasts"
            yield Violation(population.name, "leak", 1, 0, advice)


def _kind_violations(cores: Sequence[Core], shortage: Shortage | None) -> Iterator[Violation]:
    """Yield the violation of tiles that compete for fewer cores than they are."""
    if shortage is not None:
        names = list(dict.fromkeys(cores[tile].population for tile in shortage.tiles))
        advice = f"make one of {', '.join(names)} smaller, so that it fits another kind of core"
        yield Violation(names[-1], "cores", len(shortage.tiles), shortage.cores, advice)


def _delay_violations(network: Network, chip: Chip) -> list[Violation]:
    most = chip.formats.delay_maximum
    advice = f"shorten the delay to {most} steps, or split it with a relay population"
    return [
        Violation(projection.target, "delay", projection.delay, most, advice)
        for projection in network.projections
        if projection.delay > most
    ]


def _chip_violations(
    network: Network, chip: Chip, tilings: Mapping[str, Tiling], margin: float, cores: int
) -> list[Violation]:
    """Return the violation of needing more cores than the largest board has."""
    if cores <= chip.cores_max:
        return []
    largest = max(tilings, key=lambda name: tilings[name].count)
    knobs = for_fewer_cores(network, chip, margin, cores, largest)
    advice = ", or ".join(knob.text for knob in knobs)
    return [Violation(largest, "cores", cores, chip.cores_max, advice, knobs)]

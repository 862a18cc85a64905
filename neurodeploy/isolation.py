"""Parts of a network, fed with the float network's spikes: one population alone, or what follows some of them.

A population that hears the float network makes only its own errors. What it sends is compared to what its float twin
sent, cell by cell; errors that it would inherit are not counted against it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from neurodeploy.network import Network, Population, Port, Projection

#: Appended to the name of a population whose place the float network's spikes take.
_GIVEN = " (float)"


def given(name: str) -> str:
    """Return the name of the port that stands for what the float network's population of this name sent."""
    return name + _GIVEN


def alone(population: Population, projections: Collection[Projection], network: Network) -> Network:
    """Return a network of one population whose every source, itself included, is a port.

    Parameters
    ----------
    network : that the population and its sources stand in.
    """
    sources = dict.fromkeys(projection.source for projection in projections)
    kept = tuple(
        replace(p, source=given(p.source), delay=network.lag(p))  # a port has latency 0, the population 1
        for p in projections
    )
    return Network(
        ports=tuple(Port(given(name), network.by_name[name].shape) for name in sources),
        populations=(replace(population, latency=1),),
        projections=kept,
        outputs=(population.name,),
        dt=network.dt,
        target=network.target,
    )


def behind(network: Network, perfect: Collection[str]) -> Network | None:
    """Return the network in which ports give what the float populations ``perfect`` sent; None if no output is left.

    The outputs among them are perfect too, and are left out.
    """
    populations = tuple(p for p in network.populations if p.name not in perfect)
    outputs = tuple(name for name in network.outputs if name not in perfect)
    if not populations or not outputs:
        return None
    projections = []
    heard: dict[str, None] = {}
    for projection in network.projections:
        if projection.target in perfect:
            continue
        if projection.source not in perfect:
            projections.append(projection)
            continue
        heard[projection.source] = None
        lag = network.lag(projection)
        late = network.latency(projection.target)
        projections.append(replace(projection, source=given(projection.source), delay=lag - 1 + late))
    return replace(
        network,
        ports=(*network.ports, *(Port(given(name), network.by_name[name].shape) for name in heard)),
        populations=populations,
        projections=tuple(projections),
        outputs=outputs,
    )

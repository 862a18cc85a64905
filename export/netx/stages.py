"""A Network as the chain of layers that a netx file can hold, or the reason why it is none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurodeploy.errors import Unsupported
from neurodeploy.export.netx.schema import DELAY_MAX, Numbers
from neurodeploy.fixedpoint import DECAY_ONE
from neurodeploy.network import Connection, Convolution, Dense, Network, Population, Projection, Shape, Sparse
from neurodeploy.neurons import Lif, Resonator, SigmaDelta

_KEEP = "keep it as .nir, or run it with --backend lava"


@dataclass(frozen=True, eq=False)
class Stage:
    """One population and what drives it.

    Attributes
    ----------
    source : shape of what comes before it.
    forward, recurrent, imaginary : its projections; several of one kind differ in delay.
    driven : whether the host drives it through its bias, without a synapse.
    """

    population: Population
    source: Shape
    forward: tuple[Projection, ...]
    recurrent: tuple[Projection, ...] = ()
    imaginary: tuple[Projection, ...] = ()
    driven: bool = False

    @property
    def convolution(self) -> Projection | None:
        """The projection of a convolution, None for a dense stage."""
        return self.forward[0] if isinstance(self.forward[0].connection, Convolution) else None


def stages(network: Network) -> list[Stage]:
    """Return the layers in order.

    Raises
    ------
    Unsupported : several ports or outputs, a skip connection, a loop over more than one population.
    """
    if len(network.ports) != 1:
        raise Unsupported("network", f"has {len(network.ports)} ports, a .net has one input", _KEEP)
    found: list[Stage] = []
    end, left = network.ports[0].name, {p.name: p for p in network.populations}
    while left:
        following = [name for name in dict.fromkeys(p.target for p in network.out_of(end)) if name in left]
        if len(following) != 1:
            what = f"goes on to {', '.join(following)}" if following else f"does not reach {', '.join(left)}"
            raise Unsupported(repr(end), f"{what}; the layers of a .net follow one another", _KEEP)
        population = left.pop(following[0])
        found.append(_stage(network, end, population, first=not found))
        end = population.name
    if network.outputs != (end,):
        raise Unsupported(
            "network", f"answers by {', '.join(network.outputs)}, a .net by its last layer {end!r}", _KEEP
        )
    return found


def _stage(network: Network, source: str, population: Population, *, first: bool) -> Stage:
    into = network.into(population.name)
    for projection in into:
        if projection.source not in (source, population.name):
            found = f"comes from {projection.source!r}, not from {source!r} before it"
            raise Unsupported(f"projection {projection.name!r}", f"{found}; a .net has no such loop", _KEEP)
        if projection.delay > DELAY_MAX:
            raise Unsupported(
                f"projection {projection.name!r}", f"delay {projection.delay}, at most {DELAY_MAX}", _KEEP
            )
    stage = Stage(
        population,
        network.by_name[source].shape,
        tuple(p for p in into if p.source == source and not p.imaginary),
        tuple(p for p in into if p.source == population.name),
        tuple(p for p in into if p.source == source and p.imaginary),
    )
    parts = (*stage.forward, *stage.recurrent, *stage.imaginary)
    if len(parts) > 1 and any(isinstance(p.connection, Convolution) for p in parts):
        raise Unsupported(
            f"population {population.name!r}", "has a convolution beside other projections, a .net has one", _KEEP
        )
    if not stage.forward:
        raise Unsupported(f"population {population.name!r}", "is driven by imaginary weights alone", _KEEP)
    if bool(stage.imaginary) != isinstance(population.neuron, Resonator) or (stage.imaginary and stage.recurrent):
        raise Unsupported(f"population {population.name!r}", "needs real and imaginary weights, and no loop", _KEEP)
    driven = first and _driven(network, stage)
    return Stage(population, stage.source, stage.forward, stage.recurrent, stage.imaginary, driven)


def _driven(network: Network, stage: Stage) -> bool:
    """Return whether the host can stand in for the first projection: cell to cell, without a step on the way."""
    neuron = stage.population.neuron
    if isinstance(neuron, SigmaDelta):
        takes = neuron.stage == "delta"
    else:
        takes = isinstance(neuron, Lif) and bool((neuron.current_decay == DECAY_ONE).all())
    others = [p for p in network.out_of(stage.population.name) if p.target != stage.population.name]
    hops = all(network.lag(p) == 1 + p.delay for p in others) and (bool(others) or "netx" in network.provenance)
    first = stage.forward[0]
    lone = len(stage.forward) == 1 and not stage.recurrent and not stage.imaginary
    return takes and lone and hops and network.lag(first) == 0 and first.weight_exponent == 0 and _identity(first)


def _identity(projection: Projection) -> bool:
    connection = projection.connection
    if isinstance(connection, Convolution):
        alone = connection.weight.shape[1:] == (1, 1, 1) and connection.groups == len(connection.weight)
        plain = connection.stride == (1, 1) and connection.padding == (0, 0)
        return alone and plain and bool((connection.weight == 1).all())
    if isinstance(connection, Sparse):
        rows, columns = connection.shape
        ones = len(connection.data) == rows == columns and bool((connection.data == 1).all())
        return ones and bool((connection.indices == np.arange(rows)).all() and (np.diff(connection.indptr) == 1).all())
    return False


def matrix(projections: tuple[Projection, ...]) -> tuple[Numbers, Numbers]:
    """Return the weights [out, in] of dense or sparse projections, exponents applied, and their delays, alike.

    Raises
    ------
    Unsupported : two synapses between the same neurons, or an exponent that rounds.
    """
    total = np.zeros(_extent(projections[0].connection), np.int64)
    delays = np.zeros_like(total)
    for projection in projections:
        weight = scaled(projection, _dense(projection.connection))
        if ((total != 0) & (weight != 0)).any():
            found = "joins neurons that another projection joins, a .net has one synapse between two"
            raise Unsupported(f"projection {projection.name!r}", found, _KEEP)
        total += weight
        delays[weight != 0] = projection.delay
    uniform = len(projections) == 1
    return total, np.full((), projections[0].delay) if uniform else delays


def scaled(projection: Projection, weight: Numbers) -> Numbers:
    """Return the weights with the exponent applied; raise :class:`Unsupported` where that would round."""
    exponent = projection.weight_exponent
    if exponent < 0 and (weight & ((1 << -exponent) - 1)).any():
        found = f"weight exponent {exponent} rounds the sum of its weights, a .net has none"
        raise Unsupported(f"projection {projection.name!r}", found, "quantize with an exponent of 0 or more")
    return weight << exponent if exponent >= 0 else weight >> -exponent


def _dense(connection: Connection) -> Numbers:
    assert not isinstance(connection, Convolution)
    weight = connection.weight if isinstance(connection, Dense) else connection.to_dense()
    return weight.astype(np.int64)


def _extent(connection: Connection) -> tuple[int, int]:
    assert not isinstance(connection, Convolution)
    if isinstance(connection, Sparse):
        return connection.shape
    return connection.weight.shape[0], connection.weight.shape[1]

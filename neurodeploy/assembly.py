"""From realized populations to the integer network: latencies, delays, and the account of each number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from neurodeploy import network as net
from neurodeploy.audit import account, endless
from neurodeploy.graph import Graph, Input
from neurodeploy.membrane import approximations
from neurodeploy.realization import Realization
from neurodeploy.targets.chip import Chip
from neurodeploy.wiring import delay, latencies


def assemble(graph: Graph, chip: Chip, realized: Sequence[Realization]) -> net.Network:
    """Return the integer network of a lowered graph.

    Parameters
    ----------
    realized : its populations in integers, in the order of the graph.
    """
    late = latencies(graph, [path for r in realized for path in r.population.paths])
    populations: list[net.Population] = []
    projections: list[net.Projection] = []
    table: list[dict[str, Any]] = []
    for r in realized:
        population, into = part(r, late, chip)
        populations.append(population)
        projections += into
        row = account(population.name, population.size, r.neuron, r.scaling, list(r.values))
        choice = {"clipping": r.plan.clipping, "rounding": r.plan.rounding, "scales": len(_scales(r))}
        table.append({**row, "weight_bits": r.plan.bits, "choice": choice})
    notes = [*graph.notes, *approximations([r.population for r in realized]), *_coarse(populations)]
    notes += [note for r in realized for note in endless(r.values)]
    return net.Network(
        ports=tuple(net.Port(name, node.shape) for name, node in graph.nodes.items() if isinstance(node, Input)),
        populations=tuple(populations),
        projections=tuple(projections),
        outputs=tuple(dict.fromkeys(source for name in graph.outputs for source in graph.sources(name))),
        dt=graph.dt,
        target=chip.name,
        provenance={"quantization": table, "notes": notes},
    )


def part(realized: Realization, late: Mapping[str, int], chip: Chip) -> tuple[net.Population, list[net.Projection]]:
    """Return one population and the projections into it.

    Parameters
    ----------
    late : port or population -> latency in chip steps.
    """
    own, exponent = realized.population, realized.scaling.exponent
    into = [
        net.Projection(
            name=path.name,
            source=path.source,
            target=path.target,
            connection=connection,
            weight_exponent=exponent,
            delay=delay(path, late, chip.formats.delay_maximum),
            weight_bits=realized.plan.bits,
        )
        for path, connection in zip(own.paths, realized.connections, strict=True)
    ]
    return net.Population(own.name, own.shape, realized.neuron, late[own.name], realized.scaling.scale), into


def _scales(realized: Realization) -> set[float]:
    factors = realized.scaling.channels
    return {1.0} if factors is None else set(factors.tolist())


def _coarse(populations: list[net.Population]) -> list[str]:
    """Return a sentence for each population whose threshold kept so few units that its rounding is felt."""
    smallest = {p.name: int(p.neuron.arrays["threshold"].min()) for p in populations if not p.neuron.answers_by_state}
    return [
        f"{name}: its threshold is {n} units, rounded by up to {50 / n:.0f} %"
        if n
        else f"{name}: its threshold is 0 units: it fires at any membrane above 0"
        for name, n in smallest.items()
        if n < 50
    ]

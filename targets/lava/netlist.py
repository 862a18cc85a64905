"""Writes a Network and its input as the netlist that the Lava worker builds: plain arrays and one JSON document.

Time. Chip step t (from 0) of a population of latency L is step t - L of the input. Where every projection acts without
lag, samples can follow each other without a gap: each population is reset when the next sample reaches it, and what is
on the way then belongs to the sample that is leaving. Otherwise, and where scheduled resets count a sample's steps,
every sample gets a fresh run of its own. A loop could carry into it what a bias makes fire before the sample arrives:
until then such a population is held far below its threshold by an inhibiting current, which its reset then clears.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.errors import Unsupported
from neurodeploy.network import Network, Projection
from neurodeploy.targets.lava.cells import can_hold, cell_order, hold, write_cells
from neurodeploy.targets.lava.ranges import payloads, watches
from neurodeploy.targets.lava.synapses import write_synapses

Spikes = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Netlist:
    """What the worker needs to know.

    Attributes
    ----------
    spec : ports, populations, projections, quantities to record, and the runs, as JSON values.
    arrays : spikes and neuron parameters as ``kind/index``, those of projections as ``synapses/index/kind``.
    """

    spec: Mapping[str, Any]
    arrays: Mapping[str, npt.NDArray[Any]]

    def save(self, path: Path) -> None:
        """Write it for ``numpy.load`` without pickle."""
        np.savez(path, spec=np.array(json.dumps(self.spec)), **self.arrays)  # type: ignore[arg-type]

    @property
    def runs(self) -> int:
        """How often Lava is started."""
        runs: list[dict[str, int]] = self.spec["runs"]
        return len(runs)

    @property
    def steps(self) -> int:
        """How many chip steps there are in all runs."""
        return sum(int(run["steps"]) for run in self.spec["runs"])

    @property
    def processes(self) -> int:
        """How many processes of the operating system a run has, Lava's own three included."""
        chains: int = sum(p["delay"] for p in self.spec["projections"] if p["kind"] == "conv")
        return len(self.spec["ports"]) + len(self.spec["populations"]) + len(self.spec["projections"]) + chains + 3

    @property
    def multiplications(self) -> int:
        """How many multiplications Lava does in a step, roughly."""
        return sum(int(p["multiplications"]) for p in self.spec["projections"])


def write_netlist(network: Network, spikes: Mapping[str, Spikes], record: Collection[str]) -> Netlist:
    """Return the netlist of a network that :func:`neurodeploy.verify_network.verify_network` accepts.

    Parameters
    ----------
    spikes : port -> integer [samples, steps, *shape].
    record : any of "s", "u", "v" and "counts", wraps and saturations; spikes are always recorded.

    Raises
    ------
    Unsupported : a weight, bias, geometry or payload that Lava's processes would change.
    """
    arrays: dict[str, npt.NDArray[Any]] = {}
    for index, port in enumerate(network.ports):
        values = spikes[port.name]
        cells = values.reshape(*values.shape[:2], -1)[:, :, cell_order(port.shape)]
        arrays[f"port/{index}"] = _compact(port.name, np.moveaxis(cells, 2, 0))
    populations = []
    for index, population in enumerate(network.populations):
        entry, named = write_cells(population)
        populations.append(entry)
        arrays |= {f"{name}/{index}": values for name, values in named.items()}
        if not streams(network) and can_hold(population):
            arrays[f"hold/{index}"] = hold(population)
    projections = []
    for index, projection in enumerate(network.projections):
        payload, graded = payloads(network, projection.source, spikes)
        entry, named = write_synapses(network, projection, payload)
        arrays |= {f"synapses/{index}/{name}": values for name, values in named.items()}
        projections.append({**entry, **_ends(network, projection), "graded": graded})
    watched = watches(network, spikes)
    spec = {
        "ports": [port.name for port in network.ports],
        "populations": populations,
        "projections": projections,
        "record": sorted({"s", *record, *("v" for _ in network.readouts), *("u" for _ in watched)}),
        "schedule": [network.reset_interval, network.reset_offset],
        "runs": _runs(network, *next(iter(spikes.values())).shape[:2]),
    }
    return Netlist(spec, arrays)


def _ends(network: Network, projection: Projection) -> dict[str, Any]:
    numbers = {p.name: ["port", i] for i, p in enumerate(network.ports)}
    numbers |= {p.name: ["population", i] for i, p in enumerate(network.populations)}
    return {"source": numbers[projection.source], "target": numbers[projection.target][1]}


def tape(folder: Path, run: Mapping[str, int], population: int, quantity: str) -> Path:
    """Return the file that a run writes a population's quantity to, [chip steps, cells in Lava's order].

    That of "counts" is int64 [chip steps, 2].
    """
    return folder / f"{run['first']}.{population}.{quantity}.npy"


def streams(network: Network) -> bool:
    """Return whether samples may follow each other without a gap, see the module."""
    return not network.reset_interval and all(network.lag(projection) == 0 for projection in network.projections)


def _runs(network: Network, samples: int, steps: int) -> list[dict[str, int]]:
    tail = max(population.latency for population in network.populations)
    if streams(network):
        return [{"first": 0, "samples": samples, "steps": samples * steps + tail, "interval": steps}]
    # An interval longer than the run resets each population once, when the input reaches it.
    alone = {"samples": 1, "steps": steps + tail, "interval": steps + tail + 1}
    return [{"first": sample, **alone} for sample in range(samples)]


def _compact(name: str, values: Spikes) -> Spikes:
    """Return the payloads in a small type that holds them; the worker widens them to Lava's 32 bits."""
    low, high = int(values.min()), int(values.max())
    limits = np.iinfo(np.int32)
    if low < limits.min or high > limits.max:
        raise Unsupported(
            f"input {name!r}", f"payloads {low:,} to {high:,}, Lava's messages hold 32 bits", "scale them"
        )
    return values.astype(np.uint8 if low >= 0 and high < 256 else np.int32)

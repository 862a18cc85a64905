"""Writes a Network and its input as the netlist that the Lava worker builds: plain arrays and one JSON document.

Cells. Lava's convolutions see (width, height, channels); every population and port of three dimensions is therefore
kept in that order here, flattened, and put back into (C, H, W) when the recording is read.

Time. Chip step t (from 0) of a population of latency L is step t - L of the input. Where every projection acts without
lag, samples can follow each other without a gap: each population is reset when the next sample reaches it, and what is
on the way then belongs to the sample that is leaving. Otherwise every sample gets a fresh run of its own, and a loop
could carry into it what a bias makes fire before the sample arrives: until then such a population is held far below its
threshold by an inhibiting current, which its reset then clears.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.errors import Unsupported
from neurodeploy.fixedpoint import DECAY_ONE, INPUT_LIMIT, STATE_LIMIT, STATE_SHIFT
from neurodeploy.network import Convolution, Dense, Network, Population, Projection, Shape

Spikes = npt.NDArray[Any]
Order = npt.NDArray[np.intp]

#: What Lava's Dense keeps exactly with mixed signs in nine bits.
WEIGHT_RANGE = (-256, 255)
#: Lava holds stride, padding, dilation, kernel size and groups of a convolution in signed bytes.
_GEOMETRY_MAX = 127
#: A bias beyond this could overflow the 32-bit sum it enters.
_BIAS_MAX = 1 << 30
#: Half the range of ``u``, in weight units.
_HELD = STATE_LIMIT >> (STATE_SHIFT + 1)


@dataclass(frozen=True, eq=False)
class Netlist:
    """What the worker needs to know.

    Attributes
    ----------
    spec : ports, populations, projections, quantities to record, and the runs, as JSON values.
    arrays : weights, neuron parameters and spikes, each under ``kind/index``.
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
    record : any of "s", "u", "v"; spikes are always recorded.

    Raises
    ------
    Unsupported : a weight, bias, geometry or payload that Lava's processes would change.
    """
    arrays: dict[str, npt.NDArray[Any]] = {}
    payloads: dict[str, Spikes] = {}
    for index, port in enumerate(network.ports):
        values = payloads[port.name] = spikes[port.name]
        cells = values.reshape(*values.shape[:2], -1)[:, :, cell_order(port.shape)]
        arrays[f"port/{index}"] = _compact(port.name, np.moveaxis(cells, 2, 0))
    populations = [_population(p, index, arrays) for index, p in enumerate(network.populations)]
    if not streams(network):
        arrays |= {f"hold/{index}": hold(p) for index, p in enumerate(network.populations) if _fires_early(p)}
    numbers = {p.name: ["port", i] for i, p in enumerate(network.ports)}
    numbers |= {p.name: ["population", i] for i, p in enumerate(network.populations)}
    projections = []
    for index, projection in enumerate(network.projections):
        entry, weight = _projection(network, projection, payloads.get(projection.source))
        arrays[f"weight/{index}"] = weight
        ends = {"source": numbers[projection.source], "target": numbers[projection.target][1]}
        projections.append({**entry, **ends})
    spec = {
        "ports": [port.name for port in network.ports],
        "populations": populations,
        "projections": projections,
        "record": sorted({"s", *record}),
        "runs": _runs(network, *next(iter(spikes.values())).shape[:2]),
    }
    return Netlist(spec, arrays)


def cell_order(shape: Shape) -> Order:
    """Return which cell of the (C, H, W) flattening stands at each place of Lava's (W, H, C); else the identity."""
    cells = np.arange(np.prod(shape, dtype=np.intp))
    return cells.reshape(shape).transpose(2, 1, 0).ravel() if len(shape) == 3 else cells


def tape(folder: Path, run: Mapping[str, int], population: int, quantity: str) -> Path:
    """Return the file that a run writes a population's quantity to, [chip steps, cells in Lava's order]."""
    return folder / f"{run['first']}.{population}.{quantity}.npy"


def streams(network: Network) -> bool:
    """Return whether samples may follow each other without a gap, see the module."""
    return all(network.lag(projection) == 0 for projection in network.projections)


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


def _population(population: Population, index: int, arrays: dict[str, npt.NDArray[Any]]) -> dict[str, Any]:
    neuron = population.neuron
    largest = int(np.abs(neuron.bias.astype(np.int64)).max()) << max(neuron.bias_exponent, 0)
    if largest > _BIAS_MAX:
        raise Unsupported(
            f"population {population.name!r}",
            f"its bias reaches {largest:,}, Lava's 32-bit sum takes {_BIAS_MAX:,}",
            "lower its bias exponent",
        )
    table = {
        "du": neuron.current_decay - 1,
        "dv": neuron.voltage_decay,
        "vth": neuron.threshold,
        "bias_mant": np.broadcast_to(neuron.bias, population.shape),
    }
    order = cell_order(population.shape)
    for name, values in table.items():
        if values.size > 1 or name == "bias_mant":
            values = np.broadcast_to(values, population.shape).reshape(-1)[order]
        arrays[f"{name}/{index}"] = values.astype(np.int32)
    return {
        "name": population.name,
        "cells": population.size,
        "latency": population.latency,
        "bias_exp": neuron.bias_exponent,
    }


def _fires_early(population: Population) -> bool:
    return population.latency > 0 and bool((population.neuron.bias > 0).any())


def hold(population: Population) -> npt.NDArray[np.int32]:
    """Return the input, int32 [cells, latency], that keeps ``u`` at minus half its range until the sample arrives.

    The first step brings it there; every further one replaces exactly what the decay takes. A bias below half the range
    then leaves ``v`` negative.
    """
    decay = np.broadcast_to(population.neuron.current_decay, population.shape).reshape(-1)[cell_order(population.shape)]
    inputs = np.repeat(-(_HELD * decay.astype(np.int64) // DECAY_ONE)[:, np.newaxis], population.latency, axis=1)
    inputs[:, 0] = -_HELD
    return inputs.astype(np.int32)


def _projection(
    network: Network, projection: Projection, payload: Spikes | None
) -> tuple[dict[str, Any], npt.NDArray[np.int32]]:
    """Return the entry and the weight of one projection; ``payload`` is the input where its source is a port."""
    largest = 1
    graded = payload is not None and (int(payload.min()) < 0 or int(payload.max()) > 1)
    if payload is not None and graded:
        largest = max(abs(int(payload.min())), abs(int(payload.max())))
    source, target = network.by_name[projection.source].shape, network.by_name[projection.target].shape
    if isinstance(projection.connection, Convolution):
        entry, weight = _convolution(projection, projection.connection, source, target, largest)
    else:
        entry, weight = _dense(projection, projection.connection, source, target)
    sums = np.abs(weight.astype(np.int64)).reshape(len(weight), -1).sum(axis=1).max(initial=0)
    reached = int(sums) * largest << max(entry["weight_exp"], 0)
    limit = STATE_LIMIT - 1 if entry["kind"] == "conv" else INPUT_LIMIT
    if reached > limit:
        what = f"its sums can reach {reached:,}, Lava's {entry['kind']} process holds {limit:,}"
        raise _refusal(projection, what, "smaller weights, a smaller exponent or smaller payloads")
    return {**entry, "delay": projection.delay, "graded": graded}, weight


def _refusal(projection: Projection, problem: str, advice: str) -> Unsupported:
    return Unsupported(f"projection {projection.name!r}", problem, f"{advice}; --backend emulator runs it as it is")


def _dense(
    projection: Projection, connection: Dense, source: Shape, target: Shape
) -> tuple[dict[str, Any], npt.NDArray[np.int32]]:
    weight, exponent = connection.weight.astype(np.int32), projection.weight_exponent
    low, high = WEIGHT_RANGE
    while weight.min() < low or weight.max() > high:
        if (weight & 1).any():
            found = f"weights {weight.min()} to {weight.max()}, Lava's Dense holds {low} to {high}"
            raise _refusal(projection, found, "quantize to 8 bits and a weight exponent")
        weight, exponent = weight >> 1, exponent + 1
    arranged = weight[cell_order(target)][:, cell_order(source)]
    work = arranged.size * (projection.delay + 1 if projection.delay else 0)
    return {"kind": "dense", "weight_exp": exponent, "multiplications": work}, arranged


def _convolution(
    projection: Projection, connection: Convolution, source: Shape, target: Shape, largest: int
) -> tuple[dict[str, Any], npt.NDArray[np.int32]]:
    weight, exponent = connection.weight.astype(np.int64), projection.weight_exponent
    # Lava's Conv ignores its exponent, so it goes into the weights.
    if exponent < 0 and (weight & ((1 << -exponent) - 1)).any():
        found = f"weight exponent {exponent}, Lava's Conv cannot round the sum of a step"
        raise _refusal(projection, found, "quantize with an exponent of 0 or more")
    weight = weight << exponent if exponent >= 0 else weight >> -exponent
    pairs = {name: tuple(getattr(connection, name)) for name in ("stride", "padding", "dilation")}
    _check_bytes(projection, {**pairs, "kernel": weight.shape[2:], "groups": (connection.groups,)})
    if projection.delay and largest >= STATE_LIMIT:
        raise _refusal(projection, f"payloads up to {largest:,} with a delay", f"stay below {STATE_LIMIT:,}")
    if np.abs(weight).max(initial=0) >= STATE_LIMIT:
        raise _refusal(projection, f"weights of {np.abs(weight).max():,}", f"stay below {STATE_LIMIT:,}")
    channels, height, width = source
    entry = {
        "kind": "conv",
        "weight_exp": 0,
        "input_shape": (width, height, channels),
        **{name: pair[::-1] for name, pair in pairs.items()},
        "groups": connection.groups,
        "multiplications": int(np.prod(target[1:], dtype=np.int64)) * weight.size * int(np.prod(connection.stride)),
    }
    # A true convolution over (out, width, height, in), where ours is a correlation over (out, in, height, width).
    flipped = weight[:, :, ::-1, ::-1].transpose(0, 3, 2, 1)
    return entry, np.ascontiguousarray(flipped, dtype=np.int32)


def _check_bytes(projection: Projection, geometry: Mapping[str, Iterable[int]]) -> None:
    for name, values in geometry.items():
        if max(values) > _GEOMETRY_MAX:
            found = f"{name} of {max(values)}, Lava's Conv holds {_GEOMETRY_MAX}"
            raise _refusal(projection, found, "split the layer")

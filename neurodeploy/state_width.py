"""Registers narrower than the 24 bits that the fast backends compute with, exactly.

A run in 24 bits that never leaves the narrower range is the run of the narrower registers, step by step, for nothing
wrapped and nothing was held. Either bounds on every input show it beforehand (:mod:`neurodeploy.registers`), or the
recorded registers do afterwards, samples at a time. Samples in which one left are run by the golden model, whose
registers have the width that each population says.
"""

from __future__ import annotations

import math
import weakref
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.errors import Unsupported
from neurodeploy.events import Densified, EventInput
from neurodeploy.exactness import loudest
from neurodeploy.fixedpoint import STATE_BITS, decay, shift
from neurodeploy.network import Network, Population
from neurodeploy.neurons import Lif
from neurodeploy.recording import Recording
from neurodeploy.registers import reaches

Runner = Callable[[Network, Mapping[str, Any], Collection[str]], Recording]

#: Cells of all populations, over samples and steps, whose registers are recorded at a time.
_CELLS = 1 << 25
_WIDENED: weakref.WeakKeyDictionary[Network, Network] = weakref.WeakKeyDictionary()


def narrow_populations(network: Network) -> dict[Population, int]:
    """Return the populations whose registers have fewer than 24 bits, and how many they have."""
    lifs = {p: p.neuron.state_bits for p in network.populations if isinstance(p.neuron, Lif)}
    return {population: bits for population, bits in lifs.items() if bits < STATE_BITS}


def with_state_bits(network: Network, bits: int) -> Network:
    """Return the network with registers of so many bits in all leaky integrate-and-fire neurons."""
    populations = (
        replace(p, neuron=replace(p.neuron, state_bits=bits)) if isinstance(p.neuron, Lif) else p
        for p in network.populations
    )
    return replace(network, populations=tuple(populations))


def widened(network: Network) -> Network:
    """Return the network with registers of 24 bits, the same one each time: backends keep what they compiled."""
    if not narrow_populations(network):
        return network
    if network not in _WIDENED:
        _WIDENED[network] = with_state_bits(network, STATE_BITS)
    return _WIDENED[network]


def outside(recording: Recording, population: Population, state_bits: int) -> tuple[int, int]:
    """Return in how many cells of a run in 24 bits u, and v before its reset, was beyond ``state_bits`` bits.

    Parameters
    ----------
    recording : with u and v; a cell that 24 bits did not hold counts too.
    """
    name, limit = population.name, 1 << (state_bits - 1)
    u, v = recording.u[name], recording.v[name]
    wide, held = recording.wraps.get(name, 0), recording.clips.get(name, 0)
    return (
        int(np.count_nonzero(np.abs(u) >= limit)) + wide,
        int(np.count_nonzero(np.abs(_before_reset(u, v, population)) >= limit)) + held,
    )


def run_narrow(
    network: Network, spikes: Mapping[str, Any], record: Collection[str], runner: Runner, golden: Runner | None
) -> Recording:
    """Return the recording of a network with narrow registers, made by a backend that computes with 24 bits.

    Parameters
    ----------
    spikes : port -> integer [samples, steps, *shape] or events.
    runner : the backend.
    golden : what runs samples in which a register left its range; None where the backend stands for itself.

    Raises
    ------
    Unsupported : a register left its range, and there is no ``golden``.
    """
    wide = widened(network)
    if _proved(network, spikes):
        return runner(wide, spikes, record)
    if network.reset_interval and golden is not None:
        return golden(network, _dense(network, spikes), record)  # after a reset the membrane before it is not known
    samples, steps = next(iter(spikes.values())).shape[:2]
    cells = sum(math.prod(p.shape) for p in network.populations) * steps
    piece = samples if golden is None else max(1, min(samples, _CELLS // cells))
    parts = []
    for start in range(0, samples, piece):
        part = {name: values[start : start + piece] for name, values in spikes.items()}
        found = runner(wide, part, ("s", "u", "v"))
        left = _left(network, found)
        if left and golden is None:
            raise Unsupported(*left, "take the backend emulator, whose registers are as narrow as the chip's")
        parts.append(golden(network, _dense(network, part), record) if left and golden else found.only(record))
    return parts[0] if len(parts) == 1 else _joined(parts, _dense(network, spikes))


def _proved(network: Network, spikes: Mapping[str, Any]) -> bool:
    """Return whether no input of this length and these payloads can leave a narrow register."""
    if not all(isinstance(population.neuron, Lif) for population in network.populations):
        return False
    payloads = {}
    for name, values in spikes.items():
        given = values.payload if isinstance(values, EventInput) else values
        largest = 1 if given is None else loudest(given)
        payloads[name] = (0 if given is None or given.min(initial=0) >= 0 else -largest, largest)
    found = reaches(network, next(iter(spikes.values())).shape[1], payloads)
    return all(found[p.name].within(bits) for p, bits in narrow_populations(network).items())


def _left(network: Network, recording: Recording) -> tuple[str, str] | None:
    """Return the first population that left its registers, and how often; None where none did."""
    for population, bits in narrow_populations(network).items():
        u, v = outside(recording, population, bits)
        if u or v:
            found = f"{u:,} values of u and {v:,} of v are beyond its {bits} bits, {recording.backend} computes with 24"
            return f"population {population.name!r}", found
    return None


def _before_reset(u: npt.NDArray[Any], v: npt.NDArray[Any], population: Population) -> npt.NDArray[np.int64]:
    """Return the membrane of every step before a spike took something off it."""
    neuron = population.neuron
    assert isinstance(neuron, Lif)
    earlier = np.concatenate([np.zeros_like(v[:, :1]), v[:, :-1]], axis=1).astype(np.int64)
    bias = shift(neuron.bias.astype(np.int64), neuron.bias_exponent)
    return np.asarray(decay(earlier, neuron.voltage_decay) + u + bias)


def _dense(network: Network, spikes: Mapping[str, Any]) -> Densified:
    return Densified(spikes, {port.name: port.shape for port in network.ports})


def _joined(parts: list[Recording], inputs: Mapping[str, Any]) -> Recording:
    """Return the recordings of pieces of the samples as one."""

    def stacked(tables: list[Mapping[str, npt.NDArray[Any]]]) -> dict[str, npt.NDArray[Any]]:
        return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}

    def summed(tables: list[Mapping[str, int]]) -> dict[str, int]:
        total: Counter[str] = Counter()
        for table in tables:
            total.update(table)
        return {name: total[name] for name in tables[0]}

    return replace(
        parts[0],
        samples=sum(part.samples for part in parts),
        spikes=stacked([part.spikes for part in parts]),
        u=stacked([part.u for part in parts]),
        v=stacked([part.v for part in parts]),
        inputs=inputs,
        wraps=summed([part.wraps for part in parts]),
        clips=summed([part.clips for part in parts]),
        backend=" and ".join(dict.fromkeys(part.backend for part in parts)),
        versions={name: version for part in parts for name, version in part.versions.items()},
    )

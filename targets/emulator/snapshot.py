"""The memory of either kernel as the state that any backend can go on from, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from neurodeploy.carried import Carried, depth
from neurodeploy.network import Network, Shape
from neurodeploy.neurons import Lif, Neuron, Resonator
from neurodeploy.state import State
from neurodeploy.targets.emulator import columns as c
from neurodeploy.targets.emulator.memory import SPARE, Memory
from neurodeploy.targets.emulator.packing import to_internal
from neurodeploy.targets.emulator.program import Program
from neurodeploy.targets.emulator.stepwise_program import StepwiseMemory, StepwiseProgram

Int32 = npt.NDArray[np.int32]
Own = Memory | StepwiseMemory

#: Stage of a sigma-delta model -> which of its states the kernel keeps where u, v and the two others of a neuron are.
_SIGMA_DELTA: dict[str, tuple[str | None, ...]] = {
    "delta": ("act", "residue", None, "error"),
    "sigma": ("sigma", None, None, None),
    "sigma-delta": ("sigma", "residue", "act", "error"),
}


class _Place(NamedTuple):
    """Where a kernel keeps the events that a part sent in one step."""

    part: int
    slot: int
    begin: int


def snapshot(network: Network, program: Program | StepwiseProgram, own: Sequence[Own], steps: int) -> Carried:
    """Return the state that the memory of each sample holds after ``steps`` steps."""
    neurons = {
        p.name: _stacked([_neurons(p.neuron, p.shape, each, program.cells[p.name]) for each in own])
        for p in network.populations
    }
    sent = {}
    for name, part in network.by_name.items():
        history = np.zeros((len(own), depth(network, name), *part.shape), dtype=np.int32)
        for back in range(1, min(history.shape[1], steps) + 1):
            place = _place(network, program, name, steps - back)
            for sample, each in enumerate(own):
                history[sample, -back] = _sent(each, place, part.shape)
        sent[name] = history
    return Carried(steps, neurons, sent)


def restored(network: Network, program: Program | StepwiseProgram, own: Sequence[Own], carried: Carried) -> None:
    """Write a state into the memory of each sample, so that a run goes on after its steps."""
    for sample, each in enumerate(own):
        for p in network.populations:
            names, at, inner = _kept(p.neuron), program.cells[p.name], to_internal(p.shape)
            for name, values in zip(names, _states(each), strict=True):
                if name is not None and values.size:
                    values[at][inner] = carried.neurons[p.name][name][sample].reshape(-1)
        for name, history in carried.sent.items():
            for back in range(1, min(history.shape[1], carried.steps) + 1):
                place = _place(network, program, name, carried.steps - back)
                inner = to_internal(history.shape[2:])
                values = np.zeros(len(inner), dtype=np.int32)
                values[inner] = history[sample, -back].reshape(-1)
                _list(each, program, place, values)
        if isinstance(each, Memory):
            # A bound over all neurons serves for every piece of every population.
            each.extremes[:] = (np.abs(each.u).max(), -each.v.min())


def _kept(neuron: Neuron) -> tuple[str | None, ...]:
    """Return the names of the states that the kernel keeps as u, v and the two others."""
    if isinstance(neuron, Lif):
        return ("u", "v", "frozen", None)
    if isinstance(neuron, Resonator):
        return ("real", "imaginary", None, None)
    return _SIGMA_DELTA[neuron.stage]


def _states(own: Own) -> tuple[Int32, ...]:
    none = np.zeros(0, dtype=np.int32)
    return (own.u, own.v, none, none) if isinstance(own, Memory) else own.state


def _neurons(neuron: Neuron, shape: Shape, own: Own, at: slice) -> State:
    """Return the states of a population, int64 [*shape]; what the kernel does not keep is 0."""
    found = {name: np.zeros(shape, dtype=np.int64) for name in neuron.states}
    for name, values in zip(_kept(neuron), _states(own), strict=True):
        if name is not None and values.size:
            found[name] = values[at][to_internal(shape)].astype(np.int64).reshape(shape)
    return found


def _stacked(samples: list[State]) -> State:
    return {name: np.stack([each[name] for each in samples]) for name in samples[0]}


def _place(network: Network, program: Program | StepwiseProgram, name: str, t: int) -> _Place:
    names = [*(port.name for port in network.ports), *(p.name for p in network.order)]
    part, rows = names.index(name), program.tables.parts
    room = rows[:, c.SIZE] + (0 if isinstance(program, StepwiseProgram) else SPARE)
    slot = t % int(rows[part, c.HISTORY])
    return _Place(part, slot, int((room * rows[:, c.HISTORY])[:part].sum() + slot * room[part]))


def _sent(own: Own, place: _Place, shape: Shape) -> Int32:
    """Return what a part sent, int32 [*shape]."""
    inner = np.zeros(int(np.prod(shape)), dtype=np.int32)
    part, slot, begin = place
    counts, indices, payloads = _lists(own)
    span = slice(begin, begin + int(counts[part, slot]))
    quiet = isinstance(own, Memory) and own.loud[part, slot] == 1
    inner[indices[span]] = 1 if quiet else payloads[span]
    return inner[to_internal(shape)].reshape(shape)


def _list(own: Own, program: Program | StepwiseProgram, place: _Place, values: Int32) -> None:
    """Write the list of events of one step, values in internal order."""
    part, slot, begin = place
    counts, indices, payloads = _lists(own)
    (fired,) = np.nonzero(values)
    span = slice(begin, begin + len(fired))
    counts[part, slot], indices[span], payloads[span] = len(fired), fired, values[fired]
    if not isinstance(own, Memory):
        return
    own.loud[part, slot] = 1 if (values[fired] == 1).all() else max(2, int(np.abs(values).max()))
    row = program.tables.parts[part]
    if row[c.EDGES]:
        at = int(own.edge_starts[part] + slot * row[c.EDGES])
        ends = np.arange(row[c.EDGES]) * row[c.GRAIN]
        own.edges[at : at + row[c.EDGES]] = np.searchsorted(fired, ends)
        own.edges[at + row[c.EDGES] - 1] = len(fired)


def _lists(own: Own) -> tuple[npt.NDArray[np.int64], Int32, Int32]:
    return (own.counts, own.indices, own.payloads) if isinstance(own, Memory) else own.history[:3]

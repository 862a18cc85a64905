"""The buffers of some samples and steps on the device, and how one window of steps runs through them.

Every part keeps int8 spikes [digits, history + window, samples, cells]: a projection of lag L reads the rows L before
those it writes, the first rows being the last ones of the window before. A full window that runs a second time is
recorded as a CUDA graph, so that hundreds of small launches cost one.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from neurodeploy.fixedpoint import INPUT_LIMIT
from neurodeploy.network import Population, Port
from neurodeploy.targets.emulator.cuda import synapses, update
from neurodeploy.targets.emulator.cuda.device import Device
from neurodeploy.targets.emulator.cuda.plan import Group, Layer, Plan
from neurodeploy.targets.emulator.cuda.weights import digits_of

if TYPE_CHECKING:
    from torch import Tensor

    Sums = tuple[Tensor | None, Tensor | None]

#: Sessions an engine keeps, with their buffers and graphs.
_KEPT = 2
_INT16 = (1 << 15) - 1


@dataclass(frozen=True)
class Extent:
    """What a session is made for.

    Attributes
    ----------
    samples, window : how many samples at once, and the most steps at once.
    payloads : (port, the largest magnitude it sends), where that is not 1.
    keep_u, keep_v : whether u and v of every step are kept.
    """

    samples: int
    window: int
    payloads: tuple[tuple[str, int], ...] = ()
    keep_u: bool = False
    keep_v: bool = False


@dataclass(frozen=True, eq=False)
class Engine:
    """A plan with its weights on a device; ``approved`` are the ways to sums that the device computes exactly."""

    plan: Plan
    device: Device
    approved: frozenset[str]
    loaded: Mapping[str, tuple[synapses.Loaded, ...]]
    sessions: OrderedDict[Extent, Session] = field(default_factory=OrderedDict)

    def session(self, extent: Extent) -> Session:
        """Return a session of this extent, cleared."""
        session = self.sessions.pop(extent, None)
        if session is None:
            while len(self.sessions) >= _KEPT:
                self.sessions.popitem(last=False)
            session = Session(self, extent)
        self.sessions[extent] = session
        session.clear()
        return session


def start(plan: Plan, device: Device, approved: Collection[str]) -> Engine:
    """Return the engine of a plan on a device."""
    loaded = {
        layer.population.name: tuple(synapses.load(synapse, device) for synapse in layer.synapses)
        for layer in plan.layers
    }
    return Engine(plan, device, frozenset(approved), loaded)


def bytes_per_step(plan: Plan, extent: Extent) -> int:
    """Return how many bytes a sample takes on the device for every step of the window."""
    ports = sum(_size(port) * digits_of(dict(extent.payloads).get(port.name, 1)) for port in plan.ports)
    each = 4 + 4 * extent.keep_u + 4 * extent.keep_v
    total = ports
    for layer in plan.layers:
        sent = 4 + digits_of(INPUT_LIMIT) if layer.model.loud else 1
        inputs = layer.population.neuron.inputs
        total += layer.population.size * (sent + each * inputs)
    return total


def largest_part(plan: Plan) -> int:
    """Return how many cells the largest part has."""
    return max([_size(port) for port in plan.ports] + [layer.population.size for layer in plan.layers])


def _size(part: Port | Population) -> int:
    size = 1
    for extent in part.shape:
        size *= extent
    return size


class Session:
    """Buffers of one extent; :meth:`load`, :meth:`advance`, then read, window after window."""

    def __init__(self, engine: Engine, extent: Extent) -> None:
        self.engine, self.extent = engine, extent
        plan, name = engine.plan, engine.device.name
        samples, window = extent.samples, extent.window
        self._payloads = dict(extent.payloads) | dict.fromkeys(plan.loud, max(plan.exact_payload, 1))
        largest = dict(extent.payloads) | dict.fromkeys(plan.loud, INPUT_LIMIT)
        parts: list[Port | Population] = [*plan.ports, *(layer.population for layer in plan.layers)]
        self._parts = {
            part.name: torch.zeros(
                digits_of(largest.get(part.name, 1)), plan.history[part.name] + window, samples, _size(part),
                dtype=torch.int8, device=name,
            )
            for part in parts
        }  # fmt: skip
        self._tables, self._states, self._kept, self._sent = {}, {}, {}, {}
        for layer in plan.layers:
            population, wide = layer.population, layer.wide(self._payloads)
            shape, dtype = (window, samples, population.size), torch.int64 if wide else torch.int32
            wanted = (extent.keep_u, extent.keep_v or population.name in plan.readouts)
            self._tables[population.name] = update.load(layer, plan.interval, engine.device, wide=wide)
            cells = samples * population.size
            self._states[population.name] = torch.zeros(update.state_rows(layer), cells, dtype=dtype, device=name)
            u, v = (torch.empty(shape, dtype=torch.int32, device=name) if one else None for one in wanted)
            self._kept[population.name] = (u, v)
            if layer.model.loud:
                self._sent[population.name] = torch.zeros(shape, dtype=torch.int32, device=name)
        self._peak = torch.zeros(1, dtype=torch.int64, device=name)
        self._clock = torch.zeros(1, dtype=torch.int32, device=name)
        self._runs = 0
        self._graph: torch.cuda.CUDAGraph | None = None

    def clear(self) -> None:
        """Forget all state, as before a sample's first step."""
        for tensor in (*self._parts.values(), *self._states.values(), self._peak, self._clock):
            tensor.zero_()

    def load(self, port: Port, values: Tensor) -> None:
        """Copy the next steps' input from an integer tensor [samples, steps, *shape] on the device."""
        history, target = self.engine.plan.history[port.name], self._parts[port.name]
        steps = values.shape[1]
        order = (1, 0, 3, 4, 2) if len(port.shape) == 3 else (1, 0, *range(2, values.ndim))
        _split(values.permute(order).reshape(steps, len(values), -1), target[:, history : history + steps])

    def spikes(self, name: str, steps: int) -> Tensor:
        """Return what was sent in the steps just run, int8 or int32 [steps, samples, size], until the next window."""
        if name in self._sent:
            return self._sent[name][:steps]
        history = self.engine.plan.history[name]
        return self._parts[name][0, history : history + steps]

    def kept(self, name: str, steps: int) -> tuple[Tensor | None, Tensor | None]:
        """Return u and v of the steps just run, int32 [steps, samples, size], or None where they are not kept."""
        u, v = self._kept[name]
        return None if u is None else u[:steps], None if v is None else v[:steps]

    def counts(self) -> dict[str, tuple[int, int]]:
        """Return population -> wraps and clips since :meth:`clear`."""
        counted = {name: states[-2:].sum(dim=1, dtype=torch.int64).tolist() for name, states in self._states.items()}
        return {name: (wraps, clips) for name, (wraps, clips) in counted.items()}

    def largest_sent(self) -> int:
        """Return the largest payload that one population sent to another since :meth:`clear`, 1 at least."""
        return max(1, int(self._peak.item()))

    def advance(self, steps: int) -> None:
        """Run the steps that were loaded; a full window from its second time on, as one graph."""
        if steps == self.extent.window and not self.engine.device.interpreted:
            self._runs += 1
            if self._runs == 2:
                self._graph = self._captured(steps)
            if self._graph is not None:
                self._graph.replay()
                return
        self._compute(steps)

    def _captured(self, steps: int) -> torch.cuda.CUDAGraph | None:
        """Return the window recorded as a graph (nothing is computed), or None where that fails."""
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph):
                self._compute(steps)
        except RuntimeError as error:
            warnings.warn(f"no CUDA graph, launches go one by one: {error}", RuntimeWarning, stacklevel=3)
            return None
        return graph

    def _compute(self, steps: int) -> None:
        for group in self.engine.plan.groups:
            if group.block == 0:
                self._run_layer(group.layers[0], steps)
            else:
                self._run_loop(group, steps)
        for name, history in self.engine.plan.history.items():
            if history:
                self._parts[name][:, :history] = self._parts[name][:, steps : steps + history].clone()
        self._clock += steps

    def _run_layer(self, layer: Layer, steps: int) -> None:
        sums = self._buffers(layer, steps, steps)
        self._add(layer, sums, slice(0, steps), range(len(layer.synapses)), [True, True])
        self._neurons(layer, sums, slice(0, steps))

    def _run_loop(self, group: Group, steps: int) -> None:
        """Sum what comes from outside the group for all steps, and the rest block by block."""
        sums, inner, untouched = {}, {}, {}
        for layer in group.layers:
            name = layer.population.name
            inside = [one.source in group.names for one in layer.synapses]
            inner[name] = [i for i, within in enumerate(inside) if within]
            untouched[name] = [True, True]
            sums[name] = self._buffers(layer, steps, group.block)
            outer = [i for i, within in enumerate(inside) if not within]
            self._add(layer, sums[name], slice(0, steps), outer, untouched[name])
        for at in range(0, steps, group.block):
            rows = slice(at, min(at + group.block, steps))
            for layer in group.layers:
                name = layer.population.name
                self._add(layer, sums[name], rows, inner[name], list(untouched[name]))
                self._neurons(layer, sums[name], rows)

    def _buffers(self, layer: Layer, steps: int, block: int) -> Sums:
        """Return uninitialised sums for each input of a layer: in 16 bits where they fit and no sum is shared."""
        engine, lengths = self.engine, {steps * self.extent.samples, block * self.extent.samples}
        loaded = engine.loaded[layer.population.name]
        shared = any(synapses.splits(one, n, engine.device) > 1 for one in loaded for n in lengths)
        narrow = layer.bound(self._payloads) <= _INT16 and not shared
        shape = (steps, self.extent.samples, layer.population.size)
        driven = {one.part for one in layer.synapses}
        first, second = (
            torch.empty(shape, dtype=torch.int16 if narrow else torch.int32, device=engine.device.name)
            if part in driven
            else None
            for part in range(2)
        )
        return first, second

    def _add(self, layer: Layer, sums: Sums, rows: slice, which: Collection[int], untouched: list[bool]) -> None:
        """Add what some of a layer's synapses deliver in some steps, over what is in inputs as yet untouched."""
        engine = self.engine
        for i in which:
            synapse = layer.synapses[i]
            total = sums[synapse.part]
            assert total is not None
            begin = engine.plan.history[synapse.source] - synapse.lag
            x = self._parts[synapse.source][:, begin + rows.start : begin + rows.stop]
            loaded, first = engine.loaded[layer.population.name][i], untouched[synapse.part]
            synapses.add(loaded, x, total[rows], first=first, device=engine.device, approved=engine.approved)
            untouched[synapse.part] = False

    def _neurons(self, layer: Layer, sums: Sums, rows: slice) -> None:
        name, device = layer.population.name, self.engine.device
        history = self.engine.plan.history[name]
        part = self._parts[name][:, history + rows.start : history + rows.stop]
        loud = self._sent.get(name)
        s = part[0] if loud is None else loud[rows]
        first, second = (None if one is None else one[rows] for one in sums)
        u, v = (None if one is None else one[rows] for one in self._kept[name])
        time = (self._clock, rows.start)
        update.advance(self._tables[name], (first, second), s, self._states[name], (u, v), time, device)
        if name in self.engine.plan.loud:
            _split(s, part)
            self._peak.copy_(torch.maximum(self._peak, s.to(torch.int64).abs().amax()))


def _split(values: Tensor, digits: Tensor) -> None:
    """Write integers as int8 digits, ``sum digits[i] * 256^i``."""
    rest = values if len(digits) == 1 else values.to(torch.int64)
    for digit in digits[:-1]:
        low = ((rest + 128) & 255) - 128
        digit.copy_(low)
        rest = (rest - low) >> 8
    digits[-1].copy_(rest)

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

from neurodeploy.network import Population, Port
from neurodeploy.targets.emulator.cuda import lif, synapses
from neurodeploy.targets.emulator.cuda.device import Device
from neurodeploy.targets.emulator.cuda.plan import Group, Layer, Plan, digits_of

if TYPE_CHECKING:
    from torch import Tensor

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
    each = 1 + 4 + 4 * extent.keep_u + 4 * extent.keep_v
    return ports + each * sum(layer.population.size for layer in plan.layers)


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
        self._payloads = dict(extent.payloads)
        plan, name = engine.plan, engine.device.name
        samples, window = extent.samples, extent.window
        self._parts: dict[str, Tensor] = {}
        parts: list[Port | Population] = [*plan.ports, *(layer.population for layer in plan.layers)]
        for part in parts:
            shape = (digits_of(self._payloads.get(part.name, 1)), plan.history[part.name] + window, samples)
            self._parts[part.name] = torch.zeros(*shape, _size(part), dtype=torch.int8, device=name)
        self._tables, self._states, self._kept = {}, {}, {}
        for layer in plan.layers:
            population, wide = layer.population, layer.wide(self._payloads)
            self._tables[population.name] = lif.load(layer, engine.device, wide=wide)
            dtype = torch.int64 if wide else torch.int32
            self._states[population.name] = torch.zeros(4, samples * population.size, dtype=dtype, device=name)
            self._kept[population.name] = tuple(
                torch.empty(window, samples, population.size, dtype=torch.int32, device=name) if wanted else None
                for wanted in (extent.keep_u, extent.keep_v)
            )
        self._runs = 0
        self._graph: torch.cuda.CUDAGraph | None = None

    def clear(self) -> None:
        """Forget all state, as before a sample's first step."""
        for tensor in (*self._parts.values(), *self._states.values()):
            tensor.zero_()

    def load(self, port: Port, values: Tensor) -> None:
        """Copy the next steps' input from an integer tensor [samples, steps, *shape] on the device."""
        history, target = self.engine.plan.history[port.name], self._parts[port.name]
        steps = values.shape[1]
        order = (1, 0, 3, 4, 2) if len(port.shape) == 3 else (1, 0, *range(2, values.ndim))
        rest = values.permute(order).reshape(steps, len(values), -1)
        if len(target) > 1:
            rest = rest.to(torch.int64)
        for digit in target[:-1]:
            low = ((rest + 128) & 255) - 128
            digit[history : history + steps].copy_(low)
            rest = (rest - low) >> 8
        target[-1, history : history + steps].copy_(rest)

    def spikes(self, name: str, steps: int) -> Tensor:
        """Return the spikes of the steps just run, int8 [steps, samples, size], until the next window."""
        history = self.engine.plan.history[name]
        return self._parts[name][0, history : history + steps]

    def kept(self, name: str, steps: int) -> tuple[Tensor | None, Tensor | None]:
        """Return u and v of the steps just run, int32 [steps, samples, size], or None where they are not kept."""
        u, v = self._kept[name]
        return None if u is None else u[:steps], None if v is None else v[:steps]

    def counts(self) -> dict[str, tuple[int, int]]:
        """Return population -> wraps and clips since :meth:`clear`."""
        counted = {name: states[2:].sum(dim=1, dtype=torch.int64).tolist() for name, states in self._states.items()}
        return {name: (wraps, clips) for name, (wraps, clips) in counted.items()}

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

    def _run_layer(self, layer: Layer, steps: int) -> None:
        sums = self._sums(layer, steps, steps)
        self._add(layer, sums, slice(0, steps), range(len(layer.synapses)), first=True)
        self._neurons(layer, sums, slice(0, steps))

    def _run_loop(self, group: Group, steps: int) -> None:
        """Sum what comes from outside the group for all steps, and the rest block by block."""
        sums, inner = {}, {}
        for layer in group.layers:
            name = layer.population.name
            inside = [synapse.source in group.names for synapse in layer.synapses]
            outer = [i for i, within in enumerate(inside) if not within]
            inner[name] = [i for i, within in enumerate(inside) if within]
            sums[name] = self._sums(layer, steps, group.block)
            self._add(layer, sums[name], slice(0, steps), outer, first=True)
        for at in range(0, steps, group.block):
            rows = slice(at, min(at + group.block, steps))
            for layer in group.layers:
                name = layer.population.name
                only = len(inner[name]) == len(layer.synapses)
                self._add(layer, sums[name], rows, inner[name], first=only)
                self._neurons(layer, sums[name], rows)

    def _sums(self, layer: Layer, steps: int, block: int) -> Tensor | None:
        """Return an uninitialised buffer for a layer's sums: 16 bits where they fit and no sum is shared."""
        if not layer.synapses:
            return None
        engine, frames = self.engine, block * self.extent.samples
        loaded = engine.loaded[layer.population.name]
        lengths = {frames, steps * self.extent.samples}
        shared = any(synapses.splits(one, n, engine.device) > 1 for one in loaded for n in lengths)
        narrow = layer.bound(self._payloads) <= _INT16 and not shared
        shape = (steps, self.extent.samples, layer.population.size)
        return torch.empty(shape, dtype=torch.int16 if narrow else torch.int32, device=engine.device.name)

    def _add(self, layer: Layer, sums: Tensor | None, rows: slice, which: Collection[int], *, first: bool) -> None:
        """Add what some of a layer's synapses deliver in some steps."""
        engine = self.engine
        for i in which:
            assert sums is not None
            synapse = layer.synapses[i]
            begin = engine.plan.history[synapse.source] - synapse.lag
            x = self._parts[synapse.source][:, begin + rows.start : begin + rows.stop]
            loaded = engine.loaded[layer.population.name][i]
            synapses.add(loaded, x, sums[rows], first=first, device=engine.device, approved=engine.approved)
            first = False

    def _neurons(self, layer: Layer, sums: Tensor | None, rows: slice) -> None:
        name, device = layer.population.name, self.engine.device
        history = self.engine.plan.history[name]
        s = self._parts[name][0, history + rows.start : history + rows.stop]
        kept = tuple(None if tensor is None else tensor[rows] for tensor in self._kept[name])
        lif.advance(self._tables[name], None if sums is None else sums[rows], s, self._states[name], kept, device)

"""An integer network that can be trained: float parameters, the chip's integers in the forward pass.

:class:`QuantizedNetwork` keeps the float weights, thresholds, decays and biases that a quantized network came from. Its
forward pass rounds them by the rules of :mod:`neurodeploy.scaling` and computes with whole numbers by those of
:mod:`neurodeploy.neuron`, so that its spikes are those of the integer emulator; gradients look through the rounding
(:mod:`neurodeploy.models.straight_through`). :meth:`QuantizedNetwork.network` is the integer network as it stands.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from graphlib import TopologicalSorter

import numpy as np
import torch
from torch import Tensor, nn

from neurodeploy import network as net
from neurodeploy.audit import Values, account
from neurodeploy.errors import InputError, UsageError
from neurodeploy.models.quantized_parts import QuantizedPopulation, QuantizedProjection
from neurodeploy.neurons import Lif
from neurodeploy.quantization import Quantization
from neurodeploy.scaling import Scaling
from neurodeploy.targets.chip import Chip

#: What may be trained.
LEARNABLE = ("weight", "bias", "threshold", "decay")
#: Up to this sum of inputs in weight units, every number of a step is exact in float32 (2^23 + 64 * 2^17 = 2^24).
_EXACT_SUM = 1 << 17


@dataclass(frozen=True, eq=False)
class Trace:
    """What a forward pass computed: population -> whole-valued tensor [T, B, *shape].

    ``spikes``, ``u`` and ``v`` (after the reset) of every population, in input time as a recording has them.
    """

    spikes: Mapping[str, Tensor]
    u: Mapping[str, Tensor]
    v: Mapping[str, Tensor]


class QuantizedNetwork(nn.Module):
    """The trainable twin of the integer network in ``quantization``.

    Parameters
    ----------
    quantization : from :func:`neurodeploy.quantization.quantization`; its scales and weight exponents stay as they are.
    chip : the chip whose formats it was made for.
    learn : which parameters are trained, any of :data:`LEARNABLE`.
    largest_input : the largest payload that a port will be given; sums are held exactly up to it.

    Raises
    ------
    Unsupported : a population or projection is of a kind that quantization does not make.
    UsageError : ``learn`` names something else.
    """

    def __init__(
        self,
        quantization: Quantization,
        chip: Chip,
        learn: Iterable[str] = ("weight", "bias", "threshold"),
        largest_input: int = 1,
    ) -> None:
        super().__init__()
        trained = frozenset(learn)
        if unknown := trained - set(LEARNABLE):
            raise UsageError(f"learn {sorted(unknown)}", "is nothing that can be trained", f"any of {LEARNABLE}")
        self.base = network = quantization.network
        values: dict[str, dict[str, Values]] = {}
        for entry in quantization.values:
            values.setdefault(entry.population, {})[entry.parameter] = entry
        self._populations = {
            p.name: QuantizedPopulation(p, values[p.name], chip.formats, trained) for p in network.populations
        }
        self._projections = {
            p.name: QuantizedProjection(
                p, values[p.target][f"weight {p.name}"], network, chip.formats, learned="weight" in trained
            )
            for p in network.projections
        }
        for late, now in _taken_back(network).items():
            self._projections[late].follow(self._projections[now])
        # torch registers what stands in such lists; names of populations may hold dots, which it does not allow.
        self.population_modules = nn.ModuleList(self._populations.values())
        self.projection_modules = nn.ModuleList(self._projections.values())
        self._groups = _groups(network)
        self.to(torch.float32 if self._largest_sum(largest_input) <= _EXACT_SUM else torch.float64)

    def _largest_sum(self, largest_input: int) -> float:
        """Return a bound on |sum| of what reaches a neuron in a step, in weight units, for any weights."""
        network = self.base
        payload = {port.name: float(largest_input) for port in network.ports}
        payload |= {p.name: math.inf if p.neuron.graded else 1.0 for p in network.populations}
        into = {p.name: network.into(p.name) for p in network.populations}
        sums = (sum(self._projections[q.name].reach() * payload[q.source] for q in paths) for paths in into.values())
        return max(sums)

    @property
    def dtype(self) -> torch.dtype:
        """float32 where it holds every sum of this network exactly, else float64."""
        return next(self.parameters()).dtype

    def forward(self, inputs: Tensor | Mapping[str, Tensor]) -> Trace:
        """Run the network on spikes 0 and 1.

        Parameters
        ----------
        inputs : [B, T, *shape] of any dtype, or port -> such tensor where there are several ports.

        Raises
        ------
        InputError : a port is missing, or its shape is another.
        """
        sent = {name: part.transpose(0, 1).to(self.dtype) for name, part in self._ports(inputs).items()}
        run = _Run(self, sent)
        for group in self._groups:
            run.advance(group)
        return Trace(
            *({p.name: kept[p.name] for p in self.base.populations} for kept in (run.sent, run.u, run.v)),
        )

    def _ports(self, inputs: Tensor | Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        ports = self.base.ports
        given = inputs if isinstance(inputs, Mapping) else {ports[0].name: inputs}
        for port in ports:
            if port.name not in given:
                raise InputError(f"input {port.name!r}", "is missing", "give port -> [B, T, *shape]")
            if tuple(given[port.name].shape[2:]) != tuple(port.shape):
                found = list(given[port.name].shape)
                raise InputError(f"input {port.name!r}", f"has shape {found}", f"give [B, T, *{list(port.shape)}]")
        return given

    def scores(self, trace: Trace) -> Tensor:
        """Return what :meth:`neurodeploy.recording.Recording.predictions` takes the largest of, float [B, classes].

        Spike counts of the first output, or for a read-out its last membrane potential in float units.
        """
        name = self.base.outputs[0]
        if name in self.base.readouts:
            population = self._populations[name].population
            return trace.v[name][-1].flatten(1) / (64.0 * population.scale)
        return trace.spikes[name].sum(dim=0).flatten(1)

    def named_trained(self) -> list[tuple[str, nn.Parameter]]:
        """Return what is trained, each array under the name of its population or projection."""
        named = (*self._populations.items(), *self._projections.items())
        return [(f"{name}.{key}", p) for name, m in named for key, p in m.named_parameters() if p.requires_grad]

    def quantization(self) -> Quantization:
        """Return the integer network as it stands with the account of its values; nothing is known of its peaks."""
        network = self.network()
        values, rows = [], []
        for population in network.populations:
            own = self._populations[population.name].values(population)
            into = network.into(population.name)
            own += [self._projections[p.name].values(p, population.scale) for p in into]
            scaling = Scaling(population.scale, max((p.weight_exponent for p in into), default=0))
            assert isinstance(population.neuron, Lif)
            rows.append(account(population.name, population.size, population.neuron, scaling, own))
            values += own
        provenance = {**network.provenance, "quantization": rows}
        return Quantization(replace(network, provenance=provenance), tuple(values), {})

    def network(self) -> net.Network:
        """Return the integer network with weights, thresholds, decays and biases as they stand."""
        base = self.base
        return replace(
            base,
            populations=tuple(replace(p, neuron=self._populations[p.name].lif()) for p in base.populations),
            projections=tuple(replace(p, connection=self._projections[p.name].connection()) for p in base.projections),
        )


def _taken_back(network: net.Network) -> dict[str, str]:
    """Return the projections that take back a step later what another one adds, each with that other one."""
    found: dict[str, str] = {}
    for target in network.populations:
        into = network.into(target.name)
        for late in into:
            for now in into:
                if network.lag(late) <= network.lag(now) or {now.name, late.name} & {*found, *found.values()}:
                    continue
                if _opposite(late.connection, now.connection):
                    found[late.name] = now.name
    return found


def _opposite(one: net.Connection, other: net.Connection) -> bool:
    """Return whether two connections are of the same geometry and each other's negative."""
    if type(one) is not type(other) or isinstance(one, net.Sparse) or isinstance(other, net.Sparse):
        return False
    if not one.weight.any() or not np.array_equal(one.weight, -other.weight.astype(np.int64)):
        return False
    return all(getattr(one, f.name) == getattr(other, f.name) for f in fields(other) if f.name != "weight")


class _Run:
    """One forward pass: the integers of all parameters, and what has been computed so far."""

    def __init__(self, network: QuantizedNetwork, sent: dict[str, Tensor]) -> None:
        self._network, self.sent = network, sent
        self.u: dict[str, Tensor] = {}
        self.v: dict[str, Tensor] = {}
        self._steps, self._samples = next(iter(sent.values())).shape[:2]
        self._weights = {name: part.integers() for name, part in network._projections.items()}
        self._parts = {name: part.integers() for name, part in network._populations.items()}

    def advance(self, group: tuple[str, ...]) -> None:
        """Run the populations of a group, which hear each other or themselves, through all steps."""
        within = {name: [p for p in self._network.base.into(name) if p.source in group] for name in group}
        outside = {name: self._outside(name, group) for name in group}
        spikes: dict[str, list[Tensor]] = {name: [] for name in group}
        states = {name: [(torch.zeros_like(outside[name][0]),) * 2] for name in group}
        order = [p.name for p in self._network.base.order if p.name in group]
        for t in range(self._steps):
            for name in order:
                a = outside[name][t]
                for projection in within[name]:
                    if (earlier := t - self._network.base.lag(projection)) >= 0:
                        a = a + self._sums(projection.name, spikes[projection.source][earlier])
                module = self._network._populations[name]
                u, v, s = module.step(self._parts[name], *states[name][-1], a)
                states[name].append((u, v))
                spikes[name].append(s)
        for name in group:
            self.sent[name] = torch.stack(spikes[name])
            self.u[name], self.v[name] = (torch.stack(list(kept)) for kept in zip(*states[name][1:], strict=True))

    def _outside(self, name: str, group: tuple[str, ...]) -> Tensor:
        """Return the sums [T, B, *shape] of what arrives from populations and ports that are done."""
        shape = self._network.base.by_name[name].shape
        total = next(iter(self.sent.values())).new_zeros(self._steps, self._samples, *shape)
        for projection in self._network.base.into(name):
            if projection.source not in group:
                lag = self._network.base.lag(projection)
                early = self.sent[projection.source][: max(self._steps - lag, 0)]
                if len(early):
                    sums = self._sums(projection.name, early.flatten(0, 1))
                    total = total + nn.functional.pad(
                        sums.reshape(*early.shape[:2], *shape), (*[0] * (2 * len(shape) + 2), lag, 0)
                    )
        return total

    def _sums(self, projection: str, spikes: Tensor) -> Tensor:
        """Return what spikes [N, *shape] bring through a projection."""
        sums: Tensor = self._network._projections[projection](spikes, self._weights[projection])
        return sums


def _groups(network: net.Network) -> list[tuple[str, ...]]:
    """Return the populations in groups that hear only groups before them, and each other around loops."""
    heard = {
        p.name: {q.source for q in network.into(p.name)} - {port.name for port in network.ports}
        for p in network.populations
    }
    reached = {name: _before(name, heard) for name in heard}
    group = {a: tuple(b for b in heard if b == a or (b in reached[a] and a in reached[b])) for a in heard}
    needs: dict[tuple[str, ...], set[tuple[str, ...]]] = {members: set() for members in group.values()}
    for a in heard:
        needs[group[a]] |= {group[b] for b in heard[a] if group[b] != group[a]}
    return list(TopologicalSorter(needs).static_order())


def _before(name: str, heard: Mapping[str, set[str]]) -> set[str]:
    """Return every population whose spikes can reach ``name``."""
    found: set[str] = set()
    open_ends = list(heard[name])
    while open_ends:
        if (source := open_ends.pop()) not in found:
            found.add(source)
            open_ends += heard[source]
    return found

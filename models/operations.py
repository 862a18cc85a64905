"""What a network of torch layers computes on data, counted as the literature on spiking networks counts it.

A layer whose input is spikes adds: one operation (SOP) for each spike and weight it meets, 0.9 pJ. Any other layer
multiplies: one operation (MAC) for each weight and place, 4.6 pJ (32-bit floats in 45 nm; Horowitz, ISSCC 2014). Memory
and neurons cost nothing there, so these are no energies of a chip.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from neurodeploy.conventions import ACCUMULATE_45NM, MULTIPLY_45NM
from neurodeploy.models.neuron import Lif
from neurodeploy.models.spiking.layer import MultiSpike, SpikingNeuron
from neurodeploy.models.spiking.normalized import NormalizedNeuron

#: Layers with weights; their input's last axes are places.
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_NEURONS = (SpikingNeuron, NormalizedNeuron, MultiSpike, Lif)


@dataclass(frozen=True)
class LayerOperations:
    """One layer with weights, per sample over all steps.

    Attributes
    ----------
    part : what :func:`count_operations` was told of the layer's name.
    spikes : whether all of its input is 0 or 1, or an integer neuron's output, which counts as that many spikes.
    rate : mean of the input over steps, samples and places, in spikes where it is spikes.
    macs : multiplications of a dense computation.
    sops : ``rate`` times ``macs``, the literature's figure; 0 where the input is no spikes.
    events : weights that the spikes really meet, fewer than ``sops`` at padded borders; 0 likewise.
    """

    name: str
    part: str
    spikes: bool
    rate: float
    macs: int
    sops: float
    events: float


@dataclass(frozen=True)
class NeuronRate:
    """One population: spikes a neuron and step, and the share of neurons that are silent on all of the data."""

    name: str
    part: str
    neurons: int
    rate: float
    silent: float


@dataclass(frozen=True)
class Operations:
    """The counts of a network on data of ``steps`` steps; energies are joules of one sample."""

    steps: int
    layers: tuple[LayerOperations, ...]
    neurons: tuple[NeuronRate, ...]

    @property
    def macs(self) -> int:
        """Multiplications of the layers whose input is no spikes."""
        return sum(layer.macs for layer in self.layers if not layer.spikes)

    @property
    def sops(self) -> float:
        """Synaptic operations of all other layers, by mean rates."""
        return sum(layer.sops for layer in self.layers)

    @property
    def energy(self) -> float:
        """The literature's energy."""
        return energy_45nm(self.sops, self.macs)

    def by_part(self) -> dict[str, Operations]:
        """Return the counts of each part, in the order of its first layer."""
        names = dict.fromkeys([row.part for row in self.layers] + [row.part for row in self.neurons])
        return {name: Operations(self.steps, _of(self.layers, name), _of(self.neurons, name)) for name in names}

    @property
    def rate(self) -> float:
        """Spikes a neuron and step over all populations; 0 without any."""
        total = sum(row.neurons for row in self.neurons)
        return sum(row.rate * row.neurons for row in self.neurons) / total if total else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return counts and sums for JSON."""
        parts = {
            name: {"macs": part.macs, "sops": part.sops, "energy_joule": part.energy, "rate": part.rate}
            for name, part in self.by_part().items()
        }
        sums = {"macs": self.macs, "sops": self.sops, "energy_joule": self.energy, "rate": self.rate}
        return asdict(self) | sums | {"parts": parts}


def energy_45nm(accumulates: float, multiplies: float) -> float:
    """Return the joules of so many additions and multiplications with addition."""
    return accumulates * ACCUMULATE_45NM + multiplies * MULTIPLY_45NM


@torch.no_grad()
def count_operations(
    model: nn.Module, batches: Iterator[Tensor], part_of: Callable[[str], str] = lambda name: name.split(".")[0]
) -> Operations:
    """Return what ``model`` computes on ``batches`` of inputs [T, B, ...], in evaluation mode.

    ``part_of`` gives the part of the network that a module's name belongs to. Products of two activations, as in
    attention, count as MACs where a module says how many they are: ``products(*inputs)``. Raises :class:`ValueError`
    where there is no sample.
    """
    before = model.training
    model.eval()
    try:
        with ExitStack() as hooks:
            tally = _Tally(model, part_of, hooks)
            for x in batches:
                tally.batch = (x.shape[0], x.shape[1])
                tally.samples += x.shape[1]
                model(x)
    finally:
        model.train(before)
    return tally.result()


#: Modules of a block whose operations are told apart.
_BRANCHES = ("spatial", "temporal", "shortcut", "attention", "mixer", "sep_conv", "attn", "mlp")


def parts_of(model: nn.Module) -> Callable[[str], str]:
    """Return what gives a module's name its stage and branch: ``1, temporal``.

    Stages are those of ``model.stages``, where it has them, else the first word of a name.
    """
    places = {id(module): name for name, module in model.named_modules()}
    stages = {places[id(module)]: name for name, module in getattr(model, "stages", {}).items()}

    def part_of(name: str) -> str:
        found = [prefix for prefix in stages if name == prefix or name.startswith(prefix + ".")]
        stage = stages[max(found, key=len)] if found else name.split(".")[0]
        branch = next((word for word in name.split(".") if word in _BRANCHES), None)
        return stage if branch is None else f"{stage}, {branch}"

    return part_of


class _Tally:
    """Sums over batches by module."""

    def __init__(self, model: nn.Module, part_of: Callable[[str], str], hooks: ExitStack) -> None:
        self.samples, self.batch = 0, (0, 0)
        self._part_of = part_of
        self._norms = sorted({m.norm for m in model.modules() if isinstance(m, MultiSpike)} | {1.0})
        self._layers: dict[str, dict[str, Any]] = {}
        self._fired: dict[str, tuple[Tensor, int]] = {}
        for name, module in model.named_modules():
            if isinstance(module, (*_CONVOLUTIONS, nn.Linear)):
                hooks.callback(module.register_forward_hook(self._weighted(name)).remove)
            elif isinstance(module, _NEURONS):
                hooks.callback(module.register_forward_hook(self._firing(name)).remove)
            elif callable(getattr(module, "products", None)):
                hooks.callback(module.register_forward_hook(self._multiplied(name)).remove)

    def _weighted(self, name: str) -> Callable[..., None]:
        def note(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            x = inputs[0].detach()
            row = self._layers.setdefault(name, {"spikes": True, "sum": 0.0, "cells": 0, "macs": 0, "events": 0.0})
            norm = self._norm_of(x)
            row["spikes"] &= norm is not None
            row["sum"] += float(x.double().sum())
            row["norm"] = max(row.get("norm", 1.0), norm or 1.0)
            row["cells"] += x.numel()
            row["macs"] += _macs(module, output)
            row["events"] += float((x.double() * _fan_out(module, x)).sum())

        return note

    def _multiplied(self, name: str) -> Callable[..., None]:
        def note(module: nn.Module, inputs: tuple[Tensor, ...], _output: Tensor) -> None:
            empty: dict[str, Any] = {"spikes": False, "sum": 0.0, "cells": 0, "macs": 0, "events": 0.0, "norm": 1.0}
            row = self._layers.setdefault(name, empty)
            row["sum"] += float(inputs[0].detach().double().sum())
            row["cells"] += inputs[0].numel()
            multiplying: Any = module
            row["macs"] += multiplying.products(*inputs)

        return note

    def _firing(self, name: str) -> Callable[..., None]:
        def note(module: nn.Module, _inputs: object, output: Tensor) -> None:
            runs = self._runs(output)
            spikes = output.detach().double() * (module.norm if isinstance(module, MultiSpike) else 1.0)
            summed = spikes.reshape(runs, -1).sum(0)
            fired, count = self._fired.get(name, (torch.zeros_like(summed), 0))
            self._fired[name] = (fired + summed, count + runs)

        return note

    def _runs(self, output: Tensor) -> int:
        """Return how many steps of samples ``output`` holds, be they two axes or merged in one."""
        both = self.batch[0] * self.batch[1]
        return both if tuple(output.shape[:2]) == self.batch else len(output)

    def _norm_of(self, x: Tensor) -> float | None:
        """Return the norm of the integer neurons that ``x`` may come from, 1 where it is spikes, else None."""
        if bool(((x == 0) | (x == 1)).all()):
            return 1.0
        scaled = ((norm, x * norm) for norm in self._norms if norm > 1)
        return next((norm for norm, y in scaled if bool(((y == y.round()) & (y >= 0) & (y <= norm)).all())), None)

    def result(self) -> Operations:
        if not self.samples:
            raise ValueError("there is no sample to count on")
        layers = []
        for name, row in self._layers.items():
            macs, norm = round(row["macs"] / self.samples), row["norm"]
            rate = row["sum"] / row["cells"] * (norm if row["spikes"] else 1.0)
            sops, events = (rate * macs, row["events"] * norm / self.samples) if row["spikes"] else (0.0, 0.0)
            layers.append(LayerOperations(name, self._part_of(name), row["spikes"], rate, macs, sops, events))
        neurons = []
        for name, (fired, count) in self._fired.items():
            mean, silent = float(fired.mean()) / count, float((fired == 0).double().mean())
            neurons.append(NeuronRate(name, self._part_of(name), fired.numel(), mean, silent))
        return Operations(self.batch[0], tuple(layers), tuple(neurons))


def _of(rows: tuple[Any, ...], part: str) -> tuple[Any, ...]:
    return tuple(row for row in rows if row.part == part)


def _macs(module: nn.Module, output: Tensor) -> int:
    if isinstance(module, nn.Linear):
        return output.numel() * module.in_features
    assert isinstance(module, _CONVOLUTIONS)
    return output.numel() * math.prod(module.kernel_size) * module.in_channels // module.groups


def _fan_out(module: nn.Module, x: Tensor) -> Tensor | float:
    """Return how many weights an input meets: one number, or one for each place."""
    if isinstance(module, nn.Linear):
        return float(module.out_features)
    assert isinstance(module, _CONVOLUTIONS)
    dims = len(module.kernel_size)
    places = torch.zeros((1, 1, *x.shape[-dims:]), dtype=torch.float64, requires_grad=True)
    ones = torch.ones((1, 1, *module.kernel_size), dtype=torch.float64)
    run = {1: nn.functional.conv1d, 2: nn.functional.conv2d, 3: nn.functional.conv3d}[dims]
    with torch.enable_grad():
        padding: Any = module.padding
        met = run(places, ones, None, module.stride, padding, module.dilation).sum()
        (taps,) = torch.autograd.grad(met, places)
    return taps.to(x.device) * (module.out_channels // module.groups)

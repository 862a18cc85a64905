"""The trained systems at the sizes that their speed is asked for, and who trains them beside us."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn

from neurodeploy.models.architectures import MODEL_KINDS, ModelContext, ModelSettings, ResNetSettings, kind_of
from neurodeploy.models.metasdt.settings import MetaSdtSettings
from neurodeploy.models.optimizers import NamedOptimizer
from neurodeploy.models.recipe import DataSettings, Recipe, TrainingSettings
from neurodeploy.models.sma.settings import SmaResNetSettings, SmaVggSettings
from neurodeploy.models.stdl.building import build_method
from neurodeploy.models.stdl.memory import counting_kept
from neurodeploy.models.stdl.settings import BpttSettings, MethodSettings
from neurodeploy.models.stsep.settings import StsepSettings
from tests.benchmarks import twins

#: What each side is trained with; the rate is small, so that weights stay where spikes are.
RATE = 1e-4
#: Steps before anything is measured, in which kernels are compiled and chosen, and steps that tell who is faster.
WARMING, TRIALS = 3, 5


@dataclass(frozen=True)
class System:
    """A network at a size: what is published of it or, ``tiny``, what runs in a second on a processor.

    ``events`` tells counts of events from pixels.
    """

    settings: ModelSettings
    shape: tuple[int, int, int]
    steps: int
    batch: int
    classes: int
    events: bool = False

    @property
    def context(self) -> ModelContext:
        """What the data say of the network."""
        return ModelContext(self.shape, self.classes, self.steps)

    def build(self, device: str) -> nn.Module:
        """Return the network, from the same seed each time."""
        torch.manual_seed(0)
        model = MODEL_KINDS[kind_of(self.settings)].build(self.settings, self.context)
        return model.to(device).train()

    def data(self, device: str, batch: int | None = None) -> tuple[Tensor, Tensor]:
        """Return input [T, B, C, H, W] and labels [B], the same each time."""
        generator = torch.Generator().manual_seed(0)
        shape = (self.steps, batch or self.batch, *self.shape)
        drawn = torch.randn(shape, generator=generator)
        x = (drawn > 1.3).float() if self.events else drawn
        labels = torch.randint(self.classes, shape[1:2], generator=generator)
        return x.to(device), labels.to(device)


SYSTEMS = {
    "STSep-ResNet-18, 112 px": System(StsepSettings(depth=18), (3, 112, 112), 8, 64, 101),
    "SMA-VGG8, 128 px": System(SmaVggSettings(channel_ratio=10), (2, 128, 128), 16, 16, 11, events=True),
    "Meta-SDT-T, 224 px": System(MetaSdtSettings(), (3, 224, 224), 1, 128, 1000),
}
TINY = {
    "STSep-ResNet-18, 112 px": System(StsepSettings(depth=10, channels=8, stages=1), (3, 24, 24), 3, 2, 5),
    "SMA-VGG8, 128 px": System(
        SmaVggSettings(channels=8, blocks=3, hidden=16, time_reduction=1, time_ratio=2), (2, 16, 16), 4, 2, 5, True
    ),
    "Meta-SDT-T, 224 px": System(
        MetaSdtSettings(channels=(16, 16, 16, 16), blocks=(1, 0, 1, 1, 0)), (3, 32, 32), 1, 2, 5
    ),
}
#: What STDL's memory is asked of: MS-ResNet-34 without attention.
LOCAL = System(SmaResNetSettings(depth=34, attention="none"), (3, 224, 224), 4, 128, 1000)
TINY_LOCAL = System(ResNetSettings(stages=2, blocks=1, channels=4), (3, 8, 8), 4, 2, 5)


def recipe_of(system: System, method: MethodSettings, precision: str) -> Recipe:
    """Return the recipe of which a contestant takes the steps."""
    training = TrainingSettings(
        epochs=1, learning_rate=RATE, batch_size=system.batch, optimizer="sgd", readout="mean", precision=precision
    )
    return Recipe("h200", 0, DataSettings(steps=system.steps), training, model=system.settings, method=method)


class Training:
    """One network in training by one of our methods: :meth:`step` is forward, backward and a step of SGD."""

    def __init__(
        self,
        system: System,
        model: nn.Module,
        device: str,
        method: MethodSettings = BpttSettings(),  # noqa: B008 (frozen)
        forget: Callable[[nn.Module], None] | None = None,
    ) -> None:
        # A processor without bfloat16 of its own would take seconds a step.
        recipe = recipe_of(system, method, "bf16" if device == "cuda" else "float32")
        self.model, self._forget = model, forget
        self.method = build_method(recipe, model, model, system.context)
        beside = {f"auxiliary/{name}": p for name, p in self.method.auxiliary.named_parameters()}
        self._optimizer = NamedOptimizer(dict(model.named_parameters()) | beside, recipe.training)
        self._data = system.data(device)

    def step(self) -> None:
        """Train on the batch once more."""
        if self._forget is not None:
            self._forget(self.model)
        self._optimizer.zero_grad()
        self.method.backward(*self._data, 1.0, lambda: None)
        self._optimizer.step(RATE)


class Contiguous(nn.Module):
    """One of our networks that keeps its maps in the order channel, row, column."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        self._home = sys.modules[type(model).__module__]

    def forward(self, x: Tensor) -> Tensor:
        """Return what the network answers."""
        with mock.patch.object(self._home, "channels_last", Tensor.contiguous):
            answers: Tensor = self.model(x)
        return answers


@dataclass
class Contestant:
    """Who trains a system: how it is made, what it keeps, and how long its steps take."""

    name: str
    batch: int
    device: str
    make: Callable[[], Training]
    seconds: list[float] = field(default_factory=list)
    problem: str = ""
    peak: int = 0
    facts: dict[str, Any] = field(default_factory=dict)
    _training: Training | None = None

    def prepare(self) -> float:
        """Make the network and take its first steps; return the seconds of a later one, infinite where it fails."""
        before = allocated(self.device)
        try:
            self._training = self.make()
            warming, trials = (WARMING, TRIALS) if self.device == "cuda" else (1, 1)
            self.peak = [peak_of(self._training.step, self.device) for _ in range(warming)][-1] - before
            return statistics.median(self._timed() for _ in range(trials))
        except Exception as error:  # noqa: BLE001  # whatever fails on a device is a line of the result
            self.problem, self._training = f"{type(error).__name__}: {error}", None
            return float("inf")

    def run(self, least: float) -> list[float]:
        """Train for some seconds, one step at least; return seconds per sample of each step."""
        times: list[float] = []
        try:
            while not times or sum(times) < least:
                times.append(self._timed())
        except Exception as error:  # noqa: BLE001
            self.problem, times = f"{type(error).__name__}: {error}", []
        return [seconds / self.batch for seconds in times]

    def drop(self) -> None:
        """Let go of the network."""
        self._training = None
        if self.device == "cuda":
            torch.cuda.empty_cache()

    def _timed(self) -> float:
        assert self._training is not None
        synchronise(self.device)
        begin = time.perf_counter()
        self._training.step()
        synchronise(self.device)
        return time.perf_counter() - begin


def synchronise(device: str) -> None:
    """Wait until the device has done all its work."""
    if device == "cuda":
        torch.cuda.synchronize()


def allocated(device: str) -> int:
    """Return the bytes that tensors hold on the device; on a processor nobody counts them."""
    return torch.cuda.memory_allocated() if device == "cuda" else 0


def peak_of(step: Callable[[], None], device: str) -> int:
    """Return the most bytes that tensors held during ``step``; on a processor those kept for backward passes alone."""
    if device == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        step()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated()
    with counting_kept() as kept:
        step()
    return kept.peak


def ours(system: System, device: str, method: MethodSettings = BpttSettings(), name: str = "neurodeploy") -> Contestant:  # noqa: B008 (frozen)
    """Return our own training of a system by a method."""

    def make() -> Training:
        return Training(system, system.build(device), device, method)

    return Contestant(name, system.batch, device, make)


def theirs(system: System, device: str, release: str) -> Contestant:
    """Return SpikingJelly's, in the faster memory layout and the fastest of its backends."""
    tried: list[tuple[float, Contestant]] = []
    for backend in twins.backends(release):
        for layout in ("channels_last", "contiguous"):

            def make(backend: str = backend, layout: str = layout) -> Training:
                twin = twins.on_spikingjelly(system.build("cpu"), backend).to(device)
                model = twin if layout == "channels_last" else Contiguous(twin)
                return Training(system, model, device, forget=twins.forget)

            one = Contestant("spikingjelly", system.batch, device, make)
            one.facts = {"layout": layout, "backend": backend or "its own choice"}
            tried.append((one.prepare(), one))
            one.drop()
    return min(tried, key=lambda pair: pair[0])[1]

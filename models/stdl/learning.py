"""One training step of each method: where the gradient is cut, and what it is made of.

A network's units are cut into groups. Group k computes h = group(stop(x)), its auxiliary network answers, the loss of
that answer goes backward at once, and the next group gets h; the last group ends with the network's own head. Unless
``temporal`` is ``bptt`` that happens at every step by itself, with the neurons' states carried over as constants, so
that what is kept for backward passes does not grow with the number of steps. The loss of a step is the recipe's over
that step alone, divided by their number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from neurodeploy.models.losses import loss_of
from neurodeploy.models.recipe import TrainingSettings
from neurodeploy.models.spiking.merged import channels_last
from neurodeploy.models.spiking.streaming import streaming
from neurodeploy.models.stdl.settings import LocalSettings
from neurodeploy.models.stdl.traces import decays, tracing
from neurodeploy.models.stdl.units import Shape, Units, in_evaluation

#: Takes an optimizer step and clears the gradients.
Update = Callable[[], None]


class Method(Protocol):
    """How gradients come about; ``auxiliary`` are the networks that only training needs."""

    auxiliary: nn.Module

    def backward(self, x: Tensor, labels: Tensor, weight: float, update: Update) -> tuple[Tensor, float]:
        """Add ``weight`` times the gradient of the mean loss of ``x`` [T, B, ...] to the parameters'.

        Return the answers [T, B, classes] and the mean loss of the network itself. ``update`` is called between steps
        where the method learns online; the last update is the caller's.
        """
        ...


class Bptt:
    """Back-propagation through all layers and steps."""

    def __init__(self, module: nn.Module, training: TrainingSettings) -> None:
        self.auxiliary: nn.Module = nn.ModuleList()
        self._module, self._training = module, training

    def backward(self, x: Tensor, labels: Tensor, weight: float, _update: Update) -> tuple[Tensor, float]:
        """Run forward and backward over the whole sequence."""
        with autocast(x, self._training):
            outputs = self._module(x)
        loss = loss_of(outputs, labels, self._training)
        (loss * weight).backward()  # type: ignore[no-untyped-call]
        return outputs.detach(), loss.item()


@dataclass(frozen=True)
class Group:
    """One group: its units and those of its auxiliary network by number, and the bytes that training it takes.

    ``bytes`` are those of one step of a batch, ``budget`` what they may be; 0 where there is no budget. The last group
    has no ``choice``.
    """

    units: range
    choice: tuple[int, ...] | None
    bytes: int = 0
    budget: int = 0


class Local:
    """Groups that learn by themselves, steps that learn by themselves (``stepwise``), or both."""

    def __init__(
        self,
        settings: LocalSettings,
        units: Units,
        groups: Sequence[Group],
        auxiliaries: Sequence[nn.Module],
        training: TrainingSettings,
        steps: int,
        input_shape: Shape,
    ) -> None:
        self.units, self.groups = units, tuple(groups)
        self.auxiliary: nn.Module = nn.ModuleList(auxiliaries)
        self._settings, self._training = settings, training
        parts = [nn.Sequential(*(units.units[unit].module for unit in group.units)) for group in groups]
        self._parts = [*parts[:-1], nn.Sequential(*parts[-1], units.head)]
        self._whole = nn.ModuleList([*self._parts, self.auxiliary])
        self.stepwise = settings.temporal != "bptt"
        if self.stepwise:
            _share_momentum(self._whole, steps)
        device = next(self._whole.parameters()).device
        x = torch.zeros(1, 1, *input_shape, device=device)
        self._decays = decays(_Answers(self._parts, self.auxiliary), x) if settings.temporal == "trace" else {}

    def backward(self, x: Tensor, labels: Tensor, weight: float, update: Update) -> tuple[Tensor, float]:
        """Run forward and backward group by group and, unless time is not cut, step by step."""
        self.auxiliary.train()
        if not self.stepwise:
            outputs, whole = self._pass(channels_last(x), labels, weight)
            return outputs, whole.item()
        answers, losses, steps = [], [], len(x)
        with streaming(self._whole, detached=True), tracing(self._decays) if self._decays else nullcontext():
            for number, step in enumerate(torch.split(channels_last(x), 1)):
                if number and self._settings.online_update:
                    update()
                answer, loss = self._pass(step, labels, weight / steps)
                answers.append(answer)
                losses.append(loss)
        # Fetched together: a device is waited for once a batch.
        return torch.cat(answers), sum(torch.stack(losses).tolist()) / steps

    @torch.no_grad()
    def answers(self, x: Tensor) -> list[Tensor]:
        """Return every group's answers [T, B, classes], the network's own last, in evaluation mode."""
        with in_evaluation(self._whole):
            found: list[Tensor] = _Answers(self._parts, self.auxiliary)(channels_last(x))
            return found

    def _pass(self, x: Tensor, labels: Tensor, weight: float) -> tuple[Tensor, Tensor]:
        for part, auxiliary in zip(self._parts, self.auxiliary.children(), strict=False):
            with autocast(x, self._training):
                x = part(x.detach())
                answer = auxiliary(x)
            (loss_of(answer, labels, self._training) * weight).backward()  # type: ignore[no-untyped-call]
        with autocast(x, self._training):
            outputs = self._parts[-1](x.detach())
        loss = loss_of(outputs, labels, self._training)
        (loss * weight).backward()  # type: ignore[no-untyped-call]
        return outputs.detach(), loss.detach()


class _Answers(nn.Module):
    """What every group answers."""

    def __init__(self, parts: Sequence[nn.Module], auxiliaries: nn.Module) -> None:
        super().__init__()
        self.parts, self.auxiliaries = nn.ModuleList(parts), auxiliaries

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the answers, the network's own last."""
        answers = []
        for part, auxiliary in zip(self.parts, [*self.auxiliaries.children(), nn.Identity()], strict=True):
            x = part(x)
            answers.append(auxiliary(x))
        return answers


def _share_momentum(model: nn.Module, steps: int) -> None:
    """Let the running statistics of norms, now updated at every step, follow a batch as fast as ever."""
    for norm in model.modules():
        if isinstance(norm, nn.modules.batchnorm._BatchNorm) and norm.momentum is not None:
            norm.momentum /= steps


def autocast(x: Tensor, training: TrainingSettings) -> torch.autocast:
    """Return the block in which layers compute in the precision of ``training``, on the device of ``x``."""
    return torch.autocast(x.device.type, torch.bfloat16, enabled=training.precision == "bf16")

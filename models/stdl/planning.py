"""What a recipe's method makes of its network, and the memory that it keeps: for ``train --dry-run``."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import nn

from neurodeploy.models.architectures import ModelContext
from neurodeploy.models.recipe import Recipe
from neurodeploy.models.stdl.building import build_method
from neurodeploy.models.stdl.learning import Local
from neurodeploy.models.stdl.memory import counting_kept
from neurodeploy.models.stdl.settings import method_name

#: Batch normalisation needs more than one value a channel.
_SAMPLES = 2


@dataclass(frozen=True)
class GroupPlan:
    """One group: its units, those that its auxiliary network is made of once more, and that network's parameters.

    ``bytes`` are what the budget counts for it: weights, gradients, moments, and what a step of the samples at once
    keeps; 0 without a budget. The last group has the network's own head, and no auxiliary network.
    """

    units: tuple[str, ...]
    auxiliary: tuple[str, ...] | None
    parameters: int
    bytes: int


@dataclass(frozen=True)
class MethodPlan:
    """A local method's groups, and the most bytes that autograd keeps at any moment of a training step.

    ``budget_bytes`` is what a group may take; 0 where the method has no budget.
    """

    kind: str
    temporal: str
    groups: tuple[GroupPlan, ...]
    budget_bytes: int
    kept_bytes: int

    @property
    def auxiliary_parameters(self) -> int:
        """Numbers that are trained and then dropped."""
        return sum(group.parameters for group in self.groups)

    def scaled(self, factor: float) -> MethodPlan:
        """Return the plan for ``factor`` times as many samples at once; what a budget counted stays."""
        return replace(self, kept_bytes=round(self.kept_bytes * factor))


def plan_method(recipe: Recipe, model: nn.Module, context: ModelContext) -> MethodPlan | None:
    """Return what the method of ``recipe`` makes of ``model``, for two samples at once; None for BPTT.

    Takes a training step, at which ``model`` gets gradients. Raises :class:`neurodeploy.errors.UsageError` where the
    method does not fit the network.
    """
    method = build_method(recipe, model, model, context)
    if not isinstance(method, Local):
        return None
    names = [unit.name for unit in method.units.units]
    parameters = [sum(p.numel() for p in net.parameters()) for net in method.auxiliary.children()]
    groups = [
        GroupPlan(
            tuple(names[unit] for unit in group.units),
            None if group.choice is None else tuple(names[unit] for unit in group.choice),
            own,
            group.bytes,
        )
        for group, own in zip(method.groups, [*parameters, 0], strict=True)
    ]
    kept = _kept(method, model, context)
    temporal = recipe.method.temporal  # type: ignore[union-attr]  # BPTT is gone
    return MethodPlan(method_name(recipe.method), temporal, tuple(groups), method.groups[0].budget, kept)


def _kept(method: Local, model: nn.Module, context: ModelContext) -> int:
    """Return the bytes that autograd keeps at most; the number of steps counts where gradients pass them."""
    steps = 1 if method.stepwise else context.steps
    x = torch.randint(0, 2, (steps, _SAMPLES, *context.input_shape)).float()
    tensors = (model, method.auxiliary)
    owned = [x, *(t for part in tensors for t in (*part.parameters(), *part.buffers()))]
    with counting_kept(owned) as kept:
        method.backward(x, torch.zeros(_SAMPLES, dtype=torch.int64), 1.0, lambda: None)
    return kept.peak

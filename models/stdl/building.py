"""The training method of a recipe, made for its network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from torch import nn

from neurodeploy.errors import UsageError
from neurodeploy.models.architectures import ModelContext
from neurodeploy.models.optimizers import moments_of
from neurodeploy.models.recipe import Recipe
from neurodeploy.models.stdl.auxiliary import Auxiliary, classifier
from neurodeploy.models.stdl.learning import Bptt, Group, Local, Method
from neurodeploy.models.stdl.memory import Costs, bptt_bytes, unit_shapes
from neurodeploy.models.stdl.selection import SELECTIONS, groups_of, pyramid, uniform
from neurodeploy.models.stdl.settings import (
    AuglocalSettings,
    BpttSettings,
    EllSettings,
    SlttSettings,
    StdlSettings,
    method_name,
)
from neurodeploy.models.stdl.units import Unitary, Units


def build_method(recipe: Recipe, model: nn.Module, module: nn.Module, context: ModelContext) -> Method:
    """Return the method of ``recipe`` for ``model``; auxiliary weights are drawn from torch's generator.

    ``module`` is what back-propagation runs: the model itself or what shares its gradients among processes. Raises
    :class:`UsageError` where the network has no units, or method and training contradict each other.
    """
    settings = recipe.method
    if isinstance(settings, BpttSettings):
        return Bptt(module, recipe.training)
    name = f"method ({method_name(settings)})"
    if module is not model:
        raise UsageError(name, "learns in one process", "start one process, or leave out the [method] table")
    if settings.online_update and recipe.training.accumulate > 1:
        problem = f"updates at every step, and training.accumulate is {recipe.training.accumulate}"
        raise UsageError(f"{name}.online_update", problem, "set training.accumulate to 1")
    if not isinstance(model, Unitary):
        problem = f"needs a network of units, and {type(model).__name__} names none"
        raise UsageError(name, problem, "leave out the [method] table")
    try:
        units = model.local_units()
        if not units.units:
            raise ValueError("the network has no unit in front of its last layer")
        groups = GROUPINGS[type(settings)](settings, _Case(recipe, model, units, context))
    except ValueError as error:
        raise UsageError(name, f"cannot be used: {error}", "correct the recipe") from error
    device = next(model.parameters()).device
    shapes = unit_shapes(units, context.input_shape, device)
    auxiliaries = [
        Auxiliary(units, shapes, group.units.stop - 1, group.choice, context.classes).to(device)
        for group in groups
        if group.choice is not None
    ]
    return Local(settings, units, groups, auxiliaries, recipe.training, context.steps, context.input_shape)


class _Case:
    """A network and the recipe that it is cut for."""

    def __init__(self, recipe: Recipe, model: nn.Module, units: Units, context: ModelContext) -> None:
        self.recipe, self.model, self.units, self.context = recipe, model, units, context
        self.number = len(units.units)
        training = recipe.training
        self.samples = -(-training.batch_size // training.accumulate)
        self.copies = 2 + len(moments_of(training))


def _one_group(_settings: SlttSettings, case: _Case) -> list[Group]:
    return [Group(range(case.number), None)]


def _plain(settings: EllSettings, case: _Case) -> list[Group]:
    ranges = groups_of(case.number, settings.groups)
    return _with_last(ranges, [()] * (len(ranges) - 1))


def _fixed(settings: AuglocalSettings, case: _Case) -> list[Group]:
    alone = case.number - settings.depth - 1
    if alone < 1:
        found = f"depth {settings.depth} leaves none of {case.number} units a group of its own"
        raise ValueError(found)
    ranges = (*(range(unit, unit + 1) for unit in range(alone)), range(alone, case.number))
    depths = pyramid(settings.depth, settings.pyramid, alone)
    return _with_last(ranges, [uniform(unit, case.number, depth) for unit, depth in enumerate(depths)])


def _budgeted(settings: StdlSettings, case: _Case) -> list[Group]:
    ranges = groups_of(case.number, settings.groups)
    head = partial(classifier, case.units, classes=case.context.classes)
    costs = Costs(case.model, case.context.input_shape, head, case.copies)

    def price(group: range) -> Callable[[tuple[int, ...]], int]:
        own = sum((costs.own[unit] for unit in group[1:]), costs.own[group[0]])
        return lambda choice: (own + costs.chosen(group.stop - 1, choice)).of(case.samples)

    prices = [price(group) for group in ranges[:-1]]
    budget = _budget(settings, case, prices, ranges)
    select = SELECTIONS[settings.selection]
    choices = [
        select(group.stop - 1, case.number, cost, budget) for group, cost in zip(ranges[:-1], prices, strict=True)
    ]
    taken = [cost(choice) for cost, choice in zip(prices, choices, strict=True)]
    last = sum((costs.own[unit] for unit in ranges[-1]), costs.own[-1]).of(case.samples)
    return [replace(group, budget=budget) for group in _with_last(ranges, choices, [*taken, last])]


def _budget(
    settings: StdlSettings, case: _Case, prices: Sequence[Callable[[tuple[int, ...]], int]], ranges: Sequence[range]
) -> int:
    """Return the bytes that a group may take with its auxiliary network."""
    if settings.memory_bytes:
        return settings.memory_bytes
    if settings.share:
        whole = bptt_bytes(case.model, case.context.input_shape, case.context.steps, case.samples, case.copies)
        return int(settings.share * whole)
    one = [cost(uniform(group.stop - 1, case.number, 1)) for cost, group in zip(prices, ranges, strict=False)]
    return max(one, default=0)


def _with_last(
    ranges: Sequence[range], choices: Sequence[tuple[int, ...]], taken: Sequence[int] | None = None
) -> list[Group]:
    sizes = taken or [0] * len(ranges)
    return [Group(units, choice, size) for units, choice, size in zip(ranges, [*choices, None], sizes, strict=True)]


#: Options -> the groups that they make of a network.
GROUPINGS: dict[type[Any], Callable[[Any, _Case], list[Group]]] = {
    SlttSettings: _one_group,
    EllSettings: _plain,
    AuglocalSettings: _fixed,
    StdlSettings: _budgeted,
}

"""What training a recipe takes, told before any of it: shapes, parameters, multiplications and memory by layer.

Nothing is taken from tables: two samples of noise run through the network once, and what autograd keeps of them for the
backward pass is measured, so that a new kind of layer needs no entry here.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode

from neurodeploy.models.architectures import ModelContext
from neurodeploy.models.convnet import build_model
from neurodeploy.models.dataset import dataset_kind
from neurodeploy.models.optimizers import moments_of
from neurodeploy.models.recipe import Recipe
from neurodeploy.models.stdl.planning import MethodPlan, plan_method
from neurodeploy.models.tasks.rehearsal import rehearsal_of
from neurodeploy.models.watching import layers, own_parameters, watching

#: Batch normalisation needs more than one value a channel.
_SAMPLES = 2


@dataclass(frozen=True)
class LayerPlan:
    """One layer: its output's shape of one sample at one step, and what it takes.

    ``macs`` are the multiplications of one sample over all steps as a dense computation does them; ``kept_bytes`` is
    what stays for the backward pass of the samples that run at a time.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    macs: int
    kept_bytes: int


@dataclass(frozen=True)
class TrainingPlan:
    """A recipe's layers and, in bytes, the memory of one process that trains it.

    ``samples_at_once`` are those of one part of a process's share of a batch; ``input_bytes`` are theirs. Where a local
    ``method`` trains the network, layers are told as back-propagation through time would keep them, and the total as
    the method does; its auxiliary networks' weights, gradients and moments are in ``auxiliary_bytes``.
    """

    recipe: str
    processes: int
    samples_at_once: int
    layers: tuple[LayerPlan, ...]
    parameter_bytes: int
    gradient_bytes: int
    optimizer_bytes: int
    average_bytes: int
    input_bytes: int
    auxiliary_bytes: int = 0
    method: MethodPlan | None = None

    @property
    def parameters(self) -> int:
        """Trained numbers."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def macs(self) -> int:
        """Multiplications of one sample over all steps, forward."""
        return sum(layer.macs for layer in self.layers)

    @property
    def activation_bytes(self) -> int:
        """What all layers keep for the backward pass; a tensor that two of them keep counts once."""
        return sum(layer.kept_bytes for layer in self.layers)

    @property
    def kept_bytes(self) -> int:
        """What is kept at most for a backward pass by the recipe's method."""
        return self.activation_bytes if self.method is None else self.method.kept_bytes

    @property
    def total_bytes(self) -> int:
        """All of the above; buffers of the allocator and of libraries come on top."""
        fixed = self.parameter_bytes + self.gradient_bytes + self.optimizer_bytes + self.average_bytes
        return fixed + self.auxiliary_bytes + self.input_bytes + self.kept_bytes

    def at(self, samples: int) -> TrainingPlan:
        """Return the plan with ``samples`` at once."""
        factor = samples / self.samples_at_once
        layers = tuple(replace(layer, kept_bytes=round(layer.kept_bytes * factor)) for layer in self.layers)
        method = None if self.method is None else self.method.scaled(factor)
        inputs = round(self.input_bytes * factor)
        return replace(self, samples_at_once=samples, layers=layers, input_bytes=inputs, method=method)

    def as_dict(self) -> dict[str, Any]:
        """Return the plan and its sums for JSON."""
        names = ("parameters", "macs", "activation_bytes", "kept_bytes", "total_bytes")
        return asdict(self) | {name: getattr(self, name) for name in names}


def plan_training(recipe: Recipe, processes: int = 1) -> TrainingPlan:
    """Return what training ``recipe`` takes of each of ``processes``; runs two samples forward, on the CPU.

    torch's generator is left as it was. Raises :class:`neurodeploy.errors.UsageError` when the recipe makes no network,
    or its method does not fit the network.
    """
    kind = dataset_kind(recipe.data)
    shape = kind.input_shape
    with torch.random.fork_rng(devices=[]):
        model = build_model(recipe)
        rows = _measured(model, recipe, shape)
        method = plan_method(recipe, model, ModelContext(shape, kind.classes, recipe.data.steps))
    size = sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())
    settings = recipe.training
    moments = len(moments_of(settings))
    cells = recipe.data.steps * int(torch.Size(shape).numel())
    plan = TrainingPlan(
        recipe=recipe.name,
        processes=processes,
        samples_at_once=_SAMPLES,
        layers=rows,
        parameter_bytes=size,
        gradient_bytes=size,
        optimizer_bytes=moments * size,
        average_bytes=size if settings.ema else 0,
        input_bytes=4 * _SAMPLES * cells,
        auxiliary_bytes=0 if method is None else 4 * (2 + moments) * method.auxiliary_parameters,
        method=method,
    )
    return plan.at(max(1, -(-settings.batch_size // (processes * settings.accumulate))))


def _measured(model: nn.Module, recipe: Recipe, input_shape: tuple[int, ...]) -> tuple[LayerPlan, ...]:
    x = torch.randint(0, 2, (recipe.data.steps, _SAMPLES, *input_shape)).float()
    owned = {tensor.untyped_storage().data_ptr() for tensor in (x, *model.parameters(), *model.buffers())}
    kept: dict[int, Tensor] = {}
    rows: dict[str, LayerPlan] = {}
    counted = held = 0

    def keep(tensor: Tensor) -> Tensor:
        if (place := tensor.untyped_storage().data_ptr()) not in owned:
            kept[place] = tensor  # held, so that no other tensor can come to stand in its place
        return tensor

    def note(name: str, layer: nn.Module, output: Tensor) -> None:
        nonlocal counted, held
        macs, stored = counter.get_total_flops() // 2, _bytes(kept)
        shape = tuple(output.shape[1 if len(output) == len(x) * _SAMPLES else 2 :])
        before = rows.get(name)  # of a layer that runs more than once
        row = LayerPlan(
            name, type(layer).__name__, shape, own_parameters(layer), (macs - counted) // _SAMPLES, stored - held
        )
        if before is not None:
            row = replace(row, macs=row.macs + before.macs, kept_bytes=row.kept_bytes + before.kept_bytes)
        rows[name] = row
        counted, held = macs, stored

    with (
        FlopCounterMode(display=False) as counter,
        saved_tensors_hooks(keep, lambda tensor: tensor),
        torch.autocast("cpu", torch.bfloat16, enabled=recipe.training.precision == "bf16"),
    ):
        rehearse = rehearsal_of(recipe)
        with watching(model.train(), note):
            output = rehearse.forward(model, x)
        rehearse.loss(output)
    last = next(reversed(rows))
    rows[last] = replace(rows[last], kept_bytes=rows[last].kept_bytes + _bytes(kept) - held)
    return _with_silent(list(rows.values()), model)


def _with_silent(rows: list[LayerPlan], model: nn.Module) -> tuple[LayerPlan, ...]:
    """Return ``rows`` with those layers that another one computes with, and that have never run by themselves."""
    behind = rows[-1].name
    for name, layer in reversed(list(layers(model))):
        if any(row.name == name for row in rows):
            behind = name
        elif own_parameters(layer):
            place = next(index for index, row in enumerate(rows) if row.name == behind)
            rows.insert(place, LayerPlan(name, type(layer).__name__, rows[place].shape, own_parameters(layer), 0, 0))
    return tuple(rows)


def _bytes(kept: dict[int, Tensor]) -> int:
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())

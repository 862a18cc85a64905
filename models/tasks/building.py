"""The task of a recipe, made for its network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields

from torch import nn

from neurodeploy.errors import UsageError
from neurodeploy.models.dataset import dataset_kind
from neurodeploy.models.processes import Processes
from neurodeploy.models.recipe import Recipe
from neurodeploy.models.stdl.settings import BpttSettings, method_name
from neurodeploy.models.tasks.kinds import CLASSIFICATION, DETECTION, SEGMENTATION
from neurodeploy.models.tasks.task import Task

#: Settings of training that say what becomes of outputs with one class a sample.
_OF_CLASSES = ("loss", "label_smoothing", "logit_scale", "readout", "fused_norm")


def build_task(recipe: Recipe, model: nn.Module, module: nn.Module, processes: Processes) -> Task:
    """Return the task of ``recipe`` for ``model``; ``module`` is the model or what shares its gradients.

    Raises :class:`UsageError` where its method or another setting is not for this task.
    """
    kind = dataset_kind(recipe.data).task
    if kind != CLASSIFICATION:
        _check(recipe, kind)
    return _BUILDERS[kind](recipe, model, module, processes)


def _check(recipe: Recipe, kind: str) -> None:
    if not isinstance(recipe.method, BpttSettings):
        problem = f"is for classification, and {recipe.data.dataset!r} is a dataset for {kind}"
        raise UsageError(f"method ({method_name(recipe.method)})", problem, "leave out the [method] table")
    defaults = {field.name: field.default for field in fields(recipe.training)}
    for name in _OF_CLASSES:
        if (value := getattr(recipe.training, name)) != defaults[name]:
            problem = f"is {value!r}, which is for classification; {kind} has one loss of its own"
            raise UsageError(f"training.{name}", problem, "leave it out")


def _classification(recipe: Recipe, model: nn.Module, module: nn.Module, processes: Processes) -> Task:
    from neurodeploy.models.tasks.classification import Classification

    return Classification(recipe, model, module, processes)


def _segmentation(recipe: Recipe, model: nn.Module, module: nn.Module, processes: Processes) -> Task:
    from neurodeploy.models.tasks.segmentation import Segmentation

    return Segmentation(recipe, model, module, processes)


def _detection(recipe: Recipe, model: nn.Module, module: nn.Module, processes: Processes) -> Task:
    from neurodeploy.models.tasks.detection import Detection

    return Detection(recipe, model, module, processes)


_BUILDERS: dict[str, Callable[[Recipe, nn.Module, nn.Module, Processes], Task]] = {
    CLASSIFICATION: _classification,
    SEGMENTATION: _segmentation,
    DETECTION: _detection,
}

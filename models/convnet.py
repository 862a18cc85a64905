"""Spiking networks as a chain of layers, built from a recipe's list.

Stateless layers see time merged into the batch, [T * B, ...], so that each runs once over all steps; spiking layers see
[T, B, ...].
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from neurodeploy.errors import UsageError
from neurodeploy.models.architectures import MODEL_KINDS, ModelContext, ModelSettings, kind_of
from neurodeploy.models.dataset import dataset_kind
from neurodeploy.models.layers import (
    AvgPoolLayer,
    BatchNormLayer,
    ConvLayer,
    FlattenLayer,
    Layer,
    LifLayer,
    LinearLayer,
)
from neurodeploy.models.neuron import Lif
from neurodeploy.models.recipe import Recipe
from neurodeploy.models.spikes import Scaling
from neurodeploy.models.spiking.dynamics import Reset
from neurodeploy.models.stdl.units import Units
from neurodeploy.models.tasks.kinds import CLASSIFICATION

Shape = tuple[int, ...]


def _conv(spec: ConvLayer, shape: Shape) -> tuple[nn.Module, Shape]:
    channels, height, width = _map(shape)
    sides = [(side + 2 * spec.padding - spec.kernel) // spec.stride + 1 for side in (height, width)]
    if min(height, width) + 2 * spec.padding < spec.kernel:
        raise ValueError(f"its {spec.kernel} x {spec.kernel} kernel is larger than the padded {height} x {width} map")
    module = nn.Conv2d(channels, spec.channels, spec.kernel, spec.stride, spec.padding, bias=spec.bias)
    return module, (spec.channels, *sides)


def _batch_norm(spec: BatchNormLayer, shape: Shape) -> tuple[nn.Module, Shape]:
    kind = nn.BatchNorm2d if len(shape) == 3 else nn.BatchNorm1d
    return kind(shape[0], eps=spec.epsilon, momentum=spec.momentum), shape


def _lif(spec: LifLayer, shape: Shape) -> tuple[nn.Module, Shape]:
    return Lif(spec.beta, spec.threshold, cast(Reset, spec.reset), learn_beta=spec.learn_beta), shape


def _avg_pool(spec: AvgPoolLayer, shape: Shape) -> tuple[nn.Module, Shape]:
    channels, height, width = _map(shape)
    if spec.kernel > min(height, width):
        raise ValueError(f"its {spec.kernel} x {spec.kernel} window is larger than the {height} x {width} map")
    return nn.AvgPool2d(spec.kernel), (channels, height // spec.kernel, width // spec.kernel)


def _flatten(_spec: FlattenLayer, shape: Shape) -> tuple[nn.Module, Shape]:
    return nn.Flatten(), (int(np.prod(shape)),)


def _linear(spec: LinearLayer, shape: Shape) -> tuple[nn.Module, Shape]:
    if len(shape) != 1:
        raise ValueError(f"it gets a map of shape {shape}; put a flatten layer before it")
    return nn.Linear(shape[0], spec.features, bias=spec.bias), (spec.features,)


def _map(shape: Shape) -> Shape:
    if len(shape) != 3:
        raise ValueError(f"it needs a map of channels, height and width, and gets shape {shape}")
    return shape


BUILDERS: dict[type[Layer], Callable[[Any, Shape], tuple[nn.Module, Shape]]] = {
    ConvLayer: _conv,
    BatchNormLayer: _batch_norm,
    LifLayer: _lif,
    AvgPoolLayer: _avg_pool,
    FlattenLayer: _flatten,
    LinearLayer: _linear,
}


class ConvNet(nn.Module):
    """A chain of layers over a sequence of spikes.

    ``layers`` holds the torch modules in the recipe's order; ``input_shape`` and ``output_shape`` are those of one
    sample at one step. With ``fused_norm`` a batch norm and the neurons behind it are one node in training: the norm's
    output is then nobody's, and spikes are equal to rounding; evaluation does not change. Raises :class:`UsageError`
    when a layer cannot follow the one before it.
    """

    def __init__(self, specs: Sequence[Layer], input_shape: Shape, *, fused_norm: bool = False) -> None:
        super().__init__()
        self.fused_norm = fused_norm
        shape, modules = input_shape, []
        self.specs = tuple(specs)
        for index, spec in enumerate(specs):
            try:
                module, shape = BUILDERS[type(spec)](spec, shape)
            except ValueError as error:
                subject = f"layers.{index} ({type(spec).__name__})"
                raise UsageError(subject, f"cannot be built: {error}", "correct the recipe") from error
            modules.append(module)
        self.layers = nn.Sequential(*modules)
        self.input_shape, self.output_shape = input_shape, shape
        # A third off the training time on a CPU. torch's annotations lack this documented argument.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, x: Tensor) -> Tensor:
        """Return the last layer's output [T, B, ...] for spikes ``x`` [T, B, C, H, W], float32."""
        for _, output in self.trace(x):
            last = output
        return last

    @torch.no_grad()
    def record(self, x: Tensor) -> dict[str, Tensor]:
        """Return every spiking layer's spikes [T, B, ...] in evaluation mode, keyed by its index in ``layers``."""
        with evaluating(self):
            return {name: out for name, out in self.trace(x) if isinstance(self.layers[int(name)], Lif)}

    def local_units(self) -> Units:
        """Return each layer with weights and what follows it as a unit, the last one as the head."""
        from neurodeploy.models.stdl.chains import chain_units

        return chain_units(self)

    def trace(self, x: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Yield each layer's index in ``layers``, as text, and its output [T, B, ...] for ``x`` [T, B, C, H, W].

        A norm that is fused with the neurons behind it yields nothing.
        """
        time = x.shape[:2]
        x = x.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        norm: nn.Module | None = None
        for (name, layer), behind in zip(self.layers.named_children(), [*self.layers, None][1:], strict=True):
            if self.fused_norm and self.training and _is_norm(layer) and isinstance(behind, Lif):
                norm = layer
                continue
            x = layer(x.reshape(*time, *x.shape[1:]), norm).flatten(0, 1) if isinstance(layer, Lif) else layer(x)
            norm = None
            yield name, x.reshape(*time, *x.shape[1:])


def _is_norm(layer: nn.Module) -> bool:
    return isinstance(layer, nn.modules.batchnorm._BatchNorm)


def build_model(recipe: Recipe) -> nn.Module:
    """Return the untrained network of ``recipe``, its weights drawn from torch's generator.

    It takes float32 [T, B, C, H, W] and returns [T, B, classes]: a :class:`ConvNet` for a recipe of layers, else what
    the architecture of its ``[model]`` makes. Raises :class:`UsageError` when its layers do not fit together, or its
    output does not fit the dataset's task or classes.
    """
    kind = dataset_kind(recipe.data)
    check_task(recipe)
    if recipe.model is not None:
        return _architecture(recipe.model, ModelContext(kind.input_shape, kind.classes, recipe.data.steps))
    model = ConvNet(recipe.layers, kind.input_shape, fused_norm=recipe.training.fused_norm)
    last = f"layers.{len(recipe.layers) - 1}"
    if not isinstance(recipe.layers[-1], LifLayer):
        raise UsageError(last, "is not a spiking layer", "end the recipe with a lif layer: its spikes are the answer")
    if model.output_shape != (kind.classes,):
        found = f"has output shape {model.output_shape}, the dataset {recipe.data.dataset!r} has {kind.classes} classes"
        raise UsageError(last, found, f"end with a linear layer of {kind.classes} features and a lif layer")
    return model


def check_task(recipe: Recipe) -> None:
    """Raise :class:`UsageError` unless network and dataset of ``recipe`` are for the same task."""
    task = dataset_kind(recipe.data).task
    name = None if recipe.model is None else kind_of(recipe.model)
    own = CLASSIFICATION if name is None else MODEL_KINDS[name].task
    if own != task:
        fitting = [kind for kind, model in MODEL_KINDS.items() if model.task == task]
        subject, problem = "layers" if name is None else f"model ({name})", f"is for {own}, not {task}"
        advice = f"for the dataset {recipe.data.dataset!r} take [model] kind = {' or '.join(map(repr, fitting))}"
        raise UsageError(subject, problem, advice)


def _architecture(settings: ModelSettings, context: ModelContext) -> nn.Module:
    name = kind_of(settings)
    try:
        model = MODEL_KINDS[name].build(settings, context)
    except ValueError as error:
        raise UsageError(f"model ({name})", f"cannot be built: {error}", "correct the recipe") from error
    return model.to(memory_format=torch.channels_last)  # type: ignore[no-any-return, call-overload]


def as_input(values: npt.NDArray[Any], scaling: Scaling | None = None, device: torch.device | None = None) -> Tensor:
    """Return values [samples, steps, ...] of a file or dataset as a network's input, float32 [steps, samples, ...].

    They travel to ``device``, by default the CPU, as they are; there they become floats, scaled as ``scaling`` says.
    """
    x = torch.from_numpy(np.require(values, requirements="W")).to(device or "cpu").transpose(0, 1).float()
    if scaling is None:
        return x
    mean, std = (x.new_tensor(numbers).reshape(-1, 1, 1) for numbers in (scaling.mean, scaling.std))
    return (x / 255.0 - mean) / std


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put ``model`` in evaluation mode for the length of a block, then back as it was."""
    before = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(before)

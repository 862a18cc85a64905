"""Auxiliary networks: fresh copies of later units, and a linear classifier that does not spike.

They are spiking networks with the main network's neurons, used in training alone.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from neurodeploy.models.spiking.merged import merged
from neurodeploy.models.stdl.memory import made_again
from neurodeploy.models.stdl.units import Shape, Units

#: Up to this depth the classifier normalises what it gets (AugLocal).
_NORMALISED = 1


class Classifier(nn.Module):
    """Neurons where the input is potentials, the mean over places, one linear layer: a number for each class."""

    def __init__(
        self, shape: Shape, classes: int, neuron: Callable[[], nn.Module] | None = None, *, normalised: bool = False
    ) -> None:
        super().__init__()
        self.neurons = neuron() if neuron is not None else nn.Identity()
        self.norm = _Norm(shape[0]) if normalised else nn.Identity()
        self.linear = nn.Linear(shape[0], classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the answers [T, B, classes] for ``x`` [T, B, C, H, W] or [T, B, C]."""
        spikes = self.neurons(x)
        features = spikes.mean((-2, -1)) if spikes.ndim > 3 else spikes
        answers: Tensor = self.linear(merged(self.norm, features))
        return answers


class _Norm(nn.BatchNorm1d):
    """A batch norm that takes its running statistics for a batch of one, which has none of its own."""

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x`` [B, C] normalised."""
        if self.training and len(x) == 1:
            return nn.functional.batch_norm(
                x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        return super().forward(x)


class Auxiliary(nn.Module):
    """The auxiliary network behind unit ``end``: the units ``choice`` made once more, and a classifier."""

    def __init__(
        self, units: Units, shapes: tuple[Shape, ...], end: int, choice: tuple[int, ...], classes: int
    ) -> None:
        super().__init__()
        self.units, shape = nn.ModuleList(), shapes[end]
        for unit in choice:
            self.units.append(made_again(units.units[unit], shape, shapes[unit]))
            shape = shapes[unit]
        self.classifier = classifier(units, shape, len(choice), classes)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def features(self, x: Tensor) -> Tensor:
        """Return the last unit's output."""
        for unit in self.units:
            x = unit(x)
        return x

    def forward(self, x: Tensor) -> Tensor:
        """Return the answers [T, B, classes] for the group's output ``x``."""
        answers: Tensor = self.classifier(self.features(x))
        return answers


def classifier(units: Units, shape: Shape, depth: int, classes: int) -> Classifier:
    """Return the classifier of an auxiliary network of ``depth`` units that end with ``shape``."""
    return Classifier(shape, classes, units.neuron, normalised=depth <= _NORMALISED)

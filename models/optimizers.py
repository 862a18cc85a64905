"""The optimizers that a recipe may name, and their state by the names of the parameters that it belongs to.

Matrices and kernels decay, vectors do not: decaying biases and the scales of norms only hurts. With ``adam``, ``nadam``
and ``sgd`` the decay is a part of the gradient, with ``adamw`` it is apart from it (Loshchilov and Hutter, 2019).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from neurodeploy.models.checkpoint import check_tensors
from neurodeploy.models.recipe import TrainingSettings

Groups = list[dict[str, Any]]

_ADAM = ("exp_avg", "exp_avg_sq")


@dataclass(frozen=True)
class OptimizerKind:
    """One optimizer: what makes it, and what it remembers of a parameter.

    ``moments`` have the parameter's shape and begin at 0, ``scalars`` are 0-dimensional float32 and begin as they say.
    """

    make: Callable[[Groups, TrainingSettings], torch.optim.Optimizer]
    moments: tuple[str, ...]
    scalars: Mapping[str, float] = field(default_factory=dict)


def _sgd(groups: Groups, settings: TrainingSettings) -> torch.optim.Optimizer:
    return torch.optim.SGD(groups, momentum=settings.momentum, nesterov=settings.nesterov, foreach=False)


def _nadam(groups: Groups, settings: TrainingSettings) -> torch.optim.Optimizer:
    return torch.optim.NAdam(groups, momentum_decay=settings.momentum_decay, foreach=False)


#: One tensor at a time: each step then has the same bits however a library groups them.
OPTIMIZERS: dict[str, OptimizerKind] = {
    "adamw": OptimizerKind(lambda groups, _: torch.optim.AdamW(groups, foreach=False), _ADAM, {"step": 0.0}),
    "adam": OptimizerKind(lambda groups, _: torch.optim.Adam(groups, foreach=False), _ADAM, {"step": 0.0}),
    "nadam": OptimizerKind(_nadam, _ADAM, {"step": 0.0, "mu_product": 1.0}),
    "sgd": OptimizerKind(_sgd, ("momentum_buffer",)),
}


def moments_of(settings: TrainingSettings) -> tuple[str, ...]:
    """Return what the optimizer of ``settings`` remembers in the shape of each parameter."""
    without = settings.optimizer == "sgd" and not settings.momentum
    return () if without else OPTIMIZERS[settings.optimizer].moments


class NamedOptimizer:
    """The optimizer of ``settings`` over ``parameters``, which are known by their names.

    Those whose names begin with one of ``heads`` learn at the settings' ``head_rate``.
    """

    def __init__(
        self, parameters: Mapping[str, nn.Parameter], settings: TrainingSettings, heads: tuple[str, ...] = ()
    ) -> None:
        self._parameters, self._clip = dict(parameters), settings.clip_norm
        self._moments, self._scalars = moments_of(settings), OPTIMIZERS[settings.optimizer].scalars
        kinds: dict[tuple[float, float], list[nn.Parameter]] = {}
        for name, p in self._parameters.items():
            decay = settings.weight_decay if p.ndim > 1 else 0.0
            kinds.setdefault((settings.head_rate if name.startswith(heads) else 1.0, decay), []).append(p)
        groups = [
            {"params": some, "weight_decay": decay, "lr": settings.learning_rate * factor, "factor": factor}
            for (factor, decay), some in kinds.items()
        ]
        self._optimizer = OPTIMIZERS[settings.optimizer].make(groups, settings)

    def zero_grad(self) -> None:
        """Forget the gradients."""
        self._optimizer.zero_grad()

    def step(self, rate: float) -> None:
        """Take one step of the learning rate ``rate``, along gradients whose common norm is clipped if so settled."""
        if self._clip:
            nn.utils.clip_grad_norm_(self._parameters.values(), self._clip, foreach=False)
        for group in self._optimizer.param_groups:
            group["lr"] = rate * group["factor"]
        self._optimizer.step()

    def state(self) -> dict[str, Tensor]:
        """Return what is remembered, as ``<parameter>/<quantity>``; the living tensors, not copies.

        Of a parameter that has never had a gradient that is what it would begin with.
        """
        found: dict[str, Tensor] = {}
        for name, parameter in self._parameters.items():
            state = self._optimizer.state[parameter]
            found |= {f"{name}/{key}": state.get(key, torch.zeros_like(parameter)) for key in self._moments}
            found |= {f"{name}/{key}": state.get(key, torch.tensor(start)) for key, start in self._scalars.items()}
        return found

    def check(self, found: Mapping[str, Tensor], file: str) -> None:
        """Raise :class:`neurodeploy.errors.InputError`, naming ``file``, unless ``found`` is a :meth:`state`."""
        expected = {f"{name}/{key}": p for name, p in self._parameters.items() for key in self._moments}
        scalar = torch.zeros(())
        check_tensors(
            found, expected | {f"{name}/{key}": scalar for name in self._parameters for key in self._scalars}, file
        )

    def restore(self, values: Mapping[str, Tensor]) -> None:
        """Go on from ``values``, which :meth:`check` let pass."""
        for name, parameter in self._parameters.items():
            state = self._optimizer.state[parameter]
            # A copy into the parameter's own memory layout: what runs over it must not run differently.
            state |= {key: torch.empty_like(parameter).copy_(values[f"{name}/{key}"]) for key in self._moments}
            state |= {key: values[f"{name}/{key}"].clone() for key in self._scalars}

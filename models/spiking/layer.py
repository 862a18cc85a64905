"""Spiking neurons as torch modules: whole sequences, or one step at a time with the same bits."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from neurodeploy.errors import UsageError
from neurodeploy.models.spiking import device, reference
from neurodeploy.models.spiking.dynamics import Dynamics, non_stateful
from neurodeploy.models.spiking.sequence import sequence
from neurodeploy.models.spiking.streaming import Carrying
from neurodeploy.models.tables import nearest


class SpikingNeuron(Carrying):
    """A population of neurons of one model with fixed constants; it has no parameters and no entry in a state dict.

    ``stateful`` may be switched at any time: without it every step starts from an empty membrane.
    """

    def __init__(self, dynamics: Dynamics, *, stateful: bool = True) -> None:
        super().__init__()
        self._dynamics = dynamics
        self.stateful = stateful and dynamics.stateful

    @property
    def dynamics(self) -> Dynamics:
        """The model as it now runs."""
        return self._dynamics if self.stateful else non_stateful(self._dynamics)

    def forward(self, x: Tensor, v: Tensor | None = None) -> Tensor:
        """Return the spikes [T, B, ...] for input ``x`` [T, B, ...], from potential 0 or ``v`` [B, ...]."""
        start = self.carried if v is None else v
        spikes, last = sequence(self.dynamics, x, start, *self._constants(x))
        self.carry(last)
        return spikes

    def step(self, x: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Return spikes and potential after one step of input ``x`` [B, ...] from potential ``v`` [B, ...].

        Spikes equal those of :meth:`forward` bit for bit, and so do gradients but for the order of sums.
        """
        return reference.step(self.dynamics, x, v, *self._constants(x))

    def _constants(self, x: Tensor) -> tuple[Tensor, Tensor]:
        dynamics = self.dynamics
        dtype = torch.promote_types(x.dtype, torch.float32)  # half precision is that of storage alone
        return torch.tensor(dynamics.factor, dtype=dtype), torch.tensor(dynamics.threshold, dtype=dtype)

    def extra_repr(self) -> str:
        """Return the model for ``repr``."""
        return repr(self.dynamics)


def set_stateful(model: nn.Module, stages: Collection[str] | None, flag: bool) -> int:
    """Switch the neurons in ``stages`` of ``model`` to remember their potential, or not to; return how many there are.

    ``stages`` are names in ``model.stages``, or None for the whole of any model. Neither keys of the state dict nor
    numbers of parameters change. Neurons that never remember stay as they are. Raises :class:`UsageError` where the
    model has no such stage.
    """
    parts = (model,) if stages is None else [_stage(model, name) for name in stages]
    neurons = [module for part in parts for module in part.modules() if isinstance(module, SpikingNeuron)]
    for neuron in neurons:
        neuron.stateful = flag and neuron._dynamics.stateful
    return len(neurons)


def _stage(model: nn.Module, name: str) -> nn.Module:
    known: Mapping[str, nn.Module] = getattr(model, "stages", {})
    if name not in known:
        raise UsageError(f"stage {name!r}", f"is none of this {type(model).__name__}", nearest(name, known))
    return known[name]


#: Integers below it are rounded to by one kernel on a GPU.
_LARGEST = 1 << 22


class _MultiSpike(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, most: float, norm: float) -> Tensor:
        ctx.save_for_backward((x >= 0) & (x <= most))
        ctx.norm = norm
        return torch.round(x.clamp(0, most)) / norm

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (inside,) = ctx.saved_tensors
        return grad * inside / ctx.norm, None, None


class MultiSpike(nn.Module):
    """Integer neurons without memory (I-LIF): ``round(clamp(x, 0, D)) / norm``, half to even.

    On a chip the integer d stands for d binary spikes over D virtual steps. The gradient is ``1 / norm`` where
    0 <= x <= D, both ends included, and 0 elsewhere; training and evaluation do the same. ``norm`` is D by default.
    """

    def __init__(self, most: int, norm: float | None = None) -> None:
        super().__init__()
        if most < 1 or (norm is not None and norm <= 0):
            raise ValueError(f"most {most} and norm {norm} are not above 0")
        self.most, self.norm = most, float(most if norm is None else norm)

    def forward(self, x: Tensor) -> Tensor:
        """Return the spikes, of the shape of ``x``."""
        if x.ndim and self.most < _LARGEST and device.takes(x):
            return device.rounded(x, self.most, self.norm)
        result: Tensor = _MultiSpike.apply(x, float(self.most), self.norm)  # type: ignore[no-untyped-call]
        return result

    def extra_repr(self) -> str:
        """Return the constants for ``repr``."""
        return f"most={self.most}, norm={self.norm:g}"

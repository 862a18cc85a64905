"""Time axes of sinabs: a copy of a network that computes one step, and the original on whole sequences."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

import sinabs.layers as sl
import torch
from sinabs.layers.stateful_layer import StatefulLayer
from torch import Tensor, nn

from neurodeploy.export.live import Answers
from neurodeploy.export.sequence import Run, copy_of, record_sequence, tensors_of
from neurodeploy.export.stepping import Given


class OneStep(nn.Module):
    """A layer that wants a time axis, on one step without one: ``[samples, *shape]`` in and out."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Any:
        """Return what the layer answers in one step."""
        return self.layer(x.unsqueeze(1)).squeeze(1)


def with_state(module: nn.Module) -> nn.Module:
    """Return a copy in its first state that computes one step; a single layer becomes a network of one."""
    whole = _fresh(module)
    for part in whole.modules():
        if isinstance(part, sl.SqueezeMixin):
            part.batch_size, part.num_timesteps = -1, 1
    return _by_step(whole).eval()


def over_time(module: nn.Module) -> Run:
    """Return what runs the network on whole sequences, in the layout that its layers take."""

    def run(inputs: Given, neurons: Mapping[str, str], _readouts: frozenset[str]) -> Answers:
        given = tensors_of(inputs)
        samples, steps = given[0].shape[:2]
        whole = _fresh(module).eval()
        for part in whole.modules():
            if isinstance(part, sl.SqueezeMixin):
                part.batch_size, part.num_timesteps = samples, -1
            elif isinstance(part, sl.UnflattenTime):
                part.batch_size = samples

        def arrange(part: nn.Module, answers: list[Tensor]) -> Tensor:
            (answer,) = answers
            return answer.reshape(samples, steps, *answer.shape[1:]) if isinstance(part, sl.SqueezeMixin) else answer

        x = given if _has_time_axis(whole) else tuple(each.flatten(0, 1) for each in given)
        return record_sequence(whole, x, neurons, arrange)

    return run


def _has_time_axis(module: nn.Module) -> bool:
    """Return whether the network takes ``[samples, steps, *shape]``: some layer of it is not squeezed, or flattens."""
    parts = list(module.modules())
    layers = [part for part in parts if isinstance(part, StatefulLayer)]
    loose = any(not isinstance(part, sl.SqueezeMixin) for part in layers)
    return loose or any(isinstance(part, sl.FlattenTime | sl.Repeat) for part in parts)


def _fresh(module: nn.Module) -> nn.Module:
    """Return a copy without any state, in which every layer has a name."""
    copied = _copy(module)
    whole = nn.Sequential(copied) if isinstance(copied, StatefulLayer) else copied
    for part in whole.modules():
        if isinstance(part, StatefulLayer):
            for name, buffer in list(part.named_buffers(recurse=False)):
                part.register_buffer(name, torch.zeros(0, device=buffer.device))
    return whole


def _copy(module: nn.Module) -> nn.Module:
    """Return a deep copy; sinabs 3.1.3 itself fails to copy a recurrent layer, by the names of its parameters."""
    memo: dict[int, Any] = {}
    layers = [part for part in module.modules() if isinstance(part, StatefulLayer)]
    for layer in layers:
        memo[id(layer)] = object.__new__(type(layer))
    whole = copy_of(module, memo)
    for layer in layers:
        memo[id(layer)].__dict__.update(deepcopy(layer.__dict__, memo))
    return whole


def _by_step(module: Any) -> nn.Module:
    """Return the module, in which every layer that wants a time axis does without; children keep their names."""
    for name, part in list(module.named_children()):
        setattr(module, name, _by_step(part))
    if isinstance(module, StatefulLayer) and not isinstance(module, sl.SqueezeMixin):
        return OneStep(module)
    if type(module) in _WITHOUT_TIME:
        return _WITHOUT_TIME[type(module)](module)
    kept: nn.Module = module
    return kept


#: Modules that only move the time axis -> what is left of them in one step.
_WITHOUT_TIME: Mapping[type, Callable[[Any], nn.Module]] = {
    sl.FlattenTime: lambda _module: nn.Identity(),
    sl.UnflattenTime: lambda _module: nn.Identity(),
    sl.Repeat: lambda repeat: repeat.module,
}

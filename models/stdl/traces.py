"""Traces of spikes in place of gradients through time (OTTT: Xiao et al., 2022; e-prop without its reset).

For the gradient of a layer's weights at a step, its input s[t] is replaced by a[t] = decay a[t-1] + s[t], with the
decay of the neurons that it feeds; what the layer computes stays the same to the bit. It is exact for one layer of
neurons that do not fire, and takes the same memory for any number of steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from neurodeploy.models.neuron import Lif
from neurodeploy.models.spiking.layer import SpikingNeuron
from neurodeploy.models.spiking.normalized import NormalizedNeuron
from neurodeploy.models.stdl.units import in_evaluation

Decay = Callable[[], float]
_LAYERS = (nn.Conv2d, nn.Linear)
_NEURONS = (Lif, SpikingNeuron, NormalizedNeuron)


def no_decay() -> float:
    """Return the decay of a layer whose output nothing remembers."""
    return 0.0


@torch.no_grad()
def decays(model: nn.Module, x: Tensor) -> dict[nn.Module, Decay]:
    """Return the decay of the neurons behind each convolution and linear layer of ``model``.

    Those are the ones that run next after the layer on the input ``x``; a read-out that no neurons follow has none.
    """
    found: dict[nn.Module, Decay] = {}
    waiting: list[nn.Module] = []

    def note(module: nn.Module, _inputs: Any, _output: Any) -> None:
        if isinstance(module, _LAYERS):
            waiting.append(module)
            found[module] = no_decay
            return
        for layer in waiting:
            found[layer] = _decay_of(module)
        waiting.clear()

    with ExitStack() as hooks, in_evaluation(model):
        for module in model.modules():
            if isinstance(module, (*_LAYERS, *_NEURONS)):
                hooks.callback(module.register_forward_hook(note).remove)
        model(x)
    return found


@contextmanager
def tracing(layers: Mapping[nn.Module, Decay]) -> Iterator[None]:
    """Let the weights of ``layers`` learn from traces in the block, which begin with its first step."""
    try:
        for layer, decay in layers.items():
            layer.forward = _traced(layer, decay)
        yield
    finally:
        for layer in layers:
            layer.__dict__.pop("forward", None)


def _traced(layer: nn.Module, decay: Decay) -> Callable[[Tensor], Tensor]:
    assert isinstance(layer, _LAYERS)
    trace: Tensor | None = None
    ones = 0.0

    def forward(x: Tensor) -> Tensor:
        nonlocal trace, ones
        past = decay()
        trace = x.detach() if trace is None else trace * past + x.detach()
        ones = ones * past + 1.0
        bias = layer.bias
        y = _run(layer, x, layer.weight.detach(), None if bias is None else bias.detach())
        learned = _run(layer, trace, layer.weight, None if bias is None else bias * ones)
        return y + (learned - learned.detach())

    return forward


def _run(layer: nn.Module, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    if isinstance(layer, nn.Conv2d):
        convolved: Tensor = layer._conv_forward(x, weight, bias)
        return convolved
    return functional.linear(x, weight, bias)


def _decay_of(neurons: nn.Module) -> Decay:
    if isinstance(neurons, Lif):
        return lambda: float(neurons.beta.detach())
    dynamics = neurons.dynamics
    assert not isinstance(dynamics, Tensor | nn.Module)
    factor = dynamics.factor
    value = {"decay": factor, "mean": 1.0 - 1.0 / factor if factor else 0.0, "memoryless": 0.0}[dynamics.charge]
    return lambda: value

"""Step modes of SpikingJelly: a copy that computes one step, and the original on whole sequences.

In step mode ``m`` a network takes ``[steps, samples, *shape]``; single layers may still be in step mode ``s`` inside a
container that calls them once a step. Both modes compute the same numbers.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import torch
from spikingjelly.activation_based import base, functional, layer, neuron
from torch import Tensor, nn

from neurodeploy.errors import Unsupported
from neurodeploy.export.live import Answers
from neurodeploy.export.sequence import Run, copy_of, record_sequence, tensors_of
from neurodeploy.export.stepping import Given


class ReadOut(nn.Module):
    """One step of a neuron that never fires and whose membrane is its answer; its tau is None without a leak."""

    def __init__(self, tau: float | None) -> None:
        super().__init__()
        self.tau = tau

    def forward(self, x: Tensor) -> Tensor:
        """Return the membrane after the first step, which starts at 0."""
        return x if self.tau is None else x / self.tau


def with_state(module: nn.Module) -> nn.Module:
    """Return a copy in its first state that computes one step; a single neuron becomes a network of one layer.

    Raises
    ------
    Unsupported : a container that takes time as its last axis.
    """
    whole = _named(module)
    functional.reset_net(whole)
    return _by_step(whole, "").eval()


def over_time(module: nn.Module) -> Run | None:
    """Return what runs the module on whole sequences, or None where its forward computes one step."""
    if not any(_takes_time(part) for part in module.modules()):
        return None

    def run(inputs: Given, neurons: Mapping[str, str], readouts: frozenset[str]) -> Answers:
        whole = _named(module).eval()
        functional.reset_net(whole)
        parts: dict[str, Any] = dict(whole.named_modules())
        membranes = [parts[neurons[name]] for name in readouts]
        for part in membranes:
            part.store_v_seq = True
        for part in whole.modules():
            if isinstance(part, neuron.NonSpikingLIFNode | neuron.NonSpikingIFNode):
                part.decode = None  # answer with every membrane, not with what becomes of them

        def arrange(part: Any, answers: list[Tensor]) -> Tensor:
            if any(part is each for each in membranes):
                membrane: Tensor = part.v_seq
                return membrane.transpose(0, 1)
            steps = torch.cat(answers) if _takes_time(part) else torch.stack(answers)
            return steps.transpose(0, 1)

        x = tuple(each.transpose(0, 1) for each in tensors_of(inputs))
        return record_sequence(whole, x, neurons, arrange)

    return run


def _named(module: nn.Module) -> nn.Module:
    """Return a copy in which every neuron has a name."""
    copied = copy_of(module)
    alone = isinstance(module, base.MemoryModule | neuron.NonSpikingBaseNode)
    return nn.Sequential(copied) if alone else copied


def _takes_time(module: nn.Module) -> bool:
    if isinstance(module, base.MultiStepModule):
        return True
    return isinstance(module, base.StepModule) and getattr(module, "step_mode", "s") == "m"


def _by_step(module: Any, name: str) -> nn.Module:
    """Return the module in step mode ``s``; its children keep their names."""
    if isinstance(module, layer.TLastMultiStepContainer | layer.TLastSeqToANNContainer):
        raise Unsupported(name, "takes time as its last axis", "use SeqToANNContainer or MultiStepContainer")
    if isinstance(module, base.StepModule) and "s" in module.supported_step_mode():
        module.step_mode = "s"
    for child, part in list(module.named_children()):
        setattr(module, child, _by_step(part, f"{name}.{child}" if name else child))
    single: nn.Module = _SINGLE.get(type(module), _as_it_is)(module)
    return single


def _as_it_is(module: nn.Module) -> nn.Module:
    return module


def _sequential(container: nn.Sequential) -> nn.Module:
    return nn.Sequential(OrderedDict(container.named_children()))


def _plain_norm(kind: Callable[..., nn.Module]) -> Callable[[Any], nn.Module]:
    """Return what makes a batch normalisation over sequences one of single steps, with the same parameters."""

    def convert(norm: Any) -> nn.Module:
        plain = kind(norm.num_features, eps=norm.eps)
        plain.load_state_dict(norm.state_dict())
        return plain

    return convert


def require_one_scale(norm: Any, name: str) -> float:
    """Return the factor that a TemporalEffectiveBatchNorm has for all steps.

    Raises
    ------
    Unsupported : its steps have factors of their own.
    """
    scale = norm.scale.detach()
    low, high = float(scale.min()), float(scale.max())
    if low != high:
        problem = f"scales every step by a factor of its own, {low:g} to {high:g}"
        raise Unsupported(name, problem, "a chip's weights are those of every step: use ThresholdDependentBatchNorm")
    return high


def _effective_norm(kind: Callable[..., nn.Module]) -> Callable[[Any], nn.Module]:
    """Return what makes a normalisation with one factor for all steps a plain one of single steps."""

    def convert(norm: Any) -> nn.Module:
        plain: Any = kind(norm.num_features, eps=norm.eps)
        scale = require_one_scale(norm, type(norm).__name__)
        state = {name: value for name, value in norm.state_dict().items() if name != "scale"}
        state |= {name: scale * state.get(name, torch.tensor(float(name == "weight"))) for name in ("weight", "bias")}
        plain.load_state_dict({name: value.expand_as(plain.state_dict()[name]) for name, value in state.items()})
        return plain  # type: ignore[no-any-return]

    return convert


#: Modules that know sequences only -> the module that computes one step of them.
_SINGLE: Mapping[type, Callable[[Any], nn.Module]] = {
    layer.SeqToANNContainer: _sequential,
    layer.MultiStepContainer: _sequential,
    neuron.NonSpikingLIFNode: lambda node: ReadOut(float(node.tau)),
    neuron.NonSpikingIFNode: lambda _node: ReadOut(None),
    layer.ThresholdDependentBatchNorm1d: _plain_norm(nn.BatchNorm1d),
    layer.ThresholdDependentBatchNorm2d: _plain_norm(nn.BatchNorm2d),
    layer.TemporalEffectiveBatchNorm1d: _effective_norm(nn.BatchNorm1d),
    layer.TemporalEffectiveBatchNorm2d: _effective_norm(nn.BatchNorm2d),
}

"""SpikingJelly neurons and layers as nodes: IF, LIF, ParametricLIF, CUBALIF and their containers, exact to the step.

SpikingJelly counts in steps: ``v' = v - (v - v_reset) / tau + gain x`` with the gain ``1 / tau`` where the input decays
(``decay_input``) and 1 where it does not, a spike where ``v' >= v_threshold``, and then ``v_reset``, from which a
membrane also starts; with ``v_reset=None`` the leak goes to 0 and the reset subtracts. With a step of ``dt`` seconds
the membrane has ``tau_mem = tau dt``. Behaviour as in the sources of SpikingJelly 2.0.0 (``activation_based``:
``functional/neuron.py``, ``neuron/*.py``, ``layer/container.py``).

A network in step mode ``m`` takes whole sequences. It is read from a copy in step mode ``s``, and proved on the
original; :mod:`neurodeploy.export.spikingjelly_time` does both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from spikingjelly.activation_based import base, layer, neuron
from torch import nn

from neurodeploy.errors import Unsupported
from neurodeploy.export.fragment import Fragment, Reader
from neurodeploy.export.parameters import Vector, per_neuron
from neurodeploy.export.spikingjelly_time import ReadOut, over_time, require_one_scale, with_state
from neurodeploy.export.step_norms import require_equal
from neurodeploy.export.torch_layers import LAYERS, optional, values
from neurodeploy.graph import Delay, Linear, Neuron, Scale, Shape, frozen_array
from neurodeploy.semantics import Semantics

__all__ = ["BASES", "DEFAULT_DT", "NEURONS", "over_time", "refuse_options", "with_state"]

#: Seconds of a step in SpikingJelly's own NIR export.
DEFAULT_DT = 1e-4

#: What a subclass must leave alone to be the neuron it derives from; ``forward`` only leads to one of these.
_STEP = (
    *("forward", "single_step_forward", "multi_step_forward", "materialize_states"),
    *("single_step_functional_forward", "multi_step_functional_forward"),
    *("neuronal_charge", "neuronal_fire", "neuronal_reset"),
)

#: Membranes below, at and above the threshold, and what a Heaviside step answers to their distance from it.
_PROBE, _HEAVISIDE = (-1.0, -1e-6, 0.0, 1e-6, 1.0), (0.0, 0.0, 1.0, 1.0, 1.0)


def _if(module: Any, name: str, shape: Shape, dt: float) -> Neuron:
    """``v' = v + x``; r is 1 / dt, for an integrator in NIR adds ``r x dt``."""
    return _neuron(module, name, shape, r=frozen_array(1.0 / dt))


def _half_threshold(module: Any, name: str, shape: Shape, dt: float) -> Neuron:
    """Like IF with a reset by subtraction, from half of the threshold on."""
    start = frozen_array(float(module.v_threshold) / 2)
    plain = _if(module, name, shape, dt)
    return replace(plain, v_reset=start, semantics=replace(plain.semantics, v_init="v_reset"))


def _lif(module: Any, name: str, shape: Shape, dt: float) -> Neuron:
    return _leaky(module, name, shape, dt, per_neuron(float(module.tau), name, "tau", shape))


def _parametric(module: Any, name: str, shape: Shape, dt: float) -> Neuron:
    weight = per_neuron(module.w, name, "w", shape)
    return _leaky(module, name, shape, dt, 1.0 + np.exp(-weight))  # the reciprocal of sigmoid(w)


def _leaky(module: Any, name: str, shape: Shape, dt: float, tau: Vector) -> Neuron:
    if not (np.isfinite(tau) & (tau >= 1)).all():
        raise Unsupported(name, f"has a tau of {float(np.max(tau)):g} steps", "a leaky membrane needs a finite tau")
    r = np.ones_like(tau) if module.decay_input else tau
    rest = frozen_array(0.0 if module.v_reset is None else float(module.v_reset))
    return _neuron(module, name, shape, r=frozen_array(r), tau_mem=frozen_array(tau * dt), v_leak=rest)


def _cuba(module: Any, name: str, shape: Shape, dt: float) -> Neuron:
    """``c' = c_decay c + x``, ``v' = v_decay v + c'``: both gains are 1, and the leak goes to 0 whatever v_reset."""
    constants: dict[str, Any] = {}
    for option, gain, tau in (("c_decay", "w_in", "tau_syn"), ("v_decay", "r", "tau_mem")):
        decay = float(getattr(module, option))
        if not 0 <= decay < 1:
            raise Unsupported(
                name, f"{option} is {decay:g}", "a synaptic current and its membrane decay by 0 to below 1"
            )
        constants |= {tau: frozen_array(dt / (1 - decay)), gain: frozen_array(1 / (1 - decay))}
    return _neuron(module, name, shape, **constants, v_leak=frozen_array(0.0))


def _neuron(module: Any, name: str, shape: Shape, **membrane: Any) -> Neuron:
    """Return a node that fires at or above the threshold and resets as SpikingJelly does.

    A threshold of infinity is SpikingJelly's way to a read-out: the membrane is the answer and never resets.
    """
    threshold, value = per_neuron(module.v_threshold, name, "v_threshold", shape), module.v_reset
    if not np.isfinite(threshold).all():
        if value:
            raise Unsupported(name, f"never fires and starts at v_reset={value:g}", "build it with v_reset=0.0")
        semantics = Semantics(reset="none", fire=">=", if_gain="r*dt")
        return Neuron(shape=shape, semantics=semantics, threshold=threshold, **membrane)
    if value is None:
        semantics = Semantics(reset="subtract", fire=">=", if_gain="r*dt")
        return Neuron(shape=shape, semantics=semantics, threshold=threshold, **membrane)
    from_reset = not isinstance(module, neuron.SimpleBaseNode)  # the simple nodes start at 0 whatever v_reset
    semantics = Semantics(reset="value", fire=">=", if_gain="r*dt", v_init="v_reset" if from_reset else "zero")
    return Neuron(shape=shape, semantics=semantics, threshold=threshold, v_reset=frozen_array(float(value)), **membrane)


#: Neuron class -> its node.
_NODES: Mapping[type, Callable[[Any, str, Shape, float], Neuron]] = {
    neuron.IFNode: _if,
    neuron.SimpleIFNode: _if,
    neuron.HalfThresholdIFNode: _half_threshold,
    neuron.LIFNode: _lif,
    neuron.SimpleLIFNode: _lif,
    neuron.ParametricLIFNode: _parametric,
    neuron.CUBALIFNode: _cuba,
}


def _read_neuron(module: Any, name: str, shape: Shape, dt: float) -> Fragment:
    kind = next(each for each in type(module).__mro__ if each in _NODES)
    for step in _STEP:
        if getattr(type(module), step, None) is not getattr(kind, step, None):
            raise Unsupported(
                name, f"is a {type(module).__name__}, which changes {step} of {kind.__name__}", f"use {kind.__name__}"
            )
    refuse_options(module, name)
    return Fragment(_NODES[kind](module, name, shape, dt))


def refuse_options(module: Any, name: str) -> None:
    """Raise :class:`Unsupported` for neurons that do not answer with spikes, or compute in another precision.

    Also for a normalisation that scales every step by a factor of its own, and for neurons that cannot be stepped.
    """
    if isinstance(module, _EFFECTIVE):
        require_one_scale(module, name)
    if isinstance(module, neuron.PSN):
        raise Unsupported(
            name,
            "is a PSN, in which every step reads all others, later ones too",
            "train with IFNode, LIFNode or CUBALIFNode",
        )
    if not any(kind in _NODES for kind in type(module).__mro__):
        return  # refused by its class once it runs
    with torch.no_grad():
        answer = module.surrogate_function(torch.tensor(_PROBE))
    if tuple(answer.tolist()) != _HEAVISIDE:
        raise Unsupported(
            name, "its surrogate function answers with values between 0 and 1", "set surrogate_function.spiking to True"
        )
    if getattr(module, "_neuron_precision", None) is not None:
        raise Unsupported(name, "computes in a precision of its own", "export the float32 network and quantize it here")


def _elementwise_feedback(module: Any, name: str, shape: Shape, dt: float) -> Fragment:
    """Return the neuron of an ElementWiseRecurrentContainer that adds its last spikes to its input."""
    given = torch.randn(2, 2, *shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        joined = module.element_wise_function(given[0], given[1])
    if not isinstance(joined, torch.Tensor) or not torch.equal(joined, given[0] + given[1]):
        raise Unsupported(
            name, "joins its last spikes with its input by another operation than a sum", "use lambda y, x: y + x"
        )
    return replace(_inner(module, name, shape, dt), recurrent=Scale(frozen_array(1.0)))


def _linear_feedback(module: Any, name: str, shape: Shape, dt: float) -> Fragment:
    """Return the neuron of a LinearRecurrentContainer, whose one matrix reads its input and its last spikes."""
    if len(shape) != 1:
        raise Unsupported(name, f"works on the last axis of samples {shape}", "flatten before it")
    weight = values(module.rc.weight)
    ahead, back = (frozen_array(part) for part in (weight[:, : shape[0]], weight[:, shape[0] :]))
    fragment = _inner(module, name, (weight.shape[0],), dt)
    return replace(fragment, feeding=Linear(ahead, optional(module.rc.bias)), recurrent=Linear(back))


def _inner(module: Any, name: str, shape: Shape, dt: float) -> Fragment:
    inner = module.sub_module
    if not isinstance(inner, tuple(_NODES)):
        known = ", ".join(kind.__name__ for kind in _NODES)
        raise Unsupported(name, f"feeds a {type(inner).__name__} back to itself", f"one neuron is possible: {known}")
    return replace(_read_neuron(inner, f"{name}.sub_module", shape, dt), part="sub_module")


def _read_out(module: ReadOut, name: str, shape: Shape, dt: float) -> Fragment:
    """Return the membrane of a NonSpikingLIFNode or NonSpikingIFNode, before it is decoded."""
    if module.tau is None:
        return Fragment(Neuron(shape=shape, semantics=Semantics(if_gain="r*dt"), r=frozen_array(1.0 / dt)))
    tau = per_neuron(module.tau, name, "tau", shape)
    leak = {"tau_mem": frozen_array(tau * dt), "r": frozen_array(1.0), "v_leak": frozen_array(0.0)}
    return Fragment(Neuron(shape=shape, semantics=Semantics(), **leak))


def _standardised(kind: type) -> Reader:
    """Return the reader of a layer that standardises its weights in every call."""

    def read(module: Any, name: str, shape: Shape, dt: float) -> Fragment:
        node: Any = LAYERS[kind](module, name, shape, dt).node
        return Fragment(replace(node, weight=values(module.get_weight())))

    return read


def _vote(module: Any, name: str, shape: Shape, _dt: float) -> Fragment:
    """Return the mean over groups of neighbouring neurons, as a matrix; what is left over at the end is dropped."""
    if len(shape) != 1:
        raise Unsupported(name, f"votes over the last axis of samples {shape}", "flatten before it")
    size = int(module.voting_size)
    groups = np.kron(np.eye(shape[0] // size), np.full((1, size), 1.0 / size))
    return Fragment(Linear(frozen_array(np.pad(groups, ((0, 0), (0, shape[0] % size))).astype(np.float32))))


def _through_time(module: Any, name: str, shape: Shape, dt: float) -> Fragment:
    """Return the one normalisation of a BatchNormThroughTime whose steps all have the same."""
    require_equal(module.bn_list, name)
    return LAYERS[type(module.bn_list[0])](module.bn_list[0], name, shape, dt)


def _delay(module: Any, _name: str, _shape: Shape, dt: float) -> Fragment:
    return Fragment(Delay(frozen_array(module.delay_steps * dt)) if module.delay_steps else None)


#: Layers that only add a step mode to the torch layer of the same name.
_WRAPPED = (
    *("Linear", "Conv1d", "Conv2d", "AvgPool1d", "AvgPool2d", "MaxPool1d", "MaxPool2d"),
    *("AdaptiveAvgPool1d", "AdaptiveAvgPool2d"),
    *("BatchNorm1d", "BatchNorm2d", "Flatten", "Dropout", "Dropout2d"),
)

#: Class of a neuron or a layer -> reader.
NEURONS: Mapping[type, Reader] = {
    **dict.fromkeys(_NODES, _read_neuron),
    ReadOut: _read_out,
    layer.ElementWiseRecurrentContainer: _elementwise_feedback,
    layer.LinearRecurrentContainer: _linear_feedback,
    **{getattr(layer, name): LAYERS[getattr(nn, name)] for name in _WRAPPED},
    layer.WSConv2d: _standardised(nn.Conv2d),
    layer.WSLinear: _standardised(nn.Linear),
    **dict.fromkeys((layer.BatchNormThroughTime1d, layer.BatchNormThroughTime2d), _through_time),
    layer.VotingLayer: _vote,
    layer.Delay: _delay,
}

#: Normalisations that scale every step: one step of them is a plain one where all factors are equal.
_EFFECTIVE = (layer.TemporalEffectiveBatchNorm1d, layer.TemporalEffectiveBatchNorm2d)

#: What a module of these classes is refused as, unless :data:`NEURONS` reads it.
BASES: tuple[type, ...] = (base.MemoryModule, neuron.NonSpikingBaseNode, neuron.PSN, *_EFFECTIVE)

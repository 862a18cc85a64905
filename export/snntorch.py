"""snnTorch neurons as nodes: Leaky, Synaptic, their recurrent forms, Lapicque and Alpha, exact to the step.

snnTorch counts in steps and has no seconds; the membrane follows ``v = beta v + x``. With a step of ``dt`` seconds the
same neuron in NIR's terms has ``tau = dt / (1 - beta)`` and ``r = tau / dt``, which makes the gain of the input 1. A
Lapicque neuron has both itself: ``tau = R C`` and ``r = R`` in the units of its ``time_step``.

The membrane of an Alpha neuron is ``k (p - q)`` with ``p = alpha p + x`` and ``q = beta q + x``, so that
``v = beta v + k (alpha - beta) p(t - 1)``: a step of delay, a current that decays by alpha and a membrane that
decays by beta. Its resets act on p and q apart, which no such neuron can follow; without a reset it is exact.

Behaviour as in the sources of snnTorch 1.0.0 (``_neurons/leaky.py``, ``synaptic.py``, ``rleaky.py``, ``rsynaptic.py``,
``lapicque.py``, ``alpha.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import snntorch as snn
import torch
from snntorch._neurons.neurons import SpikingNeuron
from torch import nn

from neurodeploy.errors import Unsupported
from neurodeploy.export.fragment import Fragment, Reader
from neurodeploy.export.parameters import per_neuron
from neurodeploy.export.torch_layers import LAYERS, as_node, values
from neurodeploy.graph import Delay, Neuron, Node, Scale, Shape, frozen_array
from neurodeploy.semantics import Reset, ResetWhen, Semantics

#: Seconds of a step in snnTorch's own NIR export.
DEFAULT_DT = 1e-4

Vector = npt.NDArray[np.float64]

#: (reset_mechanism, reset_delay) -> the reset and its time, where all neuron classes agree.
_RESETS: Mapping[tuple[str, bool], tuple[Reset, ResetWhen]] = {
    ("subtract", True): ("subtract", "next-step"),
    ("subtract", False): ("subtract", "once"),
    ("zero", False): ("zero", "same-step"),
    ("none", True): ("none", "same-step"),
    ("none", False): ("none", "same-step"),
}

#: When the delayed reset to zero acts: Leaky clears the stored membrane and then takes the input; the others clear the
#: finished sum, the input of the step with it.
_DELAYED_ZERO: Mapping[type, ResetWhen] = {
    snn.Leaky: "next-step",
    snn.Synaptic: "next-step-all",
    snn.RLeaky: "next-step-all",
    snn.RSynaptic: "next-step-all",
    snn.Lapicque: "next-step-all",
}

#: Name of the update rule chosen at construction -> the reset it performs.
_UPDATE_RULES = {"_base_sub": "subtract", "_base_zero": "zero", "_base_int": "none"}


def read_neuron(module: Any, name: str, shape: Shape, dt: float) -> Fragment:
    """Return the Neuron of a Leaky or Synaptic, and the synapse that feeds it back for RLeaky and RSynaptic.

    Raises
    ------
    Unsupported : an option that changes the spikes and has no counterpart; the message names it.
    """
    refuse_options(module, name)
    beta = _decay(module.beta, name, "beta", shape)
    alpha = _decay(module.alpha, name, "alpha", shape) if hasattr(module, "alpha") else None
    neuron = Neuron(
        shape=shape,
        semantics=_semantics(module, name),
        threshold=per_neuron(module.threshold, name, "threshold", shape),
        **_membrane(beta, name, dt, has_current=alpha is not None),
        **({} if alpha is None else _current(alpha, name, dt)),
    )
    return Fragment(neuron, _recurrent(module, name, shape) if hasattr(module, "recurrent") else None)


def read_lapicque(module: Any, name: str, shape: Shape, dt: float) -> Fragment:
    """Return the Neuron of a Lapicque, whose beta is a name for its resistance and capacitance."""
    resistance, capacitance, step = (
        per_neuron(each, name, what, shape)
        for each, what in ((module.R, "R"), (module.C, "C"), (module.time_step, "time_step"))
    )
    lost = step / (resistance * capacitance)
    if not (lost > 0).all():
        found = float(np.min(resistance * capacitance))
        raise Unsupported(name, f"has the time constant R C = {found:g}", "more than 0, and less than infinity")
    zero = frozen_array(0.0)
    return Fragment(
        Neuron(
            shape=shape,
            semantics=_semantics(module, name),
            r=resistance,
            tau_mem=frozen_array(dt / lost),
            v_leak=zero,
            threshold=per_neuron(module.threshold, name, "threshold", shape),
            v_reset=zero,
        )
    )


def read_alpha(module: Any, name: str, shape: Shape, dt: float) -> Fragment:
    """Return the Delay and the Neuron of an Alpha that does not reset.

    Raises
    ------
    Unsupported : it resets, or a current that never decays.
    """
    semantics = _semantics(module, name)
    if semantics.reset != "none":
        problem = f"its reset ({semantics.reset!r}) acts on the exciting and the inhibiting current apart"
        raise Unsupported(name, problem, "reset_mechanism='none' is exact; or use Synaptic")
    alpha, beta = (_decay(each, name, what, shape) for each, what in ((module.alpha, "alpha"), (module.beta, "beta")))
    with np.errstate(divide="ignore"):  # log(0) is minus infinity, and the factor 1
        factor = np.log(alpha) / (np.log(beta) - np.log(alpha)) + 1
    membrane = _membrane(beta, name, dt, has_current=True)
    gained = {**membrane, "r": frozen_array(membrane["r"] * factor * (alpha - beta))}
    threshold = per_neuron(module.threshold, name, "threshold", shape)
    neuron = Neuron(shape=shape, semantics=semantics, threshold=threshold, **gained, **_current(alpha, name, dt))
    return Fragment(neuron, feeding=Delay(frozen_array(np.full(shape, dt))))


def _membrane(beta: Vector, name: str, dt: float, *, has_current: bool) -> dict[str, Vector]:
    if (beta == 1).all() and not has_current:
        return {"r": frozen_array(1.0), "v_reset": frozen_array(0.0)}
    if (beta == 1).any():
        raise Unsupported(
            name,
            f"{int((beta == 1).sum())} of {beta.size} values of beta are 1 or more (no leak)",
            "a synaptic current needs a leaky membrane, and one layer is leaky or not as a whole",
        )
    tau = dt / (1 - beta)
    zero = frozen_array(0.0)
    return {"tau_mem": frozen_array(tau), "r": frozen_array(tau / dt), "v_leak": zero, "v_reset": zero}


def _current(alpha: Vector, name: str, dt: float) -> dict[str, Vector]:
    if (alpha == 1).any():
        raise Unsupported(name, "alpha is 1 or more: a synaptic current that never decays", "use an alpha below 1")
    tau = dt / (1 - alpha)
    return {"tau_syn": frozen_array(tau), "w_in": frozen_array(tau / dt)}


def _semantics(module: Any, name: str) -> Semantics:
    mechanism = list(SpikingNeuron.reset_dict)[int(module.reset_mechanism_val)]
    rule = _UPDATE_RULES[module.state_function.__name__]
    if mechanism != rule:
        raise Unsupported(
            name,
            f"was built with reset_mechanism={rule!r}, but the checkpoint says {mechanism!r}",
            "build it with the reset it was trained with",
        )
    delayed = bool(getattr(module, "reset_delay", True))  # Lapicque and Alpha know no other
    reset, when = _RESETS.get((mechanism, delayed)) or ("zero", _delayed_zero(module))
    return Semantics(reset=reset, reset_when=when, spike_scale=_spike_scale(module, name))


def _delayed_zero(module: Any) -> ResetWhen:
    return next((when for kind, when in _DELAYED_ZERO.items() if isinstance(module, kind)), "next-step-all")


def _spike_scale(module: Any, name: str) -> float:
    factor = np.unique(np.asarray(values(module.graded_spikes_factor), np.float64))
    if len(factor) != 1 or not 0 < factor[0] < np.inf:
        raise Unsupported(
            name, f"graded_spikes_factor is {factor.tolist()}", "one positive factor for the whole layer is possible"
        )
    return float(factor[0])


def _recurrent(module: Any, name: str, shape: Shape) -> Node:
    if type(module.recurrent) in LAYERS:
        return as_node(module.recurrent, f"{name}.recurrent", shape)
    return Scale(per_neuron(module.recurrent.V, name, "V", shape))


def refuse_options(module: Any, name: str) -> None:
    """Raise :class:`Unsupported` for an option that a Graph cannot say, or with which snnTorch itself fails."""
    if type(module) not in NEURONS:
        return  # refused by its class once it runs
    if module.inhibition:
        raise Unsupported(name, "uses inhibition=True (one winner per step)", "train without inhibition")
    if module.state_quant:
        raise Unsupported(name, "quantizes its state (state_quant)", "export the float network and quantize it here")
    if isinstance(module, snn.RSynaptic) and not module.reset_delay:
        # snnTorch 1.0.0: forward() resets a local variable and fails or does nothing.
        raise Unsupported(name, "RSynaptic ignores reset_delay=False", "use reset_delay=True, as it was trained")


def with_state(module: nn.Module) -> nn.Module:
    """Return a module that keeps its state; a single layer takes it as an argument, which a network need not."""
    return nn.Sequential(module).eval() if type(module) in NEURONS else module


def _decay(tensor: torch.Tensor, name: str, what: str, shape: Shape) -> Vector:
    """Return a decay factor as snnTorch uses it: clamped to 0..1."""
    return np.clip(per_neuron(tensor, name, what, shape), 0.0, 1.0)


#: Neuron class -> reader.
NEURONS: Mapping[type, Reader] = {
    **dict.fromkeys(_DELAYED_ZERO, read_neuron),
    snn.Lapicque: read_lapicque,
    snn.Alpha: read_alpha,
}

#: What a module of these classes is refused as, unless :data:`NEURONS` reads it.
BASES: tuple[type, ...] = (SpikingNeuron,)

"""From the differential equations of a neuron to the constants of one step.

With ``S`` the summed input of the step, ``u`` the synaptic current and ``v`` the membrane, every population computes

::

    u' = beta u + current_gain S         and takes   i = u'           (update-then-use)
    i  = u + current_gain S              and keeps   u' = beta i      (jump-use-decay)
    u' = beta (u + current_gain S)       and takes   i = u'           (jump-decay-use)
    i  = S                                                            (no synaptic current)
    v' = alpha v + leak + gain i

and then fires and resets. :func:`constants` gives the factors for all readings of :class:`Semantics`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neurodeploy.graph import Delay, Neuron
from neurodeploy.semantics import Semantics

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class StepConstants:
    """The factors of one step of one population; float64 arrays that broadcast to its shape.

    Attributes
    ----------
    alpha : what is left of the membrane after a step; 1 without leak.
    gain : factor on the current that reaches the membrane.
    leak : what the leak towards ``v_leak`` adds in every step, ``(1 - alpha) v_leak``.
    beta : what is left of the synaptic current after a step; None without one.
    current_gain : factor on the input of the synaptic current; None without one.
    threshold : None where the answer is the membrane.
    v_reset : the membrane after a reset to a value (0 for the reset ``zero``).
    v_start : the membrane before the first step.
    v_floor : lower bound of the membrane, or None.
    semantics : the reading these constants follow, for the order of the operations.
    """

    alpha: Floats
    gain: Floats
    leak: Floats
    beta: Floats | None
    current_gain: Floats | None
    threshold: Floats | None
    v_reset: Floats
    v_start: Floats
    v_floor: Floats | None
    semantics: Semantics


def constants(neuron: Neuron, dt: float) -> StepConstants:
    """Return the constants of one step of ``dt`` seconds.

    ``lost = 1 - alpha`` is ``dt/tau_mem`` (decay ``euler``) or ``1 - exp(-dt/tau_mem)`` (``exp``); ``beta`` likewise
    from tau_syn. ``gain`` is ``dt/tau_mem r`` (``spec``), ``(1 - exp(-dt/tau_mem)) r`` (``zoh``) or 1 (``unit``, where
    r says nothing); without a leak it is r or r dt. A plain integrator (NIR ``I``) always takes r dt, for no tool
    writes it with another meaning. ``current_gain`` is ``dt/tau_syn w_in`` (``spec``) or 1 (``unit``).
    """
    semantics = neuron.semantics
    r, v_leak, v_reset = _floats(neuron.r), _optional(neuron.v_leak, 0.0), _optional(neuron.v_reset, 0.0)
    threshold = None if neuron.threshold is None else _floats(neuron.threshold)
    if neuron.tau_mem is None:
        lost = np.zeros(())
        gain = r if semantics.if_gain == "r" and neuron.spiking else r * dt
    else:
        tau = _floats(neuron.tau_mem)
        lost = LOST[semantics.decay](dt, tau)
        gain = GAINS[semantics.gain](dt, tau, r)
    beta, current_gain = _synapse(neuron, dt)
    starts = {"zero": np.zeros(()), "v_reset": v_reset, "v_leak": v_leak}
    return StepConstants(
        alpha=1.0 - lost,
        gain=gain,
        leak=lost * v_leak,
        beta=beta,
        current_gain=current_gain,
        threshold=threshold,
        v_reset=np.zeros(()) if semantics.reset == "zero" else v_reset,
        v_start=starts[semantics.v_init],
        v_floor=-threshold if semantics.v_min == "-threshold" and threshold is not None else None,
        semantics=semantics,
    )


def delay_steps(delay: Delay, dt: float) -> npt.NDArray[np.int64]:
    """Return the delay of every element in whole steps of ``dt`` seconds, rounded to the nearest."""
    return np.rint(_floats(delay.delay) / dt).astype(np.int64)


def _synapse(neuron: Neuron, dt: float) -> tuple[Floats | None, Floats | None]:
    if neuron.tau_syn is None:
        return None, None
    tau, w_in = _floats(neuron.tau_syn), _optional(neuron.w_in, 1.0)
    gain = (dt / tau) * w_in if neuron.semantics.syn_gain == "spec" else np.ones(())
    return 1.0 - LOST[neuron.semantics.decay](dt, tau), gain


def _floats(values: npt.ArrayLike) -> Floats:
    return np.asarray(values, dtype=np.float64)


def _optional(values: npt.ArrayLike | None, default: float) -> Floats:
    return np.full((), default) if values is None else _floats(values)


def _euler(dt: float, tau: Floats) -> Floats:
    return dt / tau


def _exponential(dt: float, tau: Floats) -> Floats:
    return -np.expm1(-dt / tau)


#: Decay -> the share of a membrane or current that is lost in one step.
LOST: dict[str, Callable[[float, Floats], Floats]] = {"euler": _euler, "exp": _exponential}

#: Gain -> factor on the input of a leaky membrane, from dt, tau and r.
GAINS: dict[str, Callable[[float, Floats, Floats], Floats]] = {
    "spec": lambda dt, tau, r: _euler(dt, tau) * r,
    "zoh": lambda dt, tau, r: _exponential(dt, tau) * r,
    "unit": lambda _dt, _tau, _r: np.ones(()),
}

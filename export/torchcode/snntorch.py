"""Populations as snnTorch layers: Leaky, Synaptic and their recurrent forms.

snnTorch has ``v = beta v + x`` without a gain. A population with the gain G is the same one with its membrane divided
by G, so its threshold is divided by it: every spike stays. The three orders of current and membrane are one there, for
the current that is used always follows ``i = alpha i + x``.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from neurodeploy.discrete import StepConstants, constants
from neurodeploy.errors import Unsupported
from neurodeploy.export.torchcode.part import Loop, Part, number, require, single, stored, tensor
from neurodeploy.graph import Linear, Neuron

TITLE = "snnTorch"
IMPORTS = ("import snntorch as snn", "import torch", "from torch import nn")
KEEPS_STATE = True
FEEDS = False

#: (reset, when) -> reset_mechanism, reset_delay, where all classes agree.
_RESETS: dict[tuple[str, str], tuple[str, bool]] = {
    ("subtract", "next-step"): ("subtract", True),
    ("subtract", "once"): ("subtract", False),
    ("zero", "same-step"): ("zero", False),
}
_MECHANISMS = {"subtract": 0, "zero": 1, "none": 2}


def neuron(name: str, node: Neuron, dt: float, loop: Loop | None) -> Part:
    """Return a population as a layer of snnTorch."""
    step, semantics = constants(node, dt), node.semantics
    current = step.beta is not None
    require(
        name,
        (semantics.fire == ">" or not node.spiking, f"fires by {semantics.fire!r}, snnTorch fires above", "use '>'"),
        (semantics.v_min == "none", "bounds its membrane from below, snnTorch does not", "leave the bound out"),
        (not np.any(step.leak), "leaks towards another value than 0, snnTorch to 0", "absorb v_leak into a bias"),
        (not np.any(step.v_start), "starts at another membrane than 0", "start at 0"),
        (semantics.spike_scale == 1 or not (current or loop), "scales its spikes", "only Leaky has a factor for them"),
        (bool((step.alpha >= 0).all()), "has a negative decay (its time constant is below dt)", "lower dt"),
    )
    mechanism, delayed = _reset(name, node, step, plain=not (current or loop))
    threshold = _threshold(name, step)
    factors = {"alpha": step.beta, "beta": step.alpha} if current else {"beta": step.alpha}
    state = {key: stored(np.asarray(value), node.shape) for key, value in {**factors, "threshold": threshold}.items()}
    state["graded_spikes_factor"] = np.array(semantics.spike_scale, np.float32)
    state["reset_mechanism_val"] = np.array(_MECHANISMS[mechanism], np.int64)
    options = [f"{key}={_expression(value, node)}" for key, value in factors.items() if value is not None]
    if (value := single(threshold)) is None or value != 1:
        options.append(f"threshold={_expression(threshold, node)}")
    options += [f'reset_mechanism="{mechanism}"', f"reset_delay={delayed}"]
    if semantics.spike_scale != 1:
        options.append(f"graded_spikes_factor={number(semantics.spike_scale)}")
    kind = "Synaptic" if current else "Leaky"
    if loop is not None:
        kind = f"R{kind}"
        state |= _recurrent(name, node, loop, options)
        require(name, (not (current and mechanism != "none" and not delayed), f"{kind} has no reset at once", "delay"))
    options.append("init_hidden=True")
    if not node.spiking:
        options.append("output=True")
    return Part(f"snn.{kind}({', '.join(options)})", state, membrane=not node.spiking)


def membrane_gain(node: Neuron, dt: float) -> npt.NDArray[np.float64]:
    """Return how many times a read-out's gain is snnTorch's, which is 1."""
    return _gain(constants(node, dt))


def _expression(values: npt.ArrayLike, node: Neuron) -> str:
    return tensor(stored(values, node.shape))


def _gain(step: StepConstants) -> npt.NDArray[np.float64]:
    if step.current_gain is None or step.beta is None:
        return step.gain
    late = step.beta if step.semantics.order == "jump-decay-use" else 1.0
    return np.asarray(step.gain * step.current_gain * late)


def _threshold(name: str, step: StepConstants) -> npt.NDArray[np.float64]:
    gain = _gain(step)
    if step.threshold is None:
        return np.ones(())
    require(name, (bool((gain > 0).all()), "has a gain that is not positive", "turn the sign of the weights"))
    return np.asarray(step.threshold / gain)


def _reset(name: str, node: Neuron, step: StepConstants, *, plain: bool) -> tuple[str, bool]:
    semantics = node.semantics
    if not node.spiking or semantics.reset == "none":
        return "none", True
    kind = "zero" if semantics.reset == "value" and not np.any(step.v_reset) else semantics.reset
    early = ("zero", "next-step" if plain else "next-step-all")
    if (kind, semantics.reset_when) == early:
        return "zero", True
    found = _RESETS.get((kind, semantics.reset_when))
    if found is None:
        raise Unsupported(
            f"node {name!r}",
            f"resets by {semantics.reset!r} in {semantics.reset_when!r}, which no layer of snnTorch does",
            "subtract in the next step, or reset to 0 in the same",
        )
    return found


def _recurrent(name: str, node: Neuron, loop: Loop, options: list[str]) -> dict[str, npt.NDArray[np.float32]]:
    """Add what feeds the layer back to ``options`` and return its state."""
    if isinstance(loop.back, Linear):
        require(name, (len(node.shape) == 1, "is recurrent on more than one axis", "flatten before it"))
        options.append(f"linear_features={node.shape[0]}")
        bias = np.zeros(node.shape) if loop.back.bias is None else loop.back.bias
        return {
            "recurrent.weight": np.ascontiguousarray(loop.back.weight, dtype=np.float32),
            "recurrent.bias": np.asarray(bias, np.float32),
        }
    factor = stored(loop.back.factor, node.shape)
    options += ["all_to_all=False", f"V={tensor(factor)}"]
    return {"V": factor, "recurrent.V": factor}

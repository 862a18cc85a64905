"""sinabs layers as nodes: IAF, LIF and ExpLeak, plain, squeezed and recurrent, exact to the step.

sinabs counts in steps: ``v' = a v + (1 - a) x`` with ``a = exp(-1 / tau_mem)``, or ``a v + x`` without ``norm_input``;
an IAF has ``a = 1``. A current with ``tau_syn`` takes the input, decays, and is used. Several spikes may leave in one
step (``MultiSpike``: as many as thresholds fit into the membrane), and each takes one threshold away; the membrane is
bounded below after that. Behaviour as in the sources of sinabs 3.1.3 (``layers/functional/lif.py``, ``layers/*.py``,
``activation/*.py``).

The layers take whole sequences, ``[samples, steps, *shape]`` or, squeezed, ``[samples * steps, *shape]``. A network is
read from a copy that computes one step, and proved on the original; :mod:`neurodeploy.export.sinabs_time` does both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import sinabs.activation as sa
import sinabs.layers as sl
import torch
from sinabs.layers.stateful_layer import StatefulLayer

from neurodeploy.errors import Unsupported
from neurodeploy.export.fragment import Fragment, Reader
from neurodeploy.export.parameters import Vector, per_neuron
from neurodeploy.export.sinabs_time import OneStep, over_time, with_state
from neurodeploy.export.torch_layers import LAYERS, as_node, reader_for
from neurodeploy.graph import Neuron, Node, Pool, Shape, frozen_array
from neurodeploy.semantics import Fire, Reset, Semantics, VMin

__all__ = ["BASES", "DEFAULT_DT", "NEURONS", "over_time", "refuse_options", "with_state"]

#: sinabs has no seconds: its time constants are numbers of steps.
DEFAULT_DT = 1.0


def read_layer(module: Any, name: str, shape: Shape, dt: float) -> Fragment:
    """Return the Neuron of a layer, and the synapse that feeds it back for a recurrent one.

    Raises
    ------
    Unsupported : an option that changes the spikes and has no counterpart; the message names it.
    """
    refuse_options(module, name)
    current = _current(module, name, shape, dt)
    neuron = _membrane(module, name, shape, dt, current)
    return Fragment(neuron, _recurrent(module, name, shape) if hasattr(module, "rec_connect") else None)


def _membrane(module: Any, name: str, shape: Shape, dt: float, current: dict[str, Vector]) -> Neuron:
    """Return the node with what a layer and its synaptic current have in common with NIR."""
    leak: dict[str, Any] = {"r": frozen_array(1.0)}
    if not isinstance(module, sl.IAF | sl.IAFRecurrent):
        leak |= {"tau_mem": _tau(module, name, "mem", shape, dt), "v_leak": frozen_array(0.0)}
    elif current:
        raise Unsupported(
            name, "has a synaptic current (tau_syn) and no leak", "a synaptic current needs a leaky membrane: use LIF"
        )
    if module.spike_threshold is None:
        return Neuron(shape=shape, semantics=_semantics(module), **leak, **current)
    threshold = per_neuron(module.spike_threshold, name, "spike_threshold", shape)
    semantics = _semantics(
        module, fire=_fire(module, name), reset=_reset(module, name, threshold), v_min=_bound(module, name, threshold)
    )
    zero = frozen_array(0.0)
    return Neuron(shape=shape, semantics=semantics, threshold=threshold, v_reset=zero, **leak, **current)


def _semantics(module: Any, *, fire: Fire = ">=", reset: Reset = "none", v_min: VMin = "none") -> Semantics:
    return Semantics(
        decay="exp",
        gain="zoh" if module.norm_input else "unit",
        syn_gain="unit",
        order="jump-decay-use",
        reset=reset,
        fire=fire,
        v_min=v_min,
    )


def _current(module: Any, name: str, shape: Shape, dt: float) -> dict[str, Vector]:
    if module.alpha_syn_calculated is None:
        return {}
    return {"tau_syn": _tau(module, name, "syn", shape, dt), "w_in": frozen_array(1.0)}


def _tau(module: Any, name: str, which: str, shape: Shape, dt: float) -> Vector:
    """Return a time constant in seconds; a layer holds it in steps, or what is left after one step (train_alphas)."""
    held = f"alpha_{which}" if module.train_alphas else f"tau_{which}"
    value = per_neuron(getattr(module, held), name, held, shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        steps = -1.0 / np.log(value) if module.train_alphas else value
    if not (np.isfinite(steps) & (steps > 0)).all():
        limit = "between 0 and 1" if module.train_alphas else "a finite number above 0"
        raise Unsupported(name, f"{held} is {float(value.flat[np.argmin(steps)]):g}", f"it must be {limit}")
    return frozen_array(steps * dt)


def _fire(module: Any, name: str) -> Fire:
    rule = module.spike_fn
    if rule is sa.MultiSpike:
        return "floor-multi"
    if rule is sa.SingleSpike:
        return ">="
    if isinstance(rule, sa.MaxSpike) and rule.max_num_spikes_per_bin in _MOST:
        return _MOST[rule.max_num_spikes_per_bin]
    shown = repr(rule) if isinstance(rule, sa.MaxSpike) else getattr(rule, "__name__", type(rule).__name__)
    raise Unsupported(name, f"fires by {shown}", "use MultiSpike, SingleSpike or MaxSpike(1)")


#: Most spikes of a MaxSpike in one step -> the fire rule.
_MOST: Mapping[int | None, Fire] = {None: "floor-multi", 1: ">="}


def _reset(module: Any, name: str, threshold: Vector) -> Reset:
    rule = module.reset_fn
    if isinstance(rule, sa.MembraneReset):
        if rule.reset_value:
            # sinabs 3.1.3 adds the value to every membrane in every step, whether it has fired or not.
            raise Unsupported(name, f"resets by {rule!r}, which adds to all membranes in all steps", "reset to 0")
        return "value"
    if isinstance(rule, sa.MembraneSubtract):
        if rule.subtract_value is not None and not (threshold == float(rule.subtract_value)).all():
            raise Unsupported(name, f"resets by {rule!r}, which is not its threshold", "use MembraneSubtract()")
        return "subtract"
    raise Unsupported(
        name, f"resets by {getattr(rule, '__name__', repr(rule))}", "use MembraneSubtract or MembraneReset"
    )


def _bound(module: Any, name: str, threshold: Vector) -> VMin:
    if module.min_v_mem is None:
        return "none"
    bound = per_neuron(module.min_v_mem, name, "min_v_mem", np.shape(threshold))
    if not np.allclose(bound, -threshold, rtol=1e-6, atol=0.0):
        raise Unsupported(
            name,
            f"bounds its membrane at min_v_mem {float(np.min(bound)):g}",
            f"the bound -spike_threshold ({float(np.min(-threshold)):g}) and none are possible",
        )
    return "-threshold"


def _recurrent(module: Any, name: str, shape: Shape) -> Node:
    back = module.rec_connect
    if type(back) not in LAYERS:
        raise Unsupported(name, f"feeds back through a {type(back).__name__}", "use one Linear or convolution")
    if getattr(back, "bias", None) is not None:
        raise Unsupported(
            name, "its feedback has a bias, which sinabs leaves out in the first step", "build it with bias=False"
        )
    return as_node(back, f"{name}.rec_connect", shape)


def _one_step(module: OneStep, name: str, shape: Shape, dt: float) -> Fragment:
    reader = reader_for(module.layer, NEURONS)
    if reader is None:
        known = ", ".join(kind.__name__ for kind in _LAYERS)
        raise Unsupported(name, f"is a {type(module.layer).__name__}, for which there is no reader", f"known: {known}")
    return reader(module.layer, name, shape, dt)


def _sum_pool(module: Any, name: str, _shape: Shape, _dt: float) -> Fragment:
    if module.ceil_mode:
        raise Unsupported(name, "pools with ceil_mode=True", "use ceil_mode=False")
    kernel, stride = (
        (size, size) if isinstance(size, int) else tuple(size)
        for size in (module.kernel_size, module.stride or module.kernel_size)
    )
    return Fragment(Pool("sum", kernel, stride, (0, 0)))


def refuse_options(module: Any, name: str) -> None:
    """Raise :class:`Unsupported` for an option of a layer that a Graph cannot say, before a step is run."""
    if type(module) not in NEURONS:
        return  # refused by its class once it runs
    if module.spike_threshold is None:
        if module.min_v_mem is not None:
            raise Unsupported(name, "bounds a membrane that never fires (min_v_mem)", "build it without min_v_mem")
        return
    threshold = module.spike_threshold.detach()
    if not bool((torch.isfinite(threshold) & (threshold > 0)).all()):
        raise Unsupported(name, f"spike_threshold is {float(threshold.min()):g}", "it must be finite and above 0")


_LAYERS = (
    *(sl.IAF, sl.IAFSqueeze, sl.IAFRecurrent, sl.LIF, sl.LIFSqueeze, sl.LIFRecurrent),
    *(sl.ExpLeak, sl.ExpLeakSqueeze),
)

#: Class of a layer -> reader.
NEURONS: Mapping[type, Reader] = {**dict.fromkeys(_LAYERS, read_layer), OneStep: _one_step, sl.SumPool2d: _sum_pool}

#: What a module of these classes is refused as, unless :data:`NEURONS` reads it.
BASES: tuple[type, ...] = (StatefulLayer,)

"""Rockpool's torch layers as nodes: LIFTorch, LIFNeuronTorch, LIFBitshiftTorch, ExpSynTorch and LinearTorch, exact.

Rockpool decays by ``exp(-dt/tau)``; a current takes the input and the spikes fed back, decays, and is then used
(``jump-decay-use``); a membrane decays before it is added to; a neuron fires as often as its threshold fits into the
membrane and subtracts it as often. Behaviour as in the sources of Rockpool 3.1.0 (``nn/modules/torch/lif_torch.py``,
``lif_neuron_torch.py``, ``lif_bitshift_torch.py``, ``exp_syn_torch.py``, ``linear_torch.py``,
``nn/combinators/sequential.py``, ``residual.py``).

A module takes whole sequences, [batch, steps, cells], and keeps the state of the first sample alone, so that networks
are recorded in one call from a cleared state, and read from a sequence of one step.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from rockpool.nn.combinators import Sequential
from rockpool.nn.modules.torch import (
    BooleanState,
    ExpSynTorch,
    LIFNeuronTorch,
    LIFTorch,
    LinearTorch,
    LowPass,
    RateTorch,
    TimeStepDropout,
    TorchModule,
    UnitDropout,
    UpDownTorch,
    lif_neuron_torch,
    lif_torch,
)
from torch import nn

from neurodeploy.errors import Unsupported, UsageError
from neurodeploy.export.fragment import Fragment, Reader
from neurodeploy.export.torch_layers import optional, values
from neurodeploy.graph import Linear, Neuron, Shape, frozen_array
from neurodeploy.semantics import Fire, Semantics

#: Seconds of a step that Rockpool's own layers assume.
DEFAULT_DT = 1e-3

#: Axes of a tensor before those of a sample: batch and time.
LEADING_AXES = 2

#: Spikes a step beyond which Rockpool stops counting, where nobody sets the limit.
_NO_LIMIT = 2**16

#: What makes spikes of membranes by counting thresholds; they differ in their gradients.
_COUNTING = (lif_torch.StepPWL, lif_torch.PeriodicExponential, lif_neuron_torch.StepPWL)

Vector = npt.NDArray[np.float64]


def input_shape(module: nn.Module) -> Shape:
    """Return the shape of a sample that a Rockpool network says itself."""
    if isinstance(module, TorchModule) and isinstance(module.size_in, int) and module.size_in > 0:
        return (int(module.size_in),)
    raise UsageError("--input-shape", "the module does not tell the shape of its input", "give it, as 700")


def refuse_options(module: Any, name: str) -> None:
    """Raise :class:`Unsupported` for noise, a spike function of the user's own, or several synapses a neuron."""
    if not isinstance(module, LIFTorch | LIFNeuronTorch | ExpSynTorch):
        return
    if float(module.noise_std) != 0:
        raise Unsupported(name, f"adds noise (noise_std={float(module.noise_std):g})", "build it with noise_std=0")
    if isinstance(module, ExpSynTorch):
        return
    function = getattr(module.spike_generation_fn, "__self__", module.spike_generation_fn)
    if function not in _COUNTING:
        shown = getattr(function, "__name__", function)
        raise Unsupported(name, f"fires by a function of its own ({shown})", "use StepPWL or PeriodicExponential")
    if getattr(module, "n_synapses", 1) != 1:
        problem = f"has {module.n_synapses} synaptic currents a neuron"
        raise Unsupported(name, problem, "one is possible: give it one size, or put a LinearTorch before it")
    _fire(module, name)


def with_state(module: nn.Module) -> nn.Module:
    """Return the module, for a sequence of one step is a step; a single layer as a network, so that it has a name."""
    return Sequential(module).eval() if type(module) in NEURONS else module


def record(
    module: nn.Module, inputs: npt.NDArray[Any], neurons: Mapping[str, str], readouts: Iterable[str] = ()
) -> dict[str, npt.NDArray[np.float64]]:
    """Run whole sequences from a cleared state and return every neuron's answer.

    Parameters and result as in :func:`neurodeploy.export.stepping.record`; no layer of Rockpool answers both by
    spikes and by its membrane, so there are no ``readouts`` to ask for.
    """
    parts = dict(module.named_modules())
    found: dict[str, npt.NDArray[np.float64]] = {}
    _clear(module)
    with ExitStack() as hooks, torch.no_grad():
        for name, part in neurons.items():
            hooks.callback(parts[part].register_forward_hook(_keeper(found, name)).remove)
        module(torch.tensor(inputs, dtype=torch.float32))
    _clear(module)
    return {name: found[name] for name in (*neurons, *readouts)}


def _keeper(into: dict[str, npt.NDArray[np.float64]], name: str) -> Any:
    def keep(_module: nn.Module, _args: Any, answer: torch.Tensor) -> None:
        into[name] = answer.detach().cpu().numpy().astype(np.float64)

    return keep


def _clear(module: nn.Module) -> None:
    for _, part in module.named_modules():  # Rockpool's own modules() is another function
        if isinstance(part, TorchModule):
            part.reset_state()


def read_linear(module: Any, name: str, shape: Shape, _dt: float) -> Fragment:
    """Return the Linear of a LinearTorch, whose weights lie as [in, out]."""
    _takes(module, name, shape)
    bias = optional(module.bias)
    if bias is not None and not bias.ndim:
        bias = frozen_array(np.broadcast_to(bias, (module.size_out,)))
    return Fragment(Linear(frozen_array(values(module.weight).T), bias))


def read_lif(module: Any, name: str, shape: Shape, dt: float) -> Fragment:
    """Return the Neuron of a LIFTorch or LIFBitshiftTorch, and its recurrent weights, stored as [from, to]."""
    _takes(module, name, shape)
    tau_syn = _tau(module.beta.reshape(-1), name, "synaptic", shape, dt)
    neuron = _neuron(module, name, shape, dt, tau_mem=_tau(module.alpha, name, "membrane", shape, dt), tau_syn=tau_syn)
    has_recurrent = bool(module._has_rec)
    return Fragment(neuron, recurrent=Linear(frozen_array(values(module.w_rec).T)) if has_recurrent else None)


def read_membrane(module: Any, name: str, shape: Shape, dt: float) -> Fragment:
    """Return the Neuron of a LIFNeuronTorch, which has no synaptic current."""
    _takes(module, name, shape)
    alpha = torch.exp(-module.dt / module.tau_mem)
    return Fragment(_neuron(module, name, shape, dt, tau_mem=_tau(alpha, name, "membrane", shape, dt)))


def read_synapse(module: Any, name: str, shape: Shape, dt: float) -> Fragment:
    """Return the read-out of an ExpSynTorch, ``y = exp(-dt/tau) (y + x)``: a membrane whose input decays too."""
    _takes(module, name, shape)
    tau = _tau(torch.exp(-module.dt / module.tau), name, "synaptic", shape, dt)
    gain = np.exp(-dt / tau) * tau / dt
    semantics = Semantics(decay="exp", gain="spec", reset="none")
    return Fragment(Neuron(shape, semantics, r=frozen_array(gain), tau_mem=tau, v_leak=frozen_array(0.0)))


def _neuron(
    module: Any, name: str, shape: Shape, dt: float, *, tau_mem: Vector, tau_syn: Vector | None = None
) -> Neuron:
    """Return a neuron that fires; a bias of every step is a pull towards ``bias / (1 - exp(-dt/tau_mem))``."""
    semantics = Semantics(
        decay="exp", gain="unit", syn_gain="unit", order="jump-decay-use", reset="subtract", fire=_fire(module, name)
    )
    bias = _parameter(module.bias, name, "bias", shape)
    return Neuron(
        shape=shape,
        semantics=semantics,
        r=frozen_array(1.0),
        tau_mem=tau_mem,
        tau_syn=tau_syn,
        w_in=None if tau_syn is None else frozen_array(1.0),
        v_leak=frozen_array(bias / -np.expm1(-dt / tau_mem)),
        threshold=_parameter(module.threshold, name, "threshold", shape),
        v_reset=frozen_array(0.0),
    )


def _fire(module: Any, name: str) -> Fire:
    limit = float(module.max_spikes_per_dt)
    if limit == 1:
        return ">="
    if limit >= _NO_LIMIT:
        return "floor-multi"
    raise Unsupported(
        name, f"fires at most {limit:g} times a step", f"use max_spikes_per_dt=1, or leave the limit at {_NO_LIMIT}"
    )


def _tau(decay: torch.Tensor, name: str, what: str, shape: Shape, dt: float) -> Vector:
    """Return the time constant in seconds, for steps of ``dt``, of what is left after one step of the layer's own."""
    left = _parameter(decay, name, f"{what} decay", shape)
    if not ((left > 0) & (left < 1)).all():
        extreme = float(left.max() if left.max() >= 1 else left.min())
        raise Unsupported(
            name, f"its {what} decay leaves {extreme:g} of a state after a step", "more than 0, less than 1"
        )
    return frozen_array(-dt / np.log(left))


def _parameter(tensor: Any, name: str, what: str, shape: Shape) -> Vector:
    """Return a parameter in float64 that broadcasts to ``shape``."""
    array = np.asarray(values(torch.as_tensor(tensor)), np.float64)
    array = array.reshape(()) if array.size == 1 else array
    if array.shape not in ((), shape):
        raise Unsupported(
            name, f"{what} has the shape {array.shape} for neurons {shape}", "give one value, or one per neuron"
        )
    return frozen_array(array)


def _takes(module: Any, name: str, shape: Shape) -> None:
    """Refuse samples of another size: Rockpool would repeat a single input for all of a layer."""
    if shape != (module.size_in,):
        raise Unsupported(name, f"takes {module.size_in} inputs and is given {shape}", "match them by a LinearTorch")


def _vanish(_module: nn.Module, _name: str, _shape: Shape, _dt: float) -> Fragment:
    return Fragment(None)


#: Layer class -> reader; LIFBitshiftTorch takes its step from LIFTorch.
NEURONS: Mapping[type, Reader] = {
    LinearTorch: read_linear,
    LIFTorch: read_lif,
    LIFNeuronTorch: read_membrane,
    ExpSynTorch: read_synapse,
    UnitDropout: _vanish,
    TimeStepDropout: _vanish,
}

#: What a module of these classes is refused as, unless :data:`NEURONS` reads it.
BASES: tuple[type, ...] = (
    lif_torch.LIFBaseTorch,
    LIFNeuronTorch,
    ExpSynTorch,
    RateTorch,
    LowPass,
    UpDownTorch,
    BooleanState,
)

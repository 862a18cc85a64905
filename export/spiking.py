"""Our own spiking layers as nodes: what :class:`Dynamics` says of a neuron in the constants of a Graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from neurodeploy.errors import Unsupported
from neurodeploy.export.fragment import Fragment, Reader
from neurodeploy.export.recorder import Recorder, Value
from neurodeploy.export.torch_layers import LAYERS, as_node
from neurodeploy.graph import Neuron, Shape, frozen_array
from neurodeploy.models.metasdt.mixers import MapLinear, as_convolution
from neurodeploy.models.spiking.dynamics import Dynamics
from neurodeploy.models.spiking.layer import MultiSpike, SpikingNeuron
from neurodeploy.models.spiking.normalized import NormalizedNeuron
from neurodeploy.semantics import Fire, Semantics


def neuron_of(dynamics: Dynamics, shape: Shape, dt: float) -> Neuron:
    """Return the population of neurons of one model.

    ==========  ===================  =================================================
    charge      step                 constants
    ==========  ===================  =================================================
    decay       ``a v + x``          tau = dt / (1 - a), r = 1 / (1 - a); a = 1: no leak
    mean        ``v + (x - v) / k``  tau = k dt, r = 1
    memoryless  ``g x``              tau = dt: nothing of v is left; r = g
    ==========  ===================  =================================================
    """
    tau, r = _CHARGES[dynamics.charge](dynamics.factor)
    fire: Fire = ">" if dynamics.strict else ">="
    return Neuron(
        shape=shape,
        # Of a membrane that keeps nothing the reset says nothing, and one to zero is what every chip has.
        semantics=Semantics(reset=dynamics.reset if dynamics.stateful else "zero", fire=fire),
        r=frozen_array(r),
        tau_mem=None if tau is None else frozen_array(tau * dt),
        v_leak=None if tau is None else frozen_array(0.0),
        threshold=frozen_array(dynamics.threshold),
        v_reset=frozen_array(0.0),
    )


def _decay(factor: float) -> tuple[float | None, float]:
    return (None, 1.0) if factor == 1 else (1 / (1 - factor), 1 / (1 - factor))


#: Charge -> from its factor the time constant in steps, None without leak, and r.
_CHARGES: Mapping[str, Callable[[float], tuple[float | None, float]]] = {
    "decay": _decay,
    "mean": lambda factor: (factor, 1.0),
    "memoryless": lambda factor: (1.0, factor),
}


def forgetful(shape: Shape, dt: float, threshold: float, *, fire: Fire = ">", spike: float = 1.0) -> Neuron:
    """Return neurons without memory that send ``spike`` where their input exceeds ``threshold``."""
    return Neuron(
        shape=shape,
        semantics=Semantics(reset="zero", fire=fire, spike_scale=spike),
        r=frozen_array(1.0),
        tau_mem=frozen_array(dt),
        v_leak=frozen_array(0.0),
        threshold=frozen_array(threshold),
        v_reset=frozen_array(0.0),
    )


def _spiking(module: SpikingNeuron, _name: str, shape: Shape, dt: float) -> Fragment:
    return Fragment(neuron_of(module.dynamics, shape, dt))


def _normalized(module: NormalizedNeuron, name: str, shape: Shape, dt: float) -> Fragment:
    return Fragment(neuron_of(module.dynamics, shape, dt), feeding=as_node(module.norm, f"{name}.norm", shape))


def _map_linear(module: MapLinear, name: str, shape: Shape, _dt: float) -> Fragment:
    if module.layout != "pointwise":
        problem = (
            f"is a linear layer in the layout {module.layout!r}, which mixes places that are no window of a kernel"
        )
        raise Unsupported(name, problem, "train with model.layout = 'pointwise', which is a 1 x 1 convolution")
    return Fragment(as_node(as_convolution(module), name, shape))


#: Class of a layer -> reader.
READERS: Mapping[type, Reader] = {
    **LAYERS,
    SpikingNeuron: _spiking,
    NormalizedNeuron: _normalized,
    MapLinear: _map_linear,
}


def level_names(module: MultiSpike, name: str) -> list[str]:
    """Return the populations that integer neurons become, from the first spike of a step to the last."""
    return [f"{name}.{level}" for level in range(1, module.most + 1)]


def multi_spike(recorder: Recorder, module: Any, _name: str, value: Value) -> Value:
    """Let integer neurons of up to D be D populations of binary ones, whose sum is the integer.

    ``round(clamp(x, 0, D)) = sum_k [x > k - 1/2]``, k = 1 ... D; as halves go to the even number, an even k fires at
    equality too.
    """
    found = []
    for level in range(1, module.most + 1):
        fire: Fire = ">=" if level % 2 == 0 else ">"
        neuron = forgetful(value.shape, recorder.dt, level - 0.5, fire=fire, spike=1.0 / module.norm)
        found.append(recorder.insert(str(level), neuron, value))
    return Value(tuple(found), value.shape)

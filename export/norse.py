"""Norse cells as nodes: LIFBox, LIF, LIFRecurrent, LIBox, LI and IAF, exact to the step.

Norse computes in seconds with its own ``dt`` in every cell and keeps inverse time constants. Its current jumps by the
raw input, is used undecayed and decays afterwards (``jump-use-decay``, gain 1); its cells start at rest, at ``v_leak``,
and an IAF cell at ``v_reset``. Behaviour as in the sources of Norse 1.1.0 (``functional/lif.py``, ``lif_box.py``,
``leaky_integrator.py``, ``leaky_integrator_box.py``, ``iaf.py``, ``module/snn.py``).

The layers that loop over time themselves (``LIF``, ``LIFRecurrent``, ``LI``, ``IAF``, ``Lift``) take a whole sequence,
and a network is read one step at a time: in a copy of it, the cell that computes their step takes their place, with
their parameters, weights and names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

import norse.torch as norse
import numpy as np
import numpy.typing as npt
from norse.torch.functional.reset import reset_subtract, reset_value
from norse.torch.module.snn import SNN, SNNCell, SNNRecurrent, SNNRecurrentCell
from torch import nn

from neurodeploy.errors import Unsupported
from neurodeploy.export.fragment import Fragment, Reader
from neurodeploy.export.parameters import per_neuron
from neurodeploy.export.stepping import state_count
from neurodeploy.export.torch_layers import values
from neurodeploy.graph import Linear, Neuron, Shape, frozen_array
from neurodeploy.semantics import Reset, Semantics, VInit

#: Seconds of a step that Norse's own cells assume.
DEFAULT_DT = 1e-3

#: The function a Norse parameter set holds -> the reset it performs.
_RESETS: Mapping[Any, Reset] = {reset_value: "value", reset_subtract: "subtract"}

#: Layers over a whole sequence -> the module that computes one step of them; ``autapses`` leaves the weights alone.
_STEPS: Mapping[type, Callable[[Any], nn.Module]] = {
    norse.LIF: lambda layer: norse.LIFCell(layer.p, dt=layer.dt),
    norse.LI: lambda layer: norse.LICell(layer.p, dt=layer.dt),
    norse.IAF: lambda layer: norse.IAFCell(layer.p, dt=layer.dt),
    norse.LIFRecurrent: lambda layer: norse.LIFRecurrentCell(
        int(layer.input_size),
        int(layer.hidden_size),
        layer.p,
        dt=layer.dt,
        input_weights=layer.input_weights,
        recurrent_weights=layer.recurrent_weights,
        autapses=True,
    ),
    norse.Lift: lambda layer: layer.lifted_module,
}


def read_cell(module: Any, name: str, shape: Shape, dt: float) -> Fragment:
    """Return the Neuron of a cell that has no weights of its own."""
    return Fragment(_neuron(module, name, shape, dt))


def read_recurrent(module: Any, name: str, shape: Shape, dt: float) -> Fragment:
    """Return the Neuron of a LIFRecurrentCell with its input and its recurrent weights."""
    if len(shape) != 1:
        raise Unsupported(name, f"works on the last axis of samples {shape}", "flatten before it")
    size = (int(module.hidden_size),)
    back = Linear(values(module.recurrent_weights))
    return Fragment(_neuron(module, name, size, dt), recurrent=back, feeding=Linear(values(module.input_weights)))


def refuse_options(module: Any, name: str) -> None:
    """Raise :class:`Unsupported` for a reset that is not Norse's own, or states of every step where one is needed."""
    if getattr(module, "record_states", False):
        raise Unsupported(name, "returns the states of all steps (record_states)", "build it without record_states")
    if getattr(getattr(module, "p", None), "reset_method", reset_value) not in _RESETS:
        raise Unsupported(name, "resets by a function of its own", "use reset_value or reset_subtract")


def with_state(module: nn.Module) -> nn.Module:
    """Return a module that does one step, and takes and returns the states of its cells.

    Raises
    ------
    Unsupported : forward holds cells but neither takes nor returns their states, so that they forget every step.
    """
    module = _by_step(module)
    if type(module) in NEURONS:
        wrapped: nn.Module = norse.SequentialState(module)
        return wrapped.eval()
    if not state_count(module):
        raise Unsupported(
            type(module).__name__,
            "forward takes no state, so its cells forget every step",
            "let forward take the states after its input and return them after its answer, as SequentialState does",
        )
    return module


def _by_step(module: nn.Module) -> nn.Module:
    """Return the module, or a copy of it in which no layer loops over time."""
    if not any(type(part) in _STEPS for part in module.modules()):
        return module
    if type(module) in _STEPS:
        return _by_step(_STEPS[type(module)](module))
    copied = deepcopy(module)
    for name, part in list(copied.named_children()):
        copied.add_module(name, _by_step(part))
    return copied.eval()


def _neuron(module: Any, name: str, shape: Shape, dt: float) -> Neuron:
    """Return the node of a cell; which constants it has follows from the parameter set it was built with."""
    given = module.p._asdict() if hasattr(module.p, "_asdict") else vars(module.p)
    constants = {field: per_neuron(given[field], name, field, shape) for field in _FIELDS if field in given}
    leaky, spiking = "tau_mem_inv" in constants, "v_th" in constants
    starts: VInit = "v_leak" if leaky else "v_reset"
    reset = _RESETS[given.get("reset_method", reset_value)] if spiking else "value"
    return Neuron(
        shape=shape,
        semantics=Semantics(syn_gain="unit", order="jump-use-decay", reset=reset, v_init=starts),
        r=frozen_array(1.0),
        tau_mem=_tau(constants.get("tau_mem_inv"), module, name, dt),
        tau_syn=_tau(constants.get("tau_syn_inv"), module, name, dt),
        w_in=frozen_array(1.0) if "tau_syn_inv" in constants else None,
        v_leak=constants.get("v_leak"),
        threshold=constants.get("v_th"),
        v_reset=constants.get("v_reset"),
    )


#: Parameters that become constants of a Neuron; the rest shapes gradients only.
_FIELDS = ("tau_syn_inv", "tau_mem_inv", "v_leak", "v_th", "v_reset")


def _tau(inverse: npt.NDArray[Any] | None, module: Any, name: str, dt: float) -> npt.NDArray[Any] | None:
    """Return the time constant in seconds for steps of ``dt``; a cell may have been built with another step."""
    if inverse is None:
        return None
    if not (inverse > 0).all():
        raise Unsupported(name, f"an inverse time constant is {np.min(inverse):g}", "it must be above 0")
    return frozen_array(dt / (float(module.dt) * inverse))


#: Cell class -> reader.
NEURONS: Mapping[type, Reader] = {
    **dict.fromkeys((norse.LIFBoxCell, norse.LIFCell, norse.LIBoxCell, norse.LICell, norse.IAFCell), read_cell),
    norse.LIFRecurrentCell: read_recurrent,
}

#: What a module of these classes is refused as, unless :data:`NEURONS` reads it.
BASES: tuple[type, ...] = (SNNCell, SNNRecurrentCell, SNN, SNNRecurrent, norse.Lift)

"""Populations as Norse cells: LIFBoxCell, LIFCell, LIFRecurrentCell, LIBoxCell, LICell and IAFCell.

Norse's membrane gains ``dt tau_mem_inv`` times its input. A population with another gain is the same one with its
membrane scaled, so threshold, leak and reset are scaled with it: every spike stays. Norse keeps the parameters of a
cell outside the state dict; those with one value a neuron are buffers of the generated module, and the cells read them.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from neurodeploy.discrete import StepConstants, constants
from neurodeploy.errors import Unsupported
from neurodeploy.export.torchcode.part import Loop, Part, number, ones, require, single, stored
from neurodeploy.graph import Linear, Neuron

TITLE = "Norse"
IMPORTS = ("import norse.torch as norse", "import torch", "from torch import nn")
KEEPS_STATE = False
FEEDS = True

Floats = npt.NDArray[np.float64]

#: (has a current, leaks, fires) -> the cell and its parameters.
_CELLS: dict[tuple[bool, bool, bool], tuple[str, tuple[str, ...]]] = {
    (False, True, True): ("LIFBox", ("tau_mem_inv", "v_leak", "v_th", "v_reset")),
    (True, True, True): ("LIF", ("tau_syn_inv", "tau_mem_inv", "v_leak", "v_th", "v_reset")),
    (False, True, False): ("LIBox", ("tau_mem_inv", "v_leak")),
    (True, True, False): ("LI", ("tau_syn_inv", "tau_mem_inv", "v_leak")),
    (False, False, True): ("IAF", ("v_th", "v_reset")),
}
_DEFAULTS = {"v_leak": 0.0, "v_th": 1.0, "v_reset": 0.0}


def neuron(name: str, node: Neuron, dt: float, loop: Loop | None) -> Part:
    """Return a population as a cell of Norse."""
    step = constants(node, dt)
    key = (node.tau_syn is not None, node.tau_mem is not None, node.spiking)
    if key not in _CELLS:
        raise Unsupported(f"node {name!r}", f"is a NIR {node.kind}, for which Norse has no cell", "give it a threshold")
    kind, fields = _CELLS[key]
    values = _values(name, node, step, dt)
    subtracts = _reset(name, node, kind)
    given = [
        f"{field}={{{field}}}"
        for field in fields
        if field not in _DEFAULTS or single(values[field]) != _DEFAULTS[field]
    ]
    if subtracts:
        given.append("reset_method=reset_subtract")
    state, buffers, written = _written(node, {field: values[field] for field in fields})
    parameters = f"norse.{kind}Parameters({', '.join(given)})".format(**written)
    if loop is None:
        return Part(f"norse.{kind}Cell({parameters}, dt={dt!r})", state, buffers)
    require(name, (kind == "LIF", f"is recurrent, {kind}Cell is not", "give it a synaptic current"))
    assert loop.feeding is not None
    back = loop.back
    dense = isinstance(back, Linear) and back.bias is None
    require(name, (dense, "feeds back by other than a matrix without bias", "use a Linear(bias=False)"))
    assert isinstance(back, Linear)
    state |= {
        "input_weights": np.ascontiguousarray(loop.feeding.weight, dtype=np.float32),
        "recurrent_weights": np.ascontiguousarray(back.weight, dtype=np.float32),
    }
    sizes = f"{loop.feeding.weight.shape[1]}, {node.shape[0]}"
    return Part(f"norse.LIFRecurrentCell({sizes}, p={parameters}, autapses=True, dt={dt!r})", state, buffers)


def membrane_gain(node: Neuron, dt: float) -> Floats:
    """Return how many times a read-out's gain is Norse's."""
    return np.asarray(1.0 / _scale(node, constants(node, dt)))


def _scale(node: Neuron, step: StepConstants) -> Floats:
    """Return how many times Norse's membrane is the node's, for the same input."""
    gain = step.gain
    if step.current_gain is not None and step.beta is not None:
        late = step.beta if step.semantics.order == "jump-decay-use" else 1.0
        gain = np.asarray(gain * step.current_gain * late)
    return np.asarray((1.0 - step.alpha if node.tau_mem is not None else 1.0) / gain)


def _written(
    node: Neuron, values: Mapping[str, Floats]
) -> tuple[dict[str, npt.NDArray[np.float32]], dict[str, str], dict[str, str]]:
    """Return the state of buffers, how they are made, and every parameter as an expression."""
    state, buffers, written = {}, {}, {}
    for field, value in values.items():
        kept = stored(value, node.shape)
        if kept.ndim == 0:
            written[field] = f"torch.tensor({number(float(kept))})"
        else:
            state[f"_{field}"], buffers[field] = kept, ones(kept.shape)
            written[field] = f"self.NAME_{field}"
    return state, buffers, written


def _values(name: str, node: Neuron, step: StepConstants, dt: float) -> dict[str, Floats]:
    """Return the parameters of a cell, its membrane scaled so that the gain is Norse's own."""
    lost = 1.0 - step.alpha
    scale = _scale(node, step) if node.spiking else np.ones(())
    require(name, (bool((np.asarray(scale) > 0).all()), "has a gain that is not positive", "turn the weights' signs"))
    leak = np.zeros(()) if node.v_leak is None else np.asarray(node.v_leak, dtype=np.float64)
    threshold = np.ones(()) if step.threshold is None else step.threshold
    decays = {"tau_mem_inv": lost / dt, "tau_syn_inv": (1.0 - (0.0 if step.beta is None else step.beta)) / dt}
    scaled = {"v_leak": leak * scale, "v_th": threshold * scale, "v_reset": step.v_reset * scale}
    starts = scaled["v_leak"] if node.tau_mem is not None else scaled["v_reset"]
    agree = bool((np.asarray(step.v_start * scale) == starts).all())
    require(name, (agree, "starts at another membrane than Norse's cells, which start at rest", "start at rest"))
    return {key: np.asarray(value) for key, value in {**decays, **scaled}.items()}


def _reset(name: str, node: Neuron, kind: str) -> bool:
    """Return whether the cell subtracts; raise Unsupported for what no cell does."""
    semantics = node.semantics
    if not node.spiking:
        return False
    subtracts = semantics.reset == "subtract"
    require(
        name,
        (semantics.fire == ">", f"fires by {semantics.fire!r}, Norse fires above", "use '>'"),
        (semantics.v_min == "none", "bounds its membrane from below, Norse does not", "leave the bound out"),
        (semantics.spike_scale == 1, "scales its spikes, Norse's are 1", "scale the weights behind it"),
        (
            semantics.reset_when == "same-step",
            f"resets in {semantics.reset_when!r}, Norse in the same step",
            "train so",
        ),
        (semantics.reset != "none", "never resets, Norse does", "use a read-out cell"),
        (not subtracts or kind == "LIFBox", f"resets by subtraction, {kind}Cell does not", "leave the current out"),
    )
    return subtracts

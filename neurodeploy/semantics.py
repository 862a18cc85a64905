"""What a NIR file leaves unsaid about discrete time, said: decay, gain, synapse order, reset, fire rule, initial state.

Two frameworks read one NIR file differently because the format stores differential equations and none of the choices
that turn them into a step. A :class:`Semantics` is one full set of those choices for one neuron population; a named
preset is a row of :data:`PRESETS`. :mod:`neurodeploy.discrete` turns a neuron and its semantics into step constants.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args, get_type_hints

from neurodeploy.errors import InputError

Decay = Literal["euler", "exp"]
Gain = Literal["spec", "zoh", "unit"]
SynapseGain = Literal["spec", "unit"]
Order = Literal["update-then-use", "jump-use-decay", "jump-decay-use"]
Reset = Literal["value", "zero", "subtract", "none"]
ResetWhen = Literal["same-step", "next-step", "next-step-all", "once"]
Fire = Literal[">", ">=", "floor-multi"]
VMin = Literal["none", "-threshold"]
VInit = Literal["zero", "v_reset", "v_leak"]
IfGain = Literal["r", "r*dt"]


@dataclass(frozen=True)
class Semantics:
    """The discrete-time reading of one population of neurons.

    Attributes
    ----------
    decay : a time constant tau becomes the factor ``1 - dt/tau`` (``euler``) or ``exp(-dt/tau)`` (``exp``).
    gain : factor on the input of a leaky membrane: ``dt/tau r`` (``spec``), ``(1 - exp(-dt/tau)) r`` (``zoh``), or 1,
        where r says nothing.
    syn_gain : factor on the input of a synaptic current: ``dt/tau_syn * w_in`` (``spec``) or 1.
    order : the current is updated and then used; or takes the input, is used and decays afterwards
        (``jump-use-decay``); or takes the input, decays and is used (``jump-decay-use``).
    reset : the membrane after a spike goes to ``v_reset`` (``value``), to 0, down by the threshold, or stays.
    reset_when : in the step of the spike; at the start of the next step, decided from the stored membrane; likewise
        with that step's input discarded (``next-step-all``); or in the same step unless the stored membrane is still
        above threshold, which the next step then handles (``once``).
    fire : strict, or at equality too, or ``floor(max(v, 0) / threshold)`` spikes in one step.
    v_min : lower bound of the membrane: none, or minus the threshold.
    v_init : the membrane before the first step.
    if_gain : factor on the input of a membrane without leak: ``r`` per step, or ``r * dt``.
    spike_scale : the value a spike has for the layers it reaches.
    """

    decay: Decay = "euler"
    gain: Gain = "spec"
    syn_gain: SynapseGain = "spec"
    order: Order = "update-then-use"
    reset: Reset = "value"
    reset_when: ResetWhen = "same-step"
    fire: Fire = ">"
    v_min: VMin = "none"
    v_init: VInit = "zero"
    if_gain: IfGain = "r"
    spike_scale: float = 1.0

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain values, for JSON."""
        return asdict(self)


#: Preset name -> its reading. Sources: the tools' own source code, released versions of late 2026.
PRESETS: dict[str, Semantics] = {
    "nir": Semantics(if_gain="r*dt"),
    "snntorch": Semantics(reset="subtract", reset_when="next-step"),
    # Norse's own cells let the raw input jump the current, use it undecayed and decay it afterwards, and start at rest.
    "norse": Semantics(syn_gain="unit", order="jump-use-decay", v_init="v_leak"),
    "sinabs": Semantics(
        decay="exp", gain="zoh", reset="subtract", fire="floor-multi", v_min="-threshold", order="update-then-use"
    ),
    "spikingjelly": Semantics(fire=">=", if_gain="r*dt", v_init="v_reset"),
    "rockpool": Semantics(
        decay="exp", gain="unit", syn_gain="unit", order="jump-decay-use", reset="subtract", fire="floor-multi"
    ),
    "lava": Semantics(gain="unit", syn_gain="unit", reset="zero"),
}

#: Preset name -> the duration of a step in seconds that the tool assumes; sinabs and Lava count in steps, the
#: specification and Rockpool leave it open.
PRESET_DT: dict[str, float] = {"snntorch": 1e-4, "norse": 1e-3, "spikingjelly": 1e-4, "sinabs": 1.0, "lava": 1.0}


def semantics_from(values: Mapping[str, Any], where: str) -> Semantics:
    """Return the :class:`Semantics` that ``values`` describe; raise :class:`InputError` naming ``where`` otherwise."""
    names = {field.name for field in fields(Semantics)}
    for name in values:
        if name not in names:
            raise InputError(where, f"unknown semantics key {name!r}", f"the keys are {', '.join(sorted(names))}")
    hints = get_type_hints(Semantics)
    for name, value in values.items():
        choices = get_args(hints[name])
        if choices and value not in choices:
            raise InputError(where, f"{name} is {value!r}", f"one of {', '.join(map(repr, choices))}")
        if not choices and not (isinstance(value, int | float) and 0 < value < float("inf")):
            raise InputError(where, f"{name} is {value!r}", "a finite number above 0")
    return Semantics(**values)


def preset(name: str) -> Semantics:
    """Return the preset called ``name``; raise :class:`InputError` with the known names otherwise."""
    if name not in PRESETS:
        raise InputError("--semantics", f"{name!r} is no preset", f"one of {', '.join(PRESETS)}")
    return PRESETS[name]

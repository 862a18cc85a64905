"""The ``neuron`` group of a netx layer as one of our neuron models, and back.

``iDecay`` and ``vDecay`` are our decays, of 4096; ``vThMant`` is our threshold. A bias in weight units is our bias with
an exponent of 6. What the loader does not look at (refractory delay, weight exponent, activation) is noted, not used.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from neurodeploy.errors import InputError, Unsupported
from neurodeploy.export.netx.schema import (
    BIAS_EXPONENT,
    DECAY_BITS,
    IGNORED_NEURON_FIELDS,
    LOADER,
    NEVER_FIRES,
    SPIKE_EXPONENT,
    STATE_EXPONENT,
    Numbers,
    integers,
    whole_number,
)
from neurodeploy.fixedpoint import DECAY_ONE, THRESHOLD_MAX
from neurodeploy.hdf5 import Group
from neurodeploy.network import Shape
from neurodeploy.neurons import Lif, Neuron, Resonator, SigmaDelta


@dataclass
class Place:
    """Where a neuron group is used.

    Attributes
    ----------
    where : the layer, for messages.
    shape : of its population, (channels, height, width) or (n,).
    bias : broadcast to the shape, in weight units.
    complex_input : whether the layer has real and imaginary weights.
    is_input : whether it is the input layer.
    notes : takes what the loader ignores.
    """

    where: str
    shape: Shape
    bias: Numbers = field(default_factory=lambda: np.zeros((), np.int64))
    complex_input: bool = False
    is_input: bool = False
    notes: list[str] = field(default_factory=list)


def read_neuron(group: Group, place: Place) -> Neuron:
    """Return the neuron model that the loader makes of ``group``.

    Raises
    ------
    Unsupported : a type that it does not load, or not in this place.
    """
    kind = group.text("type")
    if kind not in _READERS:
        raise Unsupported(
            f"{group.where}/type", f"is {kind!r}, which {LOADER} does not load", f"one of {', '.join(_READERS)}"
        )
    for name, (nothing, what) in IGNORED_NEURON_FIELDS.items():
        if name in group and (integers(group, name) != nothing).any():
            place.notes.append(f"{place.where}: {name} ({what}) is ignored, as {LOADER} does")
    if "messageBits" in group:
        place.notes.append(f"{place.where}: {LOADER} cannot load a file with messageBits; they are ignored here")
    resonates = _READERS[kind] is _resonator
    if resonates != place.complex_input:
        found = "real weights alone" if resonates else "imaginary weights"
        raise Unsupported(place.where, f"has {kind} neurons and {found}, which {LOADER} cannot join", "retrain it")
    return _READERS[kind](group, place)


def integrator(place: Place) -> Lif:
    """Return what a dense layer without a neuron group gets: v follows u, which never decays, and never fires."""
    return Lif(
        threshold=np.array(THRESHOLD_MAX),
        current_decay=np.array(0),
        voltage_decay=np.array(DECAY_ONE),
        bias=place.bias,
        bias_exponent=BIAS_EXPONENT,
        spiking=False,
    )


def parameter(group: Group, name: str, shape: Shape) -> Numbers:
    """Return one number, or one a channel or neuron, shaped for a population of ``shape``.

    The loader broadcasts against (width, height, channels), so that a vector is one number a channel.
    """
    values = integers(group, name, whole=True)
    if values.size == 1:
        return values.reshape(())
    if values.shape == (shape[0],):
        return values.reshape(-1, *([1] * (len(shape) - 1)))
    if values.shape == shape[::-1]:
        return values.transpose()
    raise InputError(
        f"{group.where}/{name}", f"has the shape {list(values.shape)}, the layer {list(shape)}", "one, or one a channel"
    )


def _lif(group: Group, place: Place) -> Lif:
    threshold = parameter(group, "vThMant", place.shape)
    silent = bool((threshold >= NEVER_FIRES).all())
    if (threshold >= NEVER_FIRES).any() and not silent:
        raise Unsupported(f"{group.where}/vThMant", f"reaches {threshold.max()} for some", f"at most {THRESHOLD_MAX}")
    return Lif(
        threshold=np.array(THRESHOLD_MAX) if silent else threshold,
        # What drives an input layer is its bias, which does not pass through u; ours comes through u, whole.
        current_decay=np.array(DECAY_ONE) if place.is_input else parameter(group, "iDecay", place.shape),
        voltage_decay=parameter(group, "vDecay", place.shape),
        bias=place.bias,
        bias_exponent=BIAS_EXPONENT,
        spiking=not silent,
    )


def _sigma_delta(group: Group, place: Place) -> SigmaDelta:
    decodes = "sigma_output" in group and not place.is_input
    if "activation" in group and (name := group.text("activation")) != "relu":
        place.notes.append(f"{place.where}: its activation {name!r} runs as 'relu', as in {LOADER}")
    if place.bias.any() and (decodes or place.is_input):
        raise Unsupported(place.where, f"has a bias that {LOADER} cannot give to this neuron", "remove it")
    return SigmaDelta(
        threshold=np.array(0 if decodes else whole_number(group, "vThMant")),
        bias=place.bias,
        stage="delta" if place.is_input else "sigma" if decodes else "sigma-delta",
        spike_exponent=SPIKE_EXPONENT,
        state_exponent=STATE_EXPONENT,
    )


def _resonator(group: Group, place: Place) -> Resonator:
    """Return a resonator whose rotation took the loader's way: to period and loss in floats, and back to integers."""
    sine, cosine = (whole_number(group, name) for name in ("sinDecay", "cosDecay"))
    if sine == 0:
        raise Unsupported(f"{group.where}/sinDecay", "is 0: a membrane that does not turn", "retrain it")
    if place.bias.any():
        place.notes.append(f"{place.where}: its bias is ignored, as {LOADER} does with complex layers")
    turned = turning(sine, cosine)
    return Resonator(
        threshold=np.array(whole_number(group, "vThMant") << STATE_EXPONENT),
        sine=np.array(turned[0]),
        cosine=np.array(turned[1]),
        kind="phase" if "PHASE" in group.text("type") else "izhikevich",
        decay_bits=DECAY_BITS,
        state_exponent=STATE_EXPONENT,
    )


def turning(sine: int, cosine: int) -> tuple[int, int]:
    """Return the sine and cosine that the loader makes of those in a file, by way of a period and a loss in floats."""
    one = 1 << DECAY_BITS
    turned, kept = sine / one, cosine / one
    loss = 1 - np.sqrt(turned**2 + kept**2)
    period = 1 / (np.arctan2(turned, kept) / 2 / np.pi)
    angle = np.pi * 2 * 1 / period
    return int((1 - loss) * np.sin(angle) * one), int((1 - loss) * np.cos(angle) * one)


#: Neuron type of a file -> what reads it.
_READERS: dict[str, Callable[[Group, Place], Neuron]] = {
    "LOIHI": _lif,
    "CUBA": _lif,
    "SDNN": _sigma_delta,
    "RF": _resonator,
    "RF_PHASE": _resonator,
    "RF_IZ": _resonator,
    "RF_IZHIKEVICH": _resonator,
}

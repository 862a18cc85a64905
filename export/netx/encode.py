"""Neuron models as the ``neuron`` group and ``bias`` of a netx layer."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from neurodeploy.errors import Unsupported
from neurodeploy.export.netx.neurons import turning
from neurodeploy.export.netx.schema import (
    BIAS_EXPONENT,
    DECAY_BITS,
    LOADER,
    NEVER_FIRES,
    SPIKE_EXPONENT,
    STATE_EXPONENT,
    Numbers,
)
from neurodeploy.fixedpoint import STATE_BITS, shift
from neurodeploy.network import Population, Shape
from neurodeploy.neurons import Lif, Resonator, SigmaDelta

#: The loader keeps a bias in 16 bits.
_BIAS_MAX = (1 << 15) - 1


@dataclass
class Notes:
    """What the writer changed or cannot keep, and whether it may round a bias."""

    round_bias: bool = False
    lines: list[str] = field(default_factory=list)


def neuron_fields(population: Population, cells: Shape) -> dict[str, Any]:
    """Return the ``neuron`` group of a population that the file holds as ``cells``.

    Raises
    ------
    Unsupported : a model, or a setting of one, that netx does not have.
    """
    return _ENCODERS[type(population.neuron)](population, cells)


def bias_field(population: Population, cells: Shape, notes: Notes) -> dict[str, Any]:
    """Return the ``bias`` field, or nothing where there is none.

    Raises
    ------
    Unsupported : a bias that is no whole number of weight units, unless ``notes.round_bias``, or too large.
    """
    neuron, subject = population.neuron, f"population {population.name!r}"
    if not neuron.bias.any():
        return {}
    units: Numbers = neuron.bias.astype(np.int64)
    if isinstance(neuron, Lif):
        state = shift(units, neuron.bias_exponent)
        units = (state + (1 << (BIAS_EXPONENT - 1))) >> BIAS_EXPONENT
        if (off := int(np.abs((units << BIAS_EXPONENT) - state).max())) and not notes.round_bias:
            problem = f"its bias is no multiple of {1 << BIAS_EXPONENT} units of state, as a .net needs (off by {off})"
            raise Unsupported(subject, problem, "--round-bias takes the nearest, and changes its results")
        if off:
            notes.lines.append(f"{subject}: its bias is rounded, by up to {off} units of state of 64 to a weight unit")
    if np.abs(units).max() > _BIAS_MAX:
        raise Unsupported(subject, f"its bias reaches {np.abs(units).max():,} weight units", f"at most {_BIAS_MAX:,}")
    values = _spread(units, population.shape, cells)
    return {"bias": np.full(cells[0], int(values)) if not values.ndim else values}


def _lif(population: Population, cells: Shape) -> dict[str, Any]:
    neuron = population.neuron
    assert isinstance(neuron, Lif)
    named = {
        "a lower threshold": neuron.lower_threshold is not None,
        "a reset by subtraction": neuron.reset != "zero",
        "refractory steps": neuron.refractory != 0,
        f"registers of {neuron.state_bits} bits": neuron.state_bits != STATE_BITS,
    }
    for what in (what for what, has in named.items() if has):
        raise Unsupported(f"population {population.name!r}", f"has {what}, netx neurons have none", "keep it as .nir")
    threshold = neuron.threshold if neuron.spiking else np.array(NEVER_FIRES)
    values = {"vThMant": threshold, "iDecay": neuron.current_decay, "vDecay": neuron.voltage_decay}
    spread = {name: _spread(value.astype(np.int64), population.shape, cells) for name, value in values.items()}
    return {"type": "CUBA", **spread, "refDelay": 1, "gradedSpike": False}


def _sigma_delta(population: Population, cells: Shape) -> dict[str, Any]:  # noqa: ARG001  # an encoder like the others
    neuron, subject = population.neuron, f"population {population.name!r}"
    assert isinstance(neuron, SigmaDelta)
    if (neuron.spike_exponent, neuron.state_exponent) != (SPIKE_EXPONENT, STATE_EXPONENT) and neuron.stage != "sigma":
        found = f"exponents {neuron.spike_exponent} and {neuron.state_exponent}"
        raise Unsupported(subject, found, f"netx has {SPIKE_EXPONENT} and {STATE_EXPONENT}")
    if neuron.cumulative_error or neuron.threshold.size != 1:
        raise Unsupported(subject, "accumulates its error, or has a threshold a neuron; netx does not", "")
    if neuron.stage == "sigma-delta" and neuron.activation != "relu":
        raise Unsupported(subject, f"has the activation {neuron.activation!r}", "netx has relu")
    if neuron.stage != "sigma-delta" and neuron.bias.any():
        raise Unsupported(subject, f"has a bias, which {LOADER} cannot give to it", "remove it")
    decodes = {"sigma_output": True} if neuron.stage == "sigma" else {}
    return {"type": "SDNN", "activation": "relu", "vThMant": int(neuron.threshold.reshape(-1)[0]), **decodes}


def _resonator(population: Population, cells: Shape) -> dict[str, Any]:  # noqa: ARG001  # an encoder like the others
    """Return the fields from which the loader's way through floats comes back to the same integers."""
    neuron, subject = population.neuron, f"population {population.name!r}"
    assert isinstance(neuron, Resonator)
    whole = neuron.threshold.size == neuron.sine.size == neuron.cosine.size == 1
    threshold = int(neuron.threshold.reshape(-1)[0])
    exponents = (neuron.decay_bits, neuron.state_exponent)
    if not whole or exponents != (DECAY_BITS, STATE_EXPONENT) or threshold & ((1 << STATE_EXPONENT) - 1):
        raise Unsupported(subject, f"netx has one threshold, of whole weight units, and exponents {exponents}", "")
    wanted = int(neuron.sine.reshape(-1)[0]), int(neuron.cosine.reshape(-1)[0])
    for one, other in itertools.product((0, 1, -1), repeat=2):
        sine, cosine = wanted[0] + one, wanted[1] + other
        if sine and turning(sine, cosine) == wanted:
            kind = "RF_PHASE" if neuron.kind == "phase" else "RF_IZHIKEVICH"
            return {"type": kind, "vThMant": threshold >> STATE_EXPONENT, "sinDecay": sine, "cosDecay": cosine}
    raise Unsupported(subject, f"{LOADER} cannot load the rotation {wanted}", "choose another period")


_ENCODERS: dict[type, Callable[[Population, Shape], dict[str, Any]]] = {
    Lif: _lif,
    SigmaDelta: _sigma_delta,
    Resonator: _resonator,
}


def _spread(values: Numbers, own: Shape, cells: Shape) -> Numbers:
    """Return a parameter as the loader broadcasts it: one number, one a channel, or (width, height, channels)."""
    if values.size == 1:
        return values.reshape(())
    full = np.broadcast_to(values, own).reshape(cells)
    first = full.reshape(cells[0], -1)[:, 0]
    same = (full.reshape(cells[0], -1) == first[:, np.newaxis]).all()
    return np.ascontiguousarray(first if same else full.transpose())

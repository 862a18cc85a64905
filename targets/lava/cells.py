"""Writes populations for the Lava worker: which process each model becomes, and its parameters in Lava's terms.

=========================  =====================================================================================
model                      process
=========================  =====================================================================================
plain Lif, integrator      Lava's LIFReset; an integrator gets a threshold that no membrane reaches
ternary Lif                Lava's TernaryLIF
Lif, other resets          ``worker/own``: ours, because Lava has none in fixed point
SigmaDelta                 Lava's Delta, Sigma, SigmaDelta
Resonator                  Lava's RF and RF_IZ
=========================  =====================================================================================

Cells. Lava's convolutions see (width, height, channels); every population and port of three dimensions is therefore
kept in that order here, flattened, and put back into (C, H, W) when the recording is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.errors import Unsupported
from neurodeploy.fixedpoint import DECAY_ONE, STATE_LIMIT, STATE_SHIFT
from neurodeploy.network import Population, Shape
from neurodeploy.neurons import Lif, Neuron, Resonator, SigmaDelta

Values = Mapping[str, npt.NDArray[Any]]
Entry = tuple[dict[str, Any], Values]
Order = npt.NDArray[np.intp]

#: A bias beyond this could overflow the 32-bit sum it enters.
_BIAS_MAX = 1 << 30
_REGISTER_MAX = (1 << 31) - 1
#: A threshold mantissa that no membrane reaches, 64 times which still fits 32 bits.
_NEVER = 1 << 24
#: Half the range of ``u``, in weight units.
_HELD = STATE_LIMIT >> (STATE_SHIFT + 1)


def cell_order(shape: Shape) -> Order:
    """Return which cell of the (C, H, W) flattening stands at each place of Lava's (W, H, C); else the identity."""
    cells = np.arange(np.prod(shape, dtype=np.intp))
    return cells.reshape(shape).transpose(2, 1, 0).ravel() if len(shape) == 3 else cells


def write_cells(population: Population) -> Entry:
    """Return the worker's entry for a population and its arrays, each with one value or one a cell in Lava's order.

    Raises
    ------
    Unsupported : a parameter that leaves Lava's 32-bit registers.
    """
    entry, values = _WRITERS[type(population.neuron)](population.neuron)
    for name, array in values.items():
        exponent, limit = (max(entry.get("bias_exp", 0), 0), _BIAS_MAX) if name == "bias" else (0, _REGISTER_MAX)
        if (largest := int(np.abs(array).max()) << exponent) > limit:
            found = f"its {name} reaches {largest:,}, Lava's 32-bit sum takes {limit:,}"
            raise Unsupported(f"population {population.name!r}", found, "lower it, or its exponent")
    arrays = {name: _per_cell(population, array) for name, array in values.items()}
    common = {"name": population.name, "cells": population.size, "latency": population.latency}
    return {**common, **entry, "graded": population.neuron.graded, "parameters": sorted(arrays)}, arrays


def _per_cell(population: Population, values: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
    if values.size > 1:
        values = np.broadcast_to(values, population.shape).reshape(-1)[cell_order(population.shape)]
    return values.reshape(-1).astype(np.int32)


def _lif(neuron: Lif) -> Entry:
    values = {
        "du": neuron.current_decay.astype(np.int64) - 1,
        "dv": neuron.voltage_decay.astype(np.int64),
        "vth": neuron.threshold.astype(np.int64) if neuron.spiking else np.array(_NEVER),
        "bias": neuron.bias.astype(np.int64),
    }
    entry: dict[str, Any] = {"kind": "lif", "bias_exp": neuron.bias_exponent}
    if neuron.plain or not neuron.spiking:
        return entry, values
    lower = neuron.lowest if neuron.bursts else neuron.lower_threshold
    values["lower"] = np.array(-_NEVER) if lower is None else lower.astype(np.int64)
    if neuron.reset == "zero" and not neuron.refractory:
        return {**entry, "kind": "ternary"}, values
    own = {
        "kind": "burst" if neuron.bursts else "extended",
        "subtract": neuron.reset == "subtract",
        "refractory": neuron.refractory,
    }
    return {**entry, **own}, values


def _sigma_delta(neuron: SigmaDelta) -> Entry:
    exponent = neuron.spike_exponent + neuron.state_exponent
    entry = {
        "kind": neuron.stage,
        "relu": neuron.activation == "relu",
        "cumulative": neuron.cumulative_error,
        "spike_exp": neuron.spike_exponent,
        "state_exp": neuron.state_exponent,
    }
    if neuron.stage == "sigma":
        return entry, {}
    values = {"vth": neuron.threshold.astype(np.int64) << exponent}
    if neuron.stage == "sigma-delta":
        values["bias"] = neuron.bias.astype(np.int64) << exponent
    return entry, values


def _resonator(neuron: Resonator) -> Entry:
    entry = {"kind": neuron.kind, "decay_bits": neuron.decay_bits, "state_exp": neuron.state_exponent}
    names = ("threshold", "sine", "cosine")
    return entry, {name: getattr(neuron, name).astype(np.int64) for name in names}


#: Model -> what writes its kind, its scalars and its arrays.
_WRITERS: dict[type[Neuron], Callable[[Any], Entry]] = {Lif: _lif, SigmaDelta: _sigma_delta, Resonator: _resonator}


def can_hold(population: Population) -> bool:
    """Return whether a bias may fire these neurons before the input arrives, and an inhibiting current prevents it."""
    neuron = population.neuron
    suited = isinstance(neuron, Lif) and neuron.spiking and neuron.lower_threshold is None
    return suited and population.latency > 0 and bool((neuron.bias > 0).any())


def hold(population: Population) -> npt.NDArray[np.int32]:
    """Return the input, int32 [cells, latency], that keeps ``u`` at minus half its range until the sample arrives.

    The first step brings it there; every further one replaces exactly what the decay takes. A bias below half the range
    then leaves ``v`` negative.
    """
    assert isinstance(population.neuron, Lif)
    decay = np.broadcast_to(population.neuron.current_decay, population.shape).reshape(-1)[cell_order(population.shape)]
    inputs = np.repeat(-(_HELD * decay.astype(np.int64) // DECAY_ONE)[:, np.newaxis], population.latency, axis=1)
    inputs[:, 0] = -_HELD
    return inputs.astype(np.int32)

"""Neuron parameters as the kernel takes them: one column a parameter over all cells, one row a population.

A row of ``models`` holds the reset interval (0 for none) and its phase, whether events carry payloads, which model runs
(0 leaky integrate-and-fire, 1 sigma-delta, 2 resonator) and its options:

    Lif          reset (0 to zero, 1 by subtraction, 2 burst), refractory steps
    SigmaDelta   stage (0 delta, 1 sigma, 2 both), relu, cumulative error, both exponents together, the state's own
    Resonator    izhikevich, binary places of the factors, of the state
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.fixedpoint import DECAY_ONE, REGISTER_MAX, STATE_SHIFT, shift
from neurodeploy.network import Network, Shape
from neurodeploy.neurons import Lif, Neuron, Resonator, SigmaDelta

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Columns = dict[str, npt.ArrayLike]

_COLUMNS = ("threshold", "keep_current", "keep_voltage", "bias", "lower")
_RESETS = ("zero", "subtract", "burst")
_STAGES = ("delta", "sigma", "sigma-delta")
_OPTIONS = 5


def first_shift(neuron: Neuron) -> int:
    """Return by how many bits a model's update wants its sum of weights shifted; others shift it themselves."""
    return STATE_SHIFT if isinstance(neuron, Lif) else 0


def _lif(neuron: Lif) -> Columns:
    lower = neuron.lowest if neuron.bursts else neuron.lower_threshold
    return {
        "threshold": neuron.threshold << STATE_SHIFT if neuron.spiking else REGISTER_MAX,
        "keep_current": DECAY_ONE - neuron.current_decay,
        "keep_voltage": DECAY_ONE - neuron.voltage_decay,
        "bias": shift(neuron.bias.astype(np.int64), neuron.bias_exponent),
        "lower": -REGISTER_MAX if lower is None else lower << STATE_SHIFT,
    }


def _sigma_delta(neuron: SigmaDelta) -> Columns:
    exponent = neuron.spike_exponent + neuron.state_exponent
    return {
        "threshold": neuron.threshold.astype(np.int64) << exponent,
        "bias": neuron.bias.astype(np.int64) << exponent,
    }


def _resonator(neuron: Resonator) -> Columns:
    return {"threshold": neuron.threshold, "keep_current": neuron.sine, "keep_voltage": neuron.cosine}


def _lif_options(neuron: Lif) -> tuple[int, ...]:
    return _RESETS.index(neuron.reset), neuron.refractory


def _sigma_delta_options(neuron: SigmaDelta) -> tuple[int, ...]:
    exponents = (neuron.spike_exponent + neuron.state_exponent, neuron.state_exponent)
    flags = (int(neuron.activation == "relu"), int(neuron.cumulative_error))
    return _STAGES.index(neuron.stage), *flags, *exponents


def _resonator_options(neuron: Resonator) -> tuple[int, ...]:
    return int(neuron.kind == "izhikevich"), neuron.decay_bits, neuron.state_exponent


#: Model -> its number in the kernel, its columns, its options.
_MODELS: Mapping[type[Neuron], tuple[int, Callable[[Any], Columns], Callable[[Any], tuple[int, ...]]]] = {
    Lif: (0, _lif, _lif_options),
    SigmaDelta: (1, _sigma_delta, _sigma_delta_options),
    Resonator: (2, _resonator, _resonator_options),
}


def columns(network: Network, layout: Callable[[npt.NDArray[Any], Shape], npt.NDArray[Any]]) -> dict[str, Int32]:
    """Return per-cell parameters in running order; threshold and bias in state units, decays as what is kept.

    Parameters
    ----------
    layout : brings an array whose last axis runs over the cells of a shape into the kernel's order.
    """
    parts: dict[str, list[Int32]] = {name: [] for name in _COLUMNS}
    for population in network.order:
        _, find, _ = _MODELS[type(population.neuron)]
        values = find(population.neuron)
        for name, column in parts.items():
            full = np.broadcast_to(np.asarray(values.get(name, 0)), population.shape).ravel()
            column.append(layout(full, population.shape).astype(np.int32))
    return {name: np.concatenate([*arrays, np.zeros(0, np.int32)]) for name, arrays in parts.items()}


def rows(network: Network, *, graded: bool) -> Int64:
    """Return a row of ``models`` a population, in running order; ``graded`` where any population sends payloads."""
    table = np.zeros((len(network.order), 4 + _OPTIONS), dtype=np.int64)
    for row, population in zip(table, network.order, strict=True):
        number, _, find = _MODELS[type(population.neuron)]
        options = find(population.neuron)
        phase = network.reset_phases[population.name]
        row[: 4 + len(options)] = (network.reset_interval, phase, int(graded), number, *options)
    return table

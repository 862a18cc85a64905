"""The plain neurons that stand in a NIR file for those that NIR has no node for.

Other tools then read a network of the right shape, whose notes say where it is not the one that was meant; the integers
beside it are exact.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from neurodeploy.fixedpoint import DECAY_ONE, THRESHOLD_MAX, IntArray
from neurodeploy.network import Convolution, Network, Population
from neurodeploy.neurons import Lif, Neuron, Resonator, SigmaDelta


def beyond_nir(population: Population) -> str:
    """Return why NIR has no neuron model like this, or ""."""
    neuron = population.neuron
    if not isinstance(neuron, Lif):
        return f"is a {type(neuron).__name__}"
    if neuron.lower_threshold is not None:
        return "is ternary"
    if neuron.lowest is not None and not _mirrored(neuron):
        return "has a lower bound of its membrane other than minus the threshold"
    return "is refractory" if neuron.refractory else ""


def _mirrored(neuron: Lif) -> bool:
    return neuron.lowest is not None and bool(np.all(neuron.lowest == -neuron.threshold))


def stand_ins(network: Network) -> tuple[Network, tuple[str, ...]]:
    """Return the network with each population as NIR can say it, and a sentence for each that changed."""
    notes = ["the resets on a schedule are left out"] if network.reset_interval else []
    populations = []
    for population in network.populations:
        plain = _MODELS[type(population.neuron)](population.neuron)
        nearest = _with_time_constants(network, replace(population, neuron=plain))
        reasons = [beyond_nir(population)] if beyond_nir(population) else []
        if (changed := _changed(plain, nearest)) and not reasons:
            reasons.append(f"has a {' and a '.join(changed)} that NIR has no value for")
        notes += [f"{population.name} {reason}, which NIR has no node for: the nearest is given" for reason in reasons]
        populations.append(replace(population, neuron=nearest))
    return replace(network, populations=tuple(populations), reset_interval=0, reset_offset=0), tuple(notes)


def _plain(neuron: Lif) -> Lif:
    lowest = neuron.lowest if _mirrored(neuron) else None
    return replace(neuron, lower_threshold=None, refractory=0, lowest=lowest)


def _decoded(neuron: SigmaDelta) -> Lif:
    return _integrating(np.minimum(neuron.threshold, THRESHOLD_MAX), spiking=neuron.stage != "sigma")


def _still(neuron: Resonator) -> Lif:
    return _integrating(np.clip(neuron.threshold >> neuron.state_exponent, 1, THRESHOLD_MAX))


def _integrating(threshold: IntArray, *, spiking: bool = True) -> Lif:
    return Lif(threshold, np.array(DECAY_ONE), np.array(0), spiking=spiking)


_MODELS: Mapping[type[Neuron], Callable[[Any], Lif]] = {Lif: _plain, SigmaDelta: _decoded, Resonator: _still}


def _with_time_constants(network: Network, population: Population) -> Lif:
    """Return the neurons with decays and thresholds that NIR has values for."""
    lif = population.neuron
    assert isinstance(lif, Lif)
    current, voltage = np.maximum(lif.current_decay, 1), lif.voltage_decay
    paths = network.into(population.name)
    carried = (current == DECAY_ONE).all() and paths and not isinstance(paths[0].connection, Convolution)
    if voltage.any() or (current != DECAY_ONE).any() or (lif.bias.any() and not carried):
        voltage = np.maximum(voltage, 1)
    threshold = np.maximum(lif.threshold, 1) if lif.spiking else lif.threshold
    return replace(lif, current_decay=current, voltage_decay=voltage, threshold=threshold)


def _changed(before: Lif, after: Lif) -> list[str]:
    return [name for name in ("threshold", "current_decay", "voltage_decay") if _differ(before, after, name)]


def _differ(before: Lif, after: Lif, name: str) -> bool:
    one: IntArray = getattr(before, name)
    return bool((one != getattr(after, name)).any())

"""What both compilers read from a network, and which of the two kernels can run it."""

from __future__ import annotations

from dataclasses import replace

from neurodeploy.network import Network, Population, Projection, Sparse, largest_sum, stored_weights
from neurodeploy.neurons import Lif, Neuron, input_limit


def plain(neuron: Neuron) -> bool:
    """Return whether a neuron takes the plain update; an integrator does, whose threshold is never exceeded."""
    return isinstance(neuron, Lif) and replace(neuron, spiking=True).plain


def runs_in_chunks(network: Network) -> bool:
    """Return whether the chunked kernel can run a network: plain neurons, no sparse synapses, no scheduled resets."""
    if not network.populations or network.reset_interval:
        return False
    dense = not any(isinstance(projection.connection, Sparse) for projection in network.projections)
    return dense and all(plain(population.neuron) for population in network.populations)


def uniform(population: Population) -> bool:
    """Return whether all neurons of a population share all parameters."""
    return all(values.size == 1 for values in population.neuron.arrays.values())


def common_scale(projections: list[Projection]) -> tuple[int, int]:
    """Return (1 if all weights are even, else 0) and the exponent that all projections of a population share.

    Both move into the one shift of its summed input. A negative exponent rounds each projection's sum by itself and
    cannot be shared, nor can weights be halved before it.
    """
    lowest = min((p.weight_exponent for p in projections), default=0)
    if lowest < 0:
        return 0, 0
    return int(not any((stored_weights(p.connection) & 1).any() for p in projections)), lowest


def exact_payload(network: Network) -> int:
    """Return the largest spike payload for which no 32-bit sum can overflow."""
    return min((input_limit(p.neuron) // max(_input_bound(network, p), 1) for p in network.populations), default=1)


def _input_bound(network: Network, population: Population) -> int:
    """Return the largest |sum| that spikes of payload 1 can make at one neuron of the population."""
    paths = network.into(population.name)
    return sum(largest_sum(p.connection) << max(p.weight_exponent, 0) for p in paths)

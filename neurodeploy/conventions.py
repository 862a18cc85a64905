"""Energies by the conventions of others, each under its own name: none of them is the energy of the chip at hand.

They are kept so that a number from elsewhere can be compared with one made alike, from the same counts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from neurodeploy.activity import Activity
from neurodeploy.fans import fan_of
from neurodeploy.network import Convolution, Network
from neurodeploy.tiling import Tiling

#: Joules of a 32-bit addition and of a multiplication with addition in 45 nm CMOS (Horowitz, ISSCC 2014).
ACCUMULATE_45NM, MULTIPLY_45NM = 0.9e-12, 4.6e-12

#: NeuronOPS count ten times in the power proxy of the Intel Neuromorphic DNS Challenge.
NDNS_NEURON = 10


@dataclass(frozen=True)
class Device:
    """A device of keras-spiking's ModelEnergy: joules per synaptic operation and neuron update, and if it spikes."""

    synapse: float
    neuron: float
    spiking: bool


#: Device -> keras-spiking's constants, as its source lists them. Those that do not spike visit every synapse each step.
KERAS_SPIKING = {
    "cpu": Device(8.6e-9, 8.6e-9, spiking=False),
    "gpu": Device(0.3e-9, 0.3e-9, spiking=False),
    "arm": Device(0.9e-9, 0.9e-9, spiking=False),
    "loihi": Device(27.1e-12, 81e-12, spiking=True),
    "spinnaker": Device(13.3e-9, 26e-9, spiking=True),
    "spinnaker2": Device(450e-12, 2.19e-9, spiking=True),
}


@dataclass(frozen=True)
class Conventions:
    """Figures per inference by the conventions of others.

    Attributes
    ----------
    operations_45nm_joule : synaptic operations at 0.9 pJ: arithmetic only, no memory, no neuron.
    keras_spiking_joule : device -> joules; their documentation lists what they leave out: overhead, input and output.
    ndns_proxy_operations : synaptic operations and ten times neuron updates, the N-DNS challenge's proxy of power.
    """

    operations_45nm_joule: float
    keras_spiking_joule: dict[str, float]
    ndns_proxy_operations: float


def conventions(network: Network, activity: Activity) -> Conventions:
    """Return the figures of a counted recording."""
    samples = max(activity.samples, 1)
    operations = activity.total("synaptic_operations") / samples
    updates = activity.total("neuron_updates") / samples
    every = dense_operations(network) * activity.steps
    keras = {
        name: device.synapse * (operations if device.spiking else every) + device.neuron * updates
        for name, device in KERAS_SPIKING.items()
    }
    return Conventions(operations * ACCUMULATE_45NM, keras, operations + NDNS_NEURON * updates)


def dense_operations(network: Network) -> int:
    """Return the synaptic operations of a step in which every neuron and every input fires."""
    total = 0
    for projection in network.projections:
        shape = network.by_name[projection.target].shape
        extents = shape if isinstance(projection.connection, Convolution) else (math.prod(shape),)
        fan = fan_of(projection, network.by_name[projection.source].shape, Tiling(extents, extents))
        total += int(fan.fan_out().sum())
    return total

"""What the kernels need of each neuron model: its columns of parameters, flags and numbers.

==========================================  ============  ==============================================================
model                                       kernel        states
==========================================  ============  ==============================================================
:class:`~neurodeploy.neurons.Lif`           ``neurons``   u, v; where plain or an integrator
the same, with any other reset or feature   ``variants``  u, v, frozen
:class:`~neurodeploy.neurons.SigmaDelta`    ``variants``  sigma, act, residue, error
:class:`~neurodeploy.neurons.Resonator`     ``variants``  real, imaginary
==========================================  ============  ==============================================================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.fixedpoint import DECAY_ONE, REGISTER_MAX, STATE_SHIFT, shift
from neurodeploy.network import Population
from neurodeploy.neurons import Lif, Neuron, Resonator, SigmaDelta
from neurodeploy.targets.emulator.cuda.weights import Int64, channel_last

#: What :func:`kernels.variants` calls the models and the stages of one of them.
LIF, SIGMA_DELTA, RESONATOR, BURST = 0, 1, 2, 3
STAGES = {"delta": 0, "sigma": 1, "sigma-delta": 2}


@dataclass(frozen=True, eq=False)
class Model:
    """A population's neurons as a kernel takes them.

    Attributes
    ----------
    plain : whether the kernel ``neurons`` runs them.
    loud : whether they send integers of any size.
    threshold, first, second, bias, lower : int64 [1] or [size], channel-last. The second and third are what is kept of
        current and voltage in 4096ths, or a resonator's sine and cosine.
    recorded : which two of the states are kept as u and v.
    flags : the kernel's compile-time constants, for ``variants``.
    refractory, exponent, below : steps; bits by which state is above input, and state above payload.
    """

    plain: bool
    loud: bool
    threshold: Int64
    first: Int64
    second: Int64
    bias: Int64
    lower: Int64
    recorded: tuple[int, int]
    flags: Mapping[str, Any] = field(default_factory=dict)
    refractory: int = 0
    exponent: int = 0
    below: int = 0


def model_of(population: Population) -> Model:
    """Return a population's neurons as a kernel takes them."""
    return _MODELS[type(population.neuron)](population.neuron, population)


def _per_cell(values: npt.ArrayLike, population: Population) -> Int64:
    array = np.asarray(values, dtype=np.int64)
    if array.size == 1:
        return array.reshape(1)
    return channel_last(np.broadcast_to(array, population.shape).reshape(-1), population.shape)


def _columns(population: Population, *columns: npt.ArrayLike) -> tuple[Int64, Int64, Int64, Int64, Int64]:
    threshold, first, second, bias, lower = (_per_cell(values, population) for values in columns)
    return threshold, first, second, bias, lower


def _lif(neuron: Lif, population: Population) -> Model:
    # A threshold that no membrane exceeds is as good as none.
    lower = neuron.lowest if neuron.bursts else neuron.lower_threshold
    columns = _columns(
        population,
        neuron.threshold.astype(np.int64) << STATE_SHIFT if neuron.spiking else REGISTER_MAX,
        DECAY_ONE - neuron.current_decay,
        DECAY_ONE - neuron.voltage_decay,
        shift(neuron.bias.astype(np.int64), neuron.bias_exponent),
        -REGISTER_MAX if lower is None else lower.astype(np.int64) << STATE_SHIFT,
    )
    plain = neuron.plain or not neuron.spiking
    flags = {"MODEL": BURST if neuron.bursts else LIF, "STAGE": 0, "RELU": False, "CUMULATIVE": False}
    flags["SUBTRACT"] = neuron.reset == "subtract"
    return Model(plain, neuron.bursts, *columns, (0, 1), flags, neuron.refractory)


def _sigma_delta(neuron: SigmaDelta, population: Population) -> Model:
    exponent = neuron.spike_exponent + neuron.state_exponent
    columns = _columns(
        population, neuron.threshold.astype(np.int64) << exponent, 0, 0, neuron.bias.astype(np.int64) << exponent, 0
    )
    flags = {
        "MODEL": SIGMA_DELTA,
        "STAGE": STAGES[neuron.stage],
        "RELU": neuron.activation == "relu",
        "CUMULATIVE": neuron.cumulative_error,
        "SUBTRACT": False,
    }
    u, v = (neuron.states.index(name) for name in neuron.recorded)
    below = 0 if neuron.stage == "sigma" else neuron.state_exponent
    return Model(False, True, *columns, (u, v), flags, exponent=exponent, below=below)


def _resonator(neuron: Resonator, population: Population) -> Model:
    columns = _columns(population, neuron.threshold, neuron.sine, neuron.cosine, 0, 0)
    flags = {
        "MODEL": RESONATOR,
        "STAGE": 0,
        "RELU": False,
        "CUMULATIVE": False,
        "SUBTRACT": neuron.kind == "izhikevich",
    }
    return Model(False, False, *columns, (0, 1), flags, exponent=neuron.decay_bits)


_MODELS: dict[type[Neuron], Callable[[Any, Population], Model]] = {
    Lif: _lif,
    SigmaDelta: _sigma_delta,
    Resonator: _resonator,
}

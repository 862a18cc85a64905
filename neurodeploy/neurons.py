"""The neuron models of an integer network: parameters and equations; the steps stand in a file a model.

Every model names its state, in ``states``, and says in ``recorded`` which two of them a recording keeps as ``u`` and
``v``. :mod:`neurodeploy.dynamics` is the table from model to golden step.

======================  ===============================  ==========================================================
model                   golden step                      counterpart in lava-nc 0.10.0
======================  ===============================  ==========================================================
:class:`Lif`            :mod:`neurodeploy.neuron`        LIF, TernaryLIF; none for other resets, refractory steps
:class:`SigmaDelta`     :mod:`neurodeploy.sigma_delta`   Delta, Sigma, SigmaDelta
:class:`Resonator`      :mod:`neurodeploy.resonator`     RF, RF_IZ
======================  ===============================  ==========================================================
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from neurodeploy.errors import InputError
from neurodeploy.fixedpoint import REGISTER_MAX, STATE_BITS, STATE_SHIFT, IntArray

Reset = Literal["zero", "subtract", "burst"]
Stage = Literal["delta", "sigma", "sigma-delta"]
Activation = Literal["unit", "relu"]
Resonance = Literal["phase", "izhikevich"]


def integers(values: npt.ArrayLike, dtype: npt.DTypeLike, name: str = "values") -> IntArray:
    """Return the values as a read-only integer array; one that is that already is not copied.

    Raises
    ------
    InputError : ``name`` holds NaN, infinity, fractions, anything that is no number, or one that ``dtype`` cannot hold.
    """
    if isinstance(values, np.ndarray) and values.dtype == dtype and not values.flags.writeable:
        return values
    try:
        given = np.asarray(values)
    except ValueError as error:
        raise InputError(name, f"is no array ({error})", "give rows of equal length") from error
    if given.dtype.kind not in "iubf":
        raise InputError(name, f"is of type {given.dtype}", "give whole numbers")
    if given.dtype.kind == "f":
        if not np.isfinite(given).all():
            raise InputError(name, "holds NaN or infinity", "give whole numbers")
        if (broken := given != np.trunc(given)).any():
            raise InputError(name, f"holds fractions, such as {given[broken].flat[0]}", "round them as you mean them")
    limits = np.iinfo(np.dtype(dtype))
    if given.size and given.dtype != limits.dtype and not (given.min() >= limits.min and given.max() <= limits.max):
        found = f"is {given.min():,} to {given.max():,}, a register of {limits.bits} bits holds {limits.max:,}"
        raise InputError(name, found, "scale it into range")
    array = np.array(given, dtype=dtype)
    array.setflags(write=False)
    return array


def _zero() -> IntArray:
    return integers(0, np.int32)


class _Model:
    """What the models share: their arrays by name.

    Attributes
    ----------
    parameters : names of the array fields.
    states : names of the integers a neuron remembers from step to step; all 0 at the start and after a scheduled reset.
    inputs : how many sums of weighted spikes a neuron takes in a step; 2 for real and imaginary.
    """

    parameters: ClassVar[tuple[str, ...]]
    states: ClassVar[tuple[str, ...]]
    inputs: ClassVar[int] = 1

    def __post_init__(self) -> None:
        for name in self.parameters:
            if (values := getattr(self, name)) is not None:
                object.__setattr__(self, name, integers(values, np.int32, f"{type(self).__name__} {name}"))

    @property
    def arrays(self) -> dict[str, IntArray]:
        """The array parameters that are given, by name; each is broadcast to the population's shape."""
        named = ((name, getattr(self, name)) for name in self.parameters)
        return {name: values for name, values in named if values is not None}


@dataclass(frozen=True, eq=False)
class Lif(_Model):
    """Parameters of leaky integrate-and-fire neurons; each array is broadcast to the population's shape.

    ::

        u = wrap(decay(u, current_decay) + 64 a)
        v = saturate(decay(v, voltage_decay) + u + bias)         not in refractory steps: there v stays as it is
        s = (v > 64 threshold) - (v < 64 lower_threshold)        0 in refractory steps, and always where not spiking
        v = 0, or v - 64 (the threshold it crossed)              where s is not 0; `refractory` more steps are frozen

    and for the reset ``burst``, by which a neuron sends as many spikes at once as its membrane holds thresholds::

        s = floor(max(v, 0) / (64 threshold))
        v = max(v - 64 threshold s, 64 lowest)                   `lowest` only where it is given

    Attributes
    ----------
    threshold : mantissa; a neuron fires where ``v > 64 * threshold``. 0..131071.
    current_decay, voltage_decay : 0..4096 per step; 4096 forgets everything, 0 nothing.
    bias, bias_exponent : ``bias * 2^bias_exponent`` is added to ``v`` in every step.
    lower_threshold : where given, the neurons are ternary and send -1 where ``v < 64 * lower_threshold``.
    reset : the membrane after a spike: 0, or less by the threshold it crossed, once a step however far above it was; or
        ``burst``, see above.
    lowest : mantissa; the membrane of a bursting neuron is kept from falling below ``64 * lowest``. None: it is not.
    refractory : steps after a spike in which the membrane keeps its reset value and cannot fire, while u goes on.
    spiking : False for an integrator that never fires; its v is the answer.
    state_bits : width of u and v, sign included: u wraps, and v saturates, at 2^(state_bits - 1).
    """

    threshold: IntArray
    current_decay: IntArray
    voltage_decay: IntArray
    bias: IntArray = field(default_factory=_zero)
    bias_exponent: int = 0
    lower_threshold: IntArray | None = None
    reset: Reset = "zero"
    refractory: int = 0
    spiking: bool = True
    lowest: IntArray | None = None
    state_bits: int = STATE_BITS

    parameters = ("threshold", "current_decay", "voltage_decay", "bias", "lower_threshold", "lowest")
    states = ("u", "v", "frozen")

    @property
    def state_limit(self) -> int:
        """The largest u; v ends one below it."""
        return 1 << (self.state_bits - 1)

    @property
    def recorded(self) -> tuple[str, str]:
        """The synaptic current as u and the membrane potential, after its reset, as v."""
        return "u", "v"

    @property
    def graded(self) -> bool:
        """Whether its spikes are other integers than 0 and 1."""
        return self.lower_threshold is not None or self.bursts

    @property
    def bursts(self) -> bool:
        """Whether it sends several spikes in one step, as their number."""
        return self.reset == "burst"

    @property
    def answers_by_state(self) -> bool:
        """Whether its answer is v and not what it sends."""
        return not self.spiking

    @property
    def plain(self) -> bool:
        """Whether it is the leaky integrate-and-fire neuron that every chip has: binary spikes, reset to zero."""
        return self.lower_threshold is None and self.reset == "zero" and self.refractory == 0 and self.spiking


@dataclass(frozen=True, eq=False)
class SigmaDelta(_Model):
    """Parameters of sigma-delta neurons, which send integers: by how much their activation has changed.

    With ``x = spike_exponent + state_exponent`` and all state in 32-bit registers that wrap::

        sigma    = sigma + a                                         stages sigma and sigma-delta
        new      = activation(sigma + bias 2^x)                      sigma-delta;  a 2^x in the stage delta
        delta    = new - act + residue
        error    = error + delta                                     cumulative_error only
        sent     = delta where |delta| >= threshold 2^x, else 0      |error| in place of |delta| if cumulative_error
        residue  = delta - sent,  act = new,  error = 0 where sent
        s        = floor(sent / 2^state_exponent)

    The stage ``sigma`` decodes only and sends sigma itself, each step.

    Attributes
    ----------
    threshold : smallest change that is sent.
    bias : added to sigma before the activation; stage sigma-delta only.
    stage : encoder of its summed input, decoder, or decoder, activation and encoder in one.
    activation : none, or max(0, x).
    cumulative_error : compare the sum of all changes since the last spike instead of the pending one.
    spike_exponent, state_exponent : binary places of the spikes' payload, and of the state beyond it.
    """

    threshold: IntArray
    bias: IntArray = field(default_factory=_zero)
    stage: Stage = "sigma-delta"
    activation: Activation = "relu"
    cumulative_error: bool = False
    spike_exponent: int = 0
    state_exponent: int = 0

    parameters = ("threshold", "bias")
    states = ("sigma", "act", "residue", "error")

    @property
    def recorded(self) -> tuple[str, str]:
        """The decoded sum as u (the last input of an encoder) and what is yet unsent as v (a decoder's sum)."""
        return {"delta": ("act", "residue"), "sigma": ("sigma", "sigma"), "sigma-delta": ("sigma", "residue")}[
            self.stage
        ]

    @property
    def graded(self) -> bool:
        """Whether its spikes are other integers than 0 and 1: always."""
        return True

    @property
    def answers_by_state(self) -> bool:
        """Whether its answer is v: that of a decoder is its sum."""
        return self.stage == "sigma"


@dataclass(frozen=True, eq=False)
class Resonator(_Model):
    """Parameters of resonate-and-fire neurons: a complex membrane that turns and shrinks in every step.

    With ``t(x)`` for ``x / 2^decay_bits`` rounded toward zero, and both new values held within +-(2^23 - 1)::

        real'      = t(cosine real) - t(sine imaginary) + a 2^state_exponent
        imaginary' = t(sine real) + t(cosine imaginary) + b 2^state_exponent       b: from projections marked imaginary
        phase:       s = real' >= threshold and imaginary' >= 0 > imaginary        no reset
        izhikevich:  s = imaginary' >= threshold;  then real' = 0, imaginary' = threshold - 1

    Attributes
    ----------
    threshold : in state units, that is with the state exponent applied.
    sine, cosine : ``(1 - loss) sin(2 pi / period) 2^decay_bits``, and of the cosine, as integers.
    """

    threshold: IntArray
    sine: IntArray
    cosine: IntArray
    kind: Resonance = "phase"
    decay_bits: int = 12
    state_exponent: int = 6

    parameters = ("threshold", "sine", "cosine")
    states = ("real", "imaginary")
    inputs = 2

    @property
    def recorded(self) -> tuple[str, str]:
        """The real part as u and the imaginary part as v, after the reset."""
        return "real", "imaginary"

    @property
    def graded(self) -> bool:
        """Whether its spikes are other integers than 0 and 1: never."""
        return False

    @property
    def answers_by_state(self) -> bool:
        """Whether its answer is v and not what it sends: never."""
        return False

    @property
    def bias(self) -> IntArray:
        """Nothing: a resonator takes none."""
        return _zero()


Neuron = Lif | SigmaDelta | Resonator


def input_shift(neuron: Neuron) -> int:
    """Return by how many bits a model shifts its summed input in a 32-bit register."""
    if isinstance(neuron, Resonator):
        return neuron.state_exponent
    return STATE_SHIFT if isinstance(neuron, Lif) else 0


def input_limit(neuron: Neuron) -> int:
    """Return the largest summed input for which no 32-bit register overflows."""
    return REGISTER_MAX >> input_shift(neuron)

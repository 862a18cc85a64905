"""Which tool wrote a bare NIR file, and so how its neurons run in time: guessed from its numbers, never applied.

The exporters turn their own constants into those of NIR in ways that leave traces. A reading that fits is proposed in
the error that a bare file ends in; the choice stays with the user, for several readings can fit one file.

============  ==================================================================================================
snntorch      ``r = tau / dt``, so that the input has the gain 1 (``w_in = tau_syn / dt`` likewise), dt = 1e-4 s
rockpool      ``r = tau / dt exp(-dt / tau)``
norse         ``r = 1``, ``tau`` in seconds above 1e-3 s; or times dt, by a defect of its exporter: then dt = 1e-6 s
spikingjelly  ``r = 1`` or ``r = tau / dt``, ``tau`` in steps of 1e-4 s; without leak ``r = 1 / dt``
sinabs        ``r = 1``, ``tau`` counts steps
============  ==================================================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neurodeploy.graph import Neuron
from neurodeploy.semantics import PRESET_DT

Floats = npt.NDArray[np.float64]

#: Files hold float32: a constant that was computed from another agrees to this relative error.
_NEAR = 1e-4


@dataclass(frozen=True)
class Proposal:
    """A reading that fits a file: a preset, seconds of a step, and the trace that speaks for it."""

    preset: str
    dt: float
    because: str

    def __str__(self) -> str:
        return f"--semantics {self.preset} --dt {self.dt:g} ({self.because})"


def propose(neurons: Iterable[Neuron]) -> list[Proposal]:
    """Return the readings that fit all these neurons, the most telling trace first; none may."""
    every = [neuron for neuron in neurons if _usable(neuron)]
    if not every:
        return []
    leaky = [neuron for neuron in every if neuron.tau_mem is not None]
    spiking = [neuron for neuron in every if neuron.tau_mem is None and neuron.spiking]
    if not leaky:
        return _integrators(spiking)
    return [found for rule in _RULES if (found := rule(leaky, spiking)) is not None]


def _usable(neuron: Neuron) -> bool:
    arrays = [a for a in (neuron.r, neuron.tau_mem, neuron.tau_syn, neuron.w_in) if a is not None]
    return all(a.size and np.isfinite(a).all() and (np.asarray(a) > 0).all() for a in arrays)


def _snntorch(leaky: Sequence[Neuron], _integrators: Sequence[Neuron]) -> Proposal | None:
    dt = _common([_tau(n) / np.asarray(n.r, np.float64) for n in leaky])
    if dt is None or not _round(dt) or _unit(leaky):
        return None
    return Proposal("snntorch", _rounded(dt), f"r = tau/dt for every neuron with dt = {_rounded(dt):g} s")


def _rockpool(leaky: Sequence[Neuron], _integrators: Sequence[Neuron]) -> Proposal | None:
    from scipy.special import lambertw

    # r = exp(-x) / x with x = dt / tau, so x is Lambert's W of 1 / r.
    dt = _common([_tau(n) * np.real(lambertw(1.0 / np.asarray(n.r, np.float64))) for n in leaky])
    if dt is None or not _round(dt) or _unit(leaky):
        return None
    return Proposal("rockpool", _rounded(dt), f"r = tau/dt exp(-dt/tau) for every neuron with dt = {_rounded(dt):g} s")


def _spikingjelly(leaky: Sequence[Neuron], integrators: Sequence[Neuron]) -> Proposal | None:
    dt = PRESET_DT["spikingjelly"]
    per_time = all(_near(np.asarray(n.r, np.float64) * dt, 1.0) for n in integrators)
    scaled = _common([_tau(n) / np.asarray(n.r, np.float64) for n in leaky])
    unit_gain = scaled is not None and abs(scaled - dt) <= _NEAR * dt
    if not per_time or not (unit_gain or _unit(leaky)) or not _within(leaky, dt, 200 * dt):
        return None
    said = "r = tau/dt" if unit_gain else "r = 1"
    return Proposal("spikingjelly", dt, f"{said} and every tau is 1 to 200 steps of {dt:g} s")


def _norse(leaky: Sequence[Neuron], integrators: Sequence[Neuron]) -> Proposal | None:
    dt = PRESET_DT["norse"]
    if not _unit(leaky) or not _unit(integrators):
        return None
    if _within(leaky, dt, 1.0):
        return Proposal("norse", dt, f"r = 1 and every tau is between {dt:g} and 1 s")
    if _within(leaky, dt * dt, 0.1 * dt):
        return Proposal("norse", dt * dt, "r = 1 and every tau is below 0.1 ms: Norse writes dt tau unless told dt=1")
    return None


def _sinabs(leaky: Sequence[Neuron], integrators: Sequence[Neuron]) -> Proposal | None:
    if not _unit(leaky) or not _unit(integrators) or not _within(leaky, 1.0, np.inf):
        return None
    return Proposal("sinabs", 1.0, "r = 1 and every tau is 1 or more: it counts steps")


def _integrators(neurons: Sequence[Neuron]) -> list[Proposal]:
    """Return what fits neurons without a leak, which have only r to tell."""
    if not neurons:
        return []
    if _unit(neurons):
        told = "r = 1 per step, without a leak"
        return [Proposal(name, PRESET_DT[name], told) for name in ("sinabs", "norse", "snntorch")]
    dt = _common([1.0 / np.asarray(n.r, np.float64) for n in neurons])
    if dt is None or not _round(dt):
        return []
    return [Proposal("spikingjelly", _rounded(dt), f"r = 1/dt with dt = {_rounded(dt):g} s, without a leak")]


def _tau(neuron: Neuron) -> Floats:
    assert neuron.tau_mem is not None
    return np.asarray(neuron.tau_mem, np.float64)


def _unit(neurons: Sequence[Neuron]) -> bool:
    return all(_near(np.asarray(n.r, np.float64), 1.0) for n in neurons)


def _within(neurons: Sequence[Neuron], low: float, high: float) -> bool:
    """Return whether every time constant of these neurons lies in this range, up to rounding."""
    taus = [tau for n in neurons for tau in (n.tau_mem, n.tau_syn) if tau is not None]
    return all(float(tau.min()) >= low * (1 - _NEAR) and float(tau.max()) <= high * (1 + _NEAR) for tau in taus)


def _common(values: Sequence[Floats]) -> float | None:
    """Return the one value that all of these are, or None."""
    flat = np.concatenate([np.ravel(each) for each in values])
    return float(np.median(flat)) if _near(flat, float(np.median(flat))) else None


def _near(values: Floats, wanted: float) -> bool:
    return bool((np.abs(values - wanted) <= _NEAR * abs(wanted)).all())


def _rounded(value: float) -> float:
    return float(f"{value:.2g}")


def _round(value: float) -> bool:
    """Return whether a duration is one that people choose: two digits."""
    return abs(value - _rounded(value)) <= _NEAR * value


#: Rules for networks with a leak, the most telling first.
_RULES: tuple[Callable[[Sequence[Neuron], Sequence[Neuron]], Proposal | None], ...] = (
    _snntorch,
    _rockpool,
    _norse,
    _spikingjelly,
    _sinabs,
)

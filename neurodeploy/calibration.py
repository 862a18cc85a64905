"""What real samples do to the registers of an integer network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.errors import InputError
from neurodeploy.events import EventInput
from neurodeploy.fixedpoint import STATE_BITS
from neurodeploy.network import Network, Population
from neurodeploy.recording import Recording
from neurodeploy.simulation import check_spikes, ports, simulate
from neurodeploy.state_width import outside, widened

Spikes = npt.NDArray[Any] | EventInput

#: Samples run at a time: u and v of every neuron and step are held for these only.
_CHUNK = 32
#: Spikes per neuron and step from which a population counts as firing without end, and the float rate it must be above.
_SATURATED, _LIVELY = 0.999, 0.9


@dataclass(frozen=True)
class Peaks:
    """Largest |u| and |v| after a step, how often u wrapped and v saturated, mean spikes per neuron and step."""

    u: int
    v: int
    wraps: int
    clips: int
    rate: float
    state_bits: int = STATE_BITS

    def as_dict(self) -> dict[str, Any]:
        """Return the peaks as JSON values, with their share of the range of the registers."""
        limit = 1 << (self.state_bits - 1)
        return {**asdict(self), "u_range": self.u / limit, "v_range": self.v / limit}


def calibrate(
    network: Network, spikes: Spikes | Mapping[str, Spikes], state_bits: int = STATE_BITS
) -> dict[str, Peaks]:
    """Return the peaks of every population over all samples of ``spikes``.

    Parameters
    ----------
    state_bits : width of the chip's u and v. The run is one of 24 bits; of fewer, a value beyond them counts as one
        that would have wrapped or been held, and its size is told as it was.
    """
    network = widened(network)
    checked = check_spikes(ports(network), spikes)
    samples = len(next(iter(checked.values())))
    found: dict[str, list[Peaks]] = {p.name: [] for p in network.populations}
    weights = []
    for start in range(0, samples, _CHUNK):
        part = {name: values[start : start + _CHUNK] for name, values in checked.items()}
        recording = simulate(network, part, record=("u", "v"))
        weights.append(recording.samples)
        for population in network.populations:
            found[population.name].append(_peaks(recording, population, state_bits))
    return {name: _joined(peaks, weights) for name, peaks in found.items()}


def require_alive(peaks: Mapping[str, Peaks], float_rates: Mapping[str, float]) -> None:
    """Raise :class:`InputError` for a population that fell silent, or fires without end, only in integers.

    Parameters
    ----------
    float_rates : population -> spikes per neuron and step of the float network; read-outs are absent.
    """
    advice = "take more weight bits, another clipping or scales by channel; --allow-dead keeps it as it is"
    for name, real in float_rates.items():
        whole = peaks[name].rate
        if real > 0 and whole == 0:
            found = f"is dead in integers: it fires {real:.3g} times per neuron and step in the float network"
            raise InputError(f"population {name!r}", found, advice)
        if whole >= _SATURATED and real < _LIVELY:
            found = f"fires in every step in integers, and {real:.3g} times per neuron and step in the float network"
            raise InputError(f"population {name!r}", found, advice)


def require_weights(
    name: str, floats: Iterable[npt.NDArray[Any]], integers: Iterable[npt.NDArray[Any]], headroom: int = 0
) -> None:
    """Raise :class:`InputError` for a population of which every weight has become 0.

    Parameters
    ----------
    headroom : how many times its scale was halved to keep its registers in their range.
    """
    if not any(w.any() for w in floats) or any(w.any() for w in integers):
        return
    problem, advice = "they are too small beside its threshold", "train a smaller threshold; --allow-dead keeps it"
    if headroom:
        problem = "its scale had to fall so far that no register leaves its range"
        advice = "shorten the samples, lower the payloads, or normalise inputs"
    raise InputError(f"population {name!r}", f"every weight is 0 in integers: {problem}", advice)


def _peaks(recording: Recording, population: Population, state_bits: int) -> Peaks:
    name = population.name
    u, v = recording.u[name], recording.v[name]
    wraps, clips = recording.wraps[name], recording.clips[name]
    if state_bits < STATE_BITS:
        wraps, clips = outside(recording, population, state_bits)
    rate = float(recording.spikes[name].mean())
    return Peaks(_largest(u), _largest(v), wraps, clips, rate, state_bits)


def _largest(values: npt.NDArray[Any]) -> int:
    return max(int(values.max()), -int(values.min()))


def _joined(peaks: list[Peaks], weights: list[int]) -> Peaks:
    return Peaks(
        u=max(p.u for p in peaks),
        v=max(p.v for p in peaks),
        wraps=sum(p.wraps for p in peaks),
        clips=sum(p.clips for p in peaks),
        rate=float(np.average([p.rate for p in peaks], weights=weights)),
        state_bits=peaks[0].state_bits,
    )

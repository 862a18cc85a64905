"""What real samples do to the registers of an integer network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.events import EventInput
from neurodeploy.fixedpoint import STATE_LIMIT
from neurodeploy.network import Network
from neurodeploy.simulation import check_spikes, ports, simulate

Spikes = npt.NDArray[Any] | EventInput

#: Samples run at a time: u and v of every neuron and step are held for these only.
_CHUNK = 32


@dataclass(frozen=True)
class Peaks:
    """Largest |u| and |v| after a step, how often u wrapped and v saturated, mean spikes per neuron and step."""

    u: int
    v: int
    wraps: int
    clips: int
    rate: float

    def as_dict(self) -> dict[str, Any]:
        """Return the peaks as JSON values, with their share of the 24-bit range."""
        return {**asdict(self), "u_range": self.u / STATE_LIMIT, "v_range": self.v / STATE_LIMIT}


def calibrate(network: Network, spikes: Spikes | Mapping[str, Spikes]) -> dict[str, Peaks]:
    """Return the peaks of every population over all samples of ``spikes``."""
    checked = check_spikes(ports(network), spikes)
    samples = len(next(iter(checked.values())))
    found: dict[str, list[Peaks]] = {p.name: [] for p in network.populations}
    weights = []
    for start in range(0, samples, _CHUNK):
        part = {name: values[start : start + _CHUNK] for name, values in checked.items()}
        recording = simulate(network, part, record=("u", "v"))
        weights.append(recording.samples)
        for name, peaks in found.items():
            peaks.append(
                Peaks(
                    u=int(np.abs(recording.u[name]).max()),
                    v=int(np.abs(recording.v[name]).max()),
                    wraps=recording.wraps[name],
                    clips=recording.clips[name],
                    rate=float(recording.spikes[name].mean()),
                )
            )
    return {name: _joined(peaks, weights) for name, peaks in found.items()}


def _joined(peaks: list[Peaks], weights: list[int]) -> Peaks:
    return Peaks(
        u=max(p.u for p in peaks),
        v=max(p.v for p in peaks),
        wraps=sum(p.wraps for p in peaks),
        clips=sum(p.clips for p in peaks),
        rate=float(np.average([p.rate for p in peaks], weights=weights)),
    )

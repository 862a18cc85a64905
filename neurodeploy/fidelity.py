"""How close one population's spikes, or its membrane, come to those of its float twin.

::

    distance    sqrt(sum (f * d)^2 / sum (f * s)^2)     d the differing spikes, s the float ones, f = exp(-t / 4 steps)
    agreement   share of the spikes of both trains that have a partner at most one step away in the other
    counts      sum over samples and neurons of |count - float count|, as a share of the float spikes

``distance`` is van Rossum's (2001), over all neurons and relative to the float trains; 0 where nothing differs.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.moments import filtered

Cells = npt.NDArray[Any]

#: What the exponential filter of the distance keeps per step: a time constant of four steps.
_KEPT = math.exp(-1 / 4)
#: Steps by which a spike may be early or late and still agree.
SHIFT = 1


@dataclass(frozen=True)
class Fidelity:
    """How one population's trains differ from the float ones.

    Attributes
    ----------
    rate, float_rate : spikes per neuron and step.
    first_step : the first step in which any spike differs, over all samples; None where none does.
    """

    distance: float
    agreement: float
    counts: float
    rate: float
    float_rate: float
    first_step: int | None

    def as_dict(self) -> dict[str, Any]:
        """Return the measures as JSON values."""
        return asdict(self)


def fidelity(real: Cells, whole: Cells) -> Fidelity:
    """Return how integer trains differ from float ones, both [samples, steps, *shape]."""
    differing = np.flatnonzero((real != whole).swapaxes(0, 1).reshape(real.shape[1], -1).any(axis=1))
    totals = real.sum(axis=1, dtype=np.int64), whole.sum(axis=1, dtype=np.int64)
    return Fidelity(
        distance=train_distance(real, whole),
        agreement=tolerant_agreement(real, whole),
        counts=_share(float(np.abs(totals[0] - totals[1]).sum()), float(totals[0].sum())),
        rate=float(np.count_nonzero(whole) / whole.size),
        float_rate=float(np.count_nonzero(real) / real.size),
        first_step=int(differing[0]) if differing.size else None,
    )


def train_distance(real: Cells, whole: Cells) -> float:
    """Return the distance of van Rossum over all neurons, relative to the float trains."""
    difference = real.astype(np.int32) - whole.astype(np.int32)
    apart = np.square(filtered(difference, _KEPT, 0.0), dtype=np.float64).sum()
    return math.sqrt(_share(float(apart), float(np.square(filtered(real, _KEPT, 0.0), dtype=np.float64).sum())))


def tolerant_agreement(real: Cells, whole: Cells, shift: int = SHIFT) -> float:
    """Return the share of the spikes of both trains with a partner at most ``shift`` steps away in the other."""
    a, b = real != 0, whole != 0
    spikes = int(a.sum()) + int(b.sum())
    met = int((a & _near(b, shift)).sum()) + int((b & _near(a, shift)).sum())
    return met / spikes if spikes else 1.0


def state_distance(real: Cells, restored: Cells) -> float:
    """Return the root mean square error of a membrane relative to the float one's root mean square."""
    return math.sqrt(_share(float(np.square(restored - real).sum()), float(np.square(real).sum())))


def _near(spikes: npt.NDArray[np.bool_], shift: int) -> npt.NDArray[np.bool_]:
    near = spikes.copy()
    for offset in range(1, shift + 1):
        near[:, offset:] |= spikes[:, :-offset]
        near[:, :-offset] |= spikes[:, offset:]
    return near


def _share(part: float, whole: float) -> float:
    """Return ``part / whole``; of nothing, the part itself."""
    return part / whole if whole > 0 else part

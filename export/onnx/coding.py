"""How a real-valued input enters a spiking network: as payloads of every step, or as a rate of spikes.

=========  ======================================================  =========================
coding     what cell x sends in step t (``unit``: worth of one)    range
=========  ======================================================  =========================
payload    ``round(x / unit)``, the same in every step             any, in whole units
rate       1 where ``floor((t + 1) r + 1/2)`` exceeds              0 to ``unit``; beyond, it
           ``floor(t r + 1/2)``, with ``r = x / unit``             is cut off
=========  ======================================================  =========================

The rate is that of evenly spaced spikes: after t steps their number differs from ``t r`` by at most a half.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.errors import UsageError

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Coding:
    """A coding and what one spike of payload 1 in every step is worth."""

    kind: str
    unit: float

    def encode(self, inputs: Array, steps: int) -> npt.NDArray[np.integer[Any]]:
        """Return integers [samples, steps, *shape] for ``inputs`` [samples, *shape]."""
        return _ENCODERS[self.kind](np.asarray(inputs, dtype=np.float64) / self.unit, steps)

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)


def choose_coding(kind: str, inputs: Array, levels: int) -> Coding:
    """Return the coding for inputs like these.

    Parameters
    ----------
    levels : payload of the largest input.

    Raises
    ------
    UsageError : an unknown kind, inputs that are not finite or all 0, negative ones for a rate.
    """
    if kind not in _ENCODERS:
        raise UsageError("--coding", f"{kind!r} is none", f"one of {', '.join(_ENCODERS)}")
    largest = float(np.abs(inputs).max(initial=0.0))
    if not 0 < largest < np.inf:
        raise UsageError("inputs", f"are 0 throughout, or hold {largest}", "give finite data")
    if kind == "rate" and inputs.min() < 0:
        raise UsageError("--coding rate", "the inputs hold negative numbers", "use --coding payload")
    return Coding(kind, largest if kind == "rate" else largest / levels)


def _payload(units: Array, steps: int) -> npt.NDArray[np.integer[Any]]:
    whole = np.rint(units).astype(np.int32)
    return np.repeat(whole[:, None], steps, axis=1)


def _rate(units: Array, steps: int) -> npt.NDArray[np.integer[Any]]:
    rate = np.clip(units, 0, 1)[:, None]
    edges = np.arange(steps + 1).reshape(1, -1, *[1] * (units.ndim - 1))
    sent = np.diff(np.floor(edges * rate + 0.5), axis=1)
    return np.asarray(sent, dtype=np.uint8)


_ENCODERS: dict[str, Callable[[Array, int], npt.NDArray[np.integer[Any]]]] = {"payload": _payload, "rate": _rate}
#: The names of the codings.
CODINGS = tuple(_ENCODERS)

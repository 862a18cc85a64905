"""What a golden step takes and returns, whichever the neuron model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

State = Mapping[str, npt.NDArray[np.int64]]
Sums = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


class Step(NamedTuple):
    """State and spikes after a step, and where arithmetic left its range.

    Attributes
    ----------
    state : name -> int64 [..., *shape], the model's ``states``.
    s : integer [..., *shape]: 0 and 1, or the payloads of a graded model.
    wrapped, clipped : in which neurons a register wrapped, or a membrane saturated.
    """

    state: State
    s: npt.NDArray[np.int64]
    wrapped: Flags
    clipped: Flags

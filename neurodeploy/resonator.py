"""The golden model of resonate-and-fire neurons: ``z = (cosine + i sine) z + a + i b``, then compare.

The equations stand at :class:`neurodeploy.neurons.Resonator`; each of the four products is rounded toward zero by
itself. Source: ``PyRFModelFixed`` and ``PyRF_IZModelFixed`` of lava-nc 0.10.0.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from neurodeploy.fixedpoint import saturate
from neurodeploy.neurons import Resonator
from neurodeploy.state import State, Step, Sums


def step(neuron: Resonator, state: State, a: Sums) -> Step:
    """Advance neurons by one step; parameters as in :func:`neurodeploy.neuron.step`.

    State real and imaginary; ``a`` int64 [2, ..., *shape], what arrives at either part.
    """

    def turned(factor: npt.NDArray[np.integer], part: Sums) -> Sums:
        product = factor.astype(np.int64) * part
        rounded: Sums = np.sign(product) * (np.abs(product) >> neuron.decay_bits)
        return rounded

    real, imaginary = state["real"], state["imaginary"]
    driven = a << neuron.state_exponent
    raw_real = turned(neuron.cosine, real) - turned(neuron.sine, imaginary) + driven[0]
    raw_imaginary = turned(neuron.sine, real) + turned(neuron.cosine, imaginary) + driven[1]
    new_real, new_imaginary = saturate(raw_real), saturate(raw_imaginary)
    clipped = (new_real != raw_real) | (new_imaginary != raw_imaginary)
    if neuron.kind == "phase":
        s = (new_real >= neuron.threshold) & (new_imaginary >= 0) & (imaginary < 0)
    else:
        s = new_imaginary >= neuron.threshold
        new_real = np.where(s, 0, new_real)
        new_imaginary = np.where(s, neuron.threshold.astype(np.int64) - 1, new_imaginary)
    after = {"real": new_real, "imaginary": new_imaginary}
    return Step(after, s.astype(np.int64), np.zeros(s.shape, dtype=np.bool_), clipped)

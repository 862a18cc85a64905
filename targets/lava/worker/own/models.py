"""The bit-accurate models of ExtendedLif and BurstLif: Lava's own dynamics of u and v, then our firing and reset.

::

    v = Lava's decay, sum and saturation            where frozen = 0, else as it was
    s = (v > 64 vth_hi) - (v < 64 vth_lo)           where frozen = 0, else 0
    v = 0, or v - 64 (the threshold it crossed)     where s
    frozen = refractory where s, else max(frozen - 1, 0)

and of BurstLif::

    s = floor(max(v, 0) / (64 vth_hi))              where frozen = 0, else 0
    v = max(v - 64 vth_hi s, 64 vth_lo)             where frozen = 0, else as it was
"""

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.ports import PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc.lif.models import AbstractPyLifModelFixed

from own.process import BurstLif, ExtendedLif


class AbstractOwnModel(AbstractPyLifModelFixed):
    """What both have in common; Lava lets no model inherit from one that implements a process."""

    vth_hi: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    vth_lo: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    frozen: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)

    def scale_threshold(self):
        """Bring both thresholds to the scale of v."""
        self.effective_hi = np.left_shift(self.vth_hi, self.vth_shift)
        self.effective_lo = np.left_shift(self.vth_lo, self.vth_shift)
        self.isthrscaled = True

    def subthr_dynamics(self, activation_in):
        """Let u and v go on as in Lava's LIF, but v not where it is frozen."""
        before = self.v.copy()
        super().subthr_dynamics(activation_in)
        np.copyto(self.v, before, where=self.frozen > 0)

    def count_frozen(self, fired):
        """Count the steps that neurons stay frozen."""
        self.frozen[:] = np.where(fired, self.proc_params["refractory"], np.maximum(self.frozen - 1, 0))


@implements(proc=ExtendedLif, protocol=LoihiProtocol)
@requires(CPU)
@tag("bit_accurate_loihi", "fixed_pt")
class PyExtendedLifModel(AbstractOwnModel):
    """Integer arithmetic throughout, in the widths of Lava's LIF."""

    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=2)

    def spiking_activation(self):
        """Return 1 above the upper threshold, -1 below the lower, 0 between and while frozen."""
        fires = (self.v > self.effective_hi).astype(np.int32) - (self.v < self.effective_lo)
        return np.where(self.frozen > 0, 0, fires)

    def reset_voltage(self, spike_vector):
        """Subtract or clear where a neuron fired, and count the steps it stays frozen."""
        fired = spike_vector != 0
        crossed = np.where(spike_vector > 0, self.effective_hi, self.effective_lo)
        left = self.v - crossed if self.proc_params["subtract"] else np.zeros_like(self.v)
        np.copyto(self.v, left, where=fired)
        self.count_frozen(fired)


@implements(proc=BurstLif, protocol=LoihiProtocol)
@requires(CPU)
@tag("bit_accurate_loihi", "fixed_pt")
class PyBurstLifModel(AbstractOwnModel):
    """Integer arithmetic throughout; what is sent is a number, in the 24 bits of v at most."""

    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=24)

    def spiking_activation(self):
        """Return how often the threshold fits into the membrane, 0 while frozen."""
        return np.where(self.frozen > 0, 0, np.maximum(self.v, 0) // self.effective_hi)

    def reset_voltage(self, spike_vector):
        """Take off what was sent, hold the membrane up, and count the steps it stays frozen."""
        left = np.maximum(self.v - spike_vector * self.effective_hi, self.effective_lo)
        np.copyto(self.v, left, where=self.frozen == 0)
        self.count_frozen(spike_vector != 0)

"""The leaky integrate-and-fire neurons of Loihi 2's programmable cores that Lava lacks in fixed point."""

from lava.magma.core.process.variable import Var
from lava.proc.lif.process import AbstractLIF


class ExtendedLif(AbstractLIF):
    """A LIF whose reset may subtract, that may rest after a spike, and that may fire downwards.

    Parameters
    ----------
    shape, du, dv, bias_mant, bias_exp, name : as those of Lava's LIF.
    vth_hi, vth_lo : mantissas of the thresholds above which it sends 1 and below which it sends -1.
    subtract : whether a spike takes the threshold it crossed off the membrane, instead of clearing it.
    refractory : steps after a spike in which the membrane stays as the reset left it and cannot fire.
    """

    def __init__(self, *, shape, du, dv, bias_mant, bias_exp, vth_hi, vth_lo, subtract, refractory, name=None):
        super().__init__(
            shape=shape,
            u=0,
            v=0,
            du=du,
            dv=dv,
            bias_mant=bias_mant,
            bias_exp=bias_exp,
            name=name,
            log_config=None,
            subtract=subtract,
            refractory=refractory,
        )
        self.vth_hi = Var(shape=shape, init=vth_hi)
        self.vth_lo = Var(shape=shape, init=vth_lo)
        self.frozen = Var(shape=shape, init=0)


class BurstLif(ExtendedLif):
    """A LIF that sends as many spikes in a step as its membrane holds thresholds, as their number.

    Parameters are those of :class:`ExtendedLif`, but ``vth_lo`` is the mantissa below which the membrane does not fall.
    """

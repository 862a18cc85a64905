"""The bit-accurate neuron models, whose state is written to files at the end of every step.

The files are memory maps, filled inside the process or thread that holds the state: Lava's Monitor would send each
value by itself. Nothing of the arithmetic is done here: ``run_spk`` calls the model's and looks at what it left.
"""

import numpy as np
from counting import CountedLif, CountedRegisters, CountedResonator
from lava.proc.conv.models import PyConvModelFixed
from lava.proc.conv.process import Conv
from lava.proc.dense.models import PyDelayDenseModelBitAcc, PyDenseModelBitAcc
from lava.proc.dense.process import DelayDense, Dense
from lava.proc.io.source import PySendModelFixed, RingBuffer
from lava.proc.lif.models import PyLifModelBitAcc, PyLifResetModelBitAcc, PyTernLifModelFixed
from lava.proc.lif.process import LIF, LIFReset, TernaryLIF
from lava.proc.rf.models import PyRFModelFixed
from lava.proc.rf.process import RF
from lava.proc.rf_iz.models import PyRF_IZModelFixed
from lava.proc.rf_iz.process import RF_IZ
from lava.proc.sdn.models import PyDeltaModelFixed, PySigmaDeltaModelFixed, PySigmaModelFixed
from lava.proc.sdn.process import Delta, Sigma, SigmaDelta
from lava.proc.sparse.models import PyDelaySparseModelBitAcc, PySparseModelBitAcc
from lava.proc.sparse.process import DelaySparse, Sparse
from own.models import PyBurstLifModel, PyExtendedLifModel
from own.process import BurstLif, ExtendedLif


class Overheard:
    """An output port that keeps what was last sent through it."""

    def __init__(self, port):
        self.port = port
        self.last = None

    def send(self, data):
        """Keep ``data``, then send it."""
        self.last = np.array(data)
        self.port.send(data)


class Taped:
    """Goes before a neuron model: keeps u, v and s of each step, and clears all state where it is told to.

    ``proc_params["tapes"]`` maps "u", "v" or "s" to (path, type), and where wraps and saturations are wanted too,
    "counts", whose tape has those two of each step; ``proc_params["tape_steps"]`` is the length of a tape.
    ``proc_params["clear"]`` lists pairs (interval, phase): before steps t, counted from 1, with
    ``t % interval == phase % interval`` every state is set to 0, as Lava's LIFReset does by itself for one such pair.
    """

    #: What a recording keeps as u and as v, and what else the neuron remembers.
    RECORDED = ("u", "v")
    REMEMBERED = ()

    def __init__(self, proc_params):
        super().__init__(proc_params)
        self.tapes = None

    def run_spk(self):
        """Clear if it is time, let the model do the step, then write down its outcome."""
        if self.tapes is None:
            self.s_out = Overheard(self.s_out)
            if "counts" in self.proc_params["tapes"]:
                self.count()
            self.tapes = self._open_tapes()
        if any(self.time_step % interval == phase % interval for interval, phase in self.proc_params["clear"]):
            self._clear()
        super().run_spk()
        u, v = (getattr(self, name) for name in self.RECORDED)
        outcome = {"s": self.s_out.last, "u": u, "v": v, "counts": (self.wraps, self.clips)}
        for quantity, tape in self.tapes.items():
            tape[self.time_step - 1] = outcome[quantity]

    def _open_tapes(self):
        steps, shape = self.proc_params["tape_steps"], self.proc_params["shape"]
        return {
            quantity: np.lib.format.open_memmap(
                path, mode="w+", dtype=dtype, shape=(steps, *((2,) if quantity == "counts" else shape))
            )
            for quantity, (path, dtype) in self.proc_params["tapes"].items()
        }

    def _clear(self):
        for name in {*self.RECORDED, *self.REMEMBERED}:
            setattr(self, name, np.zeros_like(getattr(self, name)))


class TapedLif(Taped, CountedLif, PyLifModelBitAcc):
    """Leaky integrate-and-fire, as netx makes it where nothing is reset."""


class TapedLifReset(Taped, CountedLif, PyLifResetModelBitAcc):
    """Leaky integrate-and-fire with an interval reset."""


class TapedTernaryLif(Taped, CountedLif, PyTernLifModelFixed):
    """Leaky integrate-and-fire, upwards and downwards."""


class TapedExtendedLif(Taped, CountedLif, PyExtendedLifModel):
    """Our own, with subtraction and refractory steps."""

    REMEMBERED = ("frozen",)


class TapedBurstLif(Taped, CountedLif, PyBurstLifModel):
    """Our own, with several spikes in a step."""

    REMEMBERED = ("frozen",)


class TapedDelta(Taped, CountedRegisters, PyDeltaModelFixed):
    """Encoder of changes."""

    RECORDED = ("act", "residue")
    REMEMBERED = ("error",)


class TapedSigma(Taped, CountedRegisters, PySigmaModelFixed):
    """Decoder: a running sum."""

    RECORDED = ("sigma", "sigma")


class TapedSigmaDelta(Taped, CountedRegisters, PySigmaDeltaModelFixed):
    """Decoder, activation and encoder."""

    RECORDED = ("sigma", "residue")
    REMEMBERED = ("act", "error")


class TapedRf(Taped, CountedResonator, PyRFModelFixed):
    """Resonate-and-fire by phase."""

    RECORDED = ("real", "imag")


class TapedRfIz(Taped, CountedResonator, PyRF_IZModelFixed):
    """Resonate-and-fire after Izhikevich."""

    RECORDED = ("real", "imag")


#: Neuron process -> the model it is run with.
NEURONS = {
    LIF: TapedLif,
    LIFReset: TapedLifReset,
    TernaryLIF: TapedTernaryLif,
    ExtendedLif: TapedExtendedLif,
    BurstLif: TapedBurstLif,
    Delta: TapedDelta,
    Sigma: TapedSigma,
    SigmaDelta: TapedSigmaDelta,
    RF: TapedRf,
    RF_IZ: TapedRfIz,
}
#: Any process -> its bit-accurate model, as Lava's own choice by the tag "fixed_pt" would be.
MODELS = {
    **NEURONS,
    RingBuffer: PySendModelFixed,
    Dense: PyDenseModelBitAcc,
    DelayDense: PyDelayDenseModelBitAcc,
    Sparse: PySparseModelBitAcc,
    DelaySparse: PyDelaySparseModelBitAcc,
    Conv: PyConvModelFixed,
}

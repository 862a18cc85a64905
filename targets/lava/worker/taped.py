"""Lava's own bit-accurate neuron models, whose state is written to files at the end of every step.

The files are memory maps, filled inside the process or thread that holds the state: Lava's Monitor would send each
value by itself. Nothing of the arithmetic is ours: ``run_spk`` calls Lava's and then looks at what it left.
"""

import numpy as np
from lava.proc.conv.models import PyConvModelFixed
from lava.proc.conv.process import Conv
from lava.proc.dense.models import PyDelayDenseModelBitAcc, PyDenseModelBitAcc
from lava.proc.dense.process import DelayDense, Dense
from lava.proc.io.source import PySendModelFixed, RingBuffer
from lava.proc.lif.models import PyLifResetModelBitAcc
from lava.proc.lif.process import LIFReset


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
    """Goes before a neuron model of Lava: keeps u, v and s of each step in the files its process names.

    ``proc_params["tapes"]`` maps "u", "v" or "s" to a path; ``proc_params["tape_steps"]`` is the length of a tape and
    ``proc_params["tape_types"]`` the type that each quantity is kept in.
    """

    #: Quantity -> the attribute of the model that holds it.
    STATES = {"u": "u", "v": "v"}

    def __init__(self, proc_params):
        super().__init__(proc_params)
        self.tapes = None

    def run_spk(self):
        """Let Lava do the step, then write down its outcome."""
        if self.tapes is None:
            self.s_out = Overheard(self.s_out)
            self.tapes = self._open_tapes()
        super().run_spk()
        for quantity, tape in self.tapes.items():
            state = self.s_out.last if quantity == "s" else getattr(self, self.STATES[quantity])
            tape[self.time_step - 1] = state

    def _open_tapes(self):
        shape, types = (self.proc_params["tape_steps"], *self.proc_params["shape"]), self.proc_params["tape_types"]
        return {
            quantity: np.lib.format.open_memmap(path, mode="w+", dtype=types[quantity], shape=shape)
            for quantity, path in self.proc_params["tapes"].items()
        }


class TapedLifReset(Taped, PyLifResetModelBitAcc):
    """Leaky integrate-and-fire with an interval reset."""


#: Neuron process -> the model it is run with.
NEURONS = {LIFReset: TapedLifReset}
#: Any process -> its bit-accurate model, as Lava's own choice by the tag "fixed_pt" would be.
MODELS = {
    **NEURONS,
    RingBuffer: PySendModelFixed,
    Dense: PyDenseModelBitAcc,
    DelayDense: PyDelayDenseModelBitAcc,
    Conv: PyConvModelFixed,
}

"""Builds the Lava processes of a netlist: RingBuffer -> Dense, DelayDense or Conv -> LIFReset, nothing of our own.

Runs on Python 3.10 beside Lava, so it imports nothing of neurodeploy. All ports carry flat vectors; a three-dimensional
source or target lies in Lava's (width, height, channels) order, which the writer of the netlist has already arranged.
"""

import numpy as np
from lava.proc.conv.process import Conv
from lava.proc.dense.process import DelayDense, Dense
from lava.proc.io.source import RingBuffer
from lava.proc.lif.models import PyLifResetModelBitAcc
from lava.proc.lif.process import LIFReset
from lava.utils.weightutils import SignMode

#: Mixed signs in nine bits: the one setting of Lava's Dense that leaves every weight in -256..255 as it is.
EXACT_WEIGHTS = {"sign_mode": SignMode.MIXED, "num_weight_bits": 9}
#: Any number above zero makes a connection multiply by the payload instead of counting spikes.
GRADED_BITS = 32
#: Quantity -> the type it is kept in.
TYPES = {"s": np.uint8, "u": np.int32, "v": np.int32}


class Taped(PyLifResetModelBitAcc):
    """Lava's own bit-accurate neuron, whose state is written to files at the end of every step.

    The files are memory maps, filled inside the process that holds the state: Lava's Monitor would send each value by
    itself.
    """

    def __init__(self, proc_params):
        super().__init__(proc_params)
        self.fired = None
        self.tapes = {}

    def spiking_activation(self):
        """Return Lava's answer, and keep it: the parent class does not."""
        self.fired = super().spiking_activation()
        return self.fired

    def run_spk(self):
        """Let Lava do the step, then write down its outcome."""
        super().run_spk()
        if not self.tapes:
            self.tapes = self._open_tapes()
        row = self.time_step - 1
        for quantity, tape in self.tapes.items():
            tape[row] = {"s": self.fired, "u": self.u, "v": self.v}[quantity]

    def _open_tapes(self):
        shape = (self.proc_params["tape_steps"], self.v.size)
        return {
            quantity: np.lib.format.open_memmap(path, mode="w+", dtype=TYPES[quantity], shape=shape)
            for quantity, path in self.proc_params["tapes"].items()
        }


def build(spec, arrays, run, folder):
    """Return the populations' LIFReset processes for one run, connected.

    A run is {"first", "samples", "steps", "interval"}: which samples follow each other, for how many chip steps, and
    how many steps lie between two resets of a population.
    """
    ports = [_source(arrays[f"port/{index}"], run) for index in range(len(spec["ports"]))]
    lifs = [_population(spec, arrays, index, run, folder) for index in range(len(spec["populations"]))]
    for index, projection in enumerate(spec["projections"]):
        kind, number = projection["source"]
        source = {"port": ports, "population": lifs}[kind][number]
        _connect(projection, arrays[f"weight/{index}"], source, lifs[projection["target"]])
    return lifs


def _source(spikes, run):
    cells = len(spikes)
    chosen = spikes[:, run["first"] : run["first"] + run["samples"]].reshape(cells, -1)
    # The ring starts over at its end, so silence fills the steps in which the last sample is still on its way.
    return RingBuffer(data=np.pad(chosen, ((0, 0), (0, run["steps"] - chosen.shape[1]))).astype(np.int32))


def _population(spec, arrays, index, run, folder):
    entry = spec["populations"][index]
    values = {name: arrays[f"{name}/{index}"] for name in ("du", "dv", "vth", "bias_mant")}
    lif = LIFReset(
        shape=(entry["cells"],),
        du=_plain(values["du"]),
        dv=_plain(values["dv"]),
        vth=_plain(values["vth"]),
        bias_mant=values["bias_mant"],
        bias_exp=entry["bias_exp"],
        reset_interval=run["interval"],
        # Lava counts steps from 1; the first step that the input reaches this population in is 1 + latency.
        reset_offset=1 + entry["latency"],
        name=entry["name"],
    )
    lif.proc_params["tape_steps"] = run["steps"]
    lif.proc_params["tapes"] = {
        quantity: str(folder / f"{run['first']}.{index}.{quantity}.npy") for quantity in spec["record"]
    }
    held = arrays.get(f"hold/{index}")
    if held is not None:
        silence = np.zeros((len(held), run["steps"] - held.shape[1]), dtype=held.dtype)
        RingBuffer(data=np.hstack([held, silence])).s_out.connect(lif.a_in)
    return lif


def _plain(values):
    return values.item() if values.size == 1 else values


def _connect(projection, weight, source, target):
    kind = projection["kind"]
    message = {"num_message_bits": GRADED_BITS if projection["graded"] else 0}
    output = source.s_out
    if kind == "conv":
        for _ in range(projection["delay"]):
            output = _one_step_later(output, message)
        shape = tuple(projection["input_shape"])
        geometry = {name: tuple(projection[name]) for name in ("stride", "padding", "dilation")}
        synapses = Conv(weight=weight, input_shape=shape, groups=projection["groups"], **geometry, **message)
        output.reshape(shape).connect(synapses.s_in)
        synapses.a_out.flatten().connect(target.a_in)
        return
    settings = {"weights": weight, "weight_exp": projection["weight_exp"], **EXACT_WEIGHTS, **message}
    synapses = DelayDense(delays=projection["delay"], **settings) if projection["delay"] else Dense(**settings)
    output.connect(synapses.s_in)
    synapses.a_out.connect(target.a_in)


def _one_step_later(output, message):
    """Return an output that repeats ``output`` a step later: Lava's Conv has no delay, but every Conv takes a step."""
    cells = output.shape[0]
    identity = Conv(weight=np.ones((1, 1, 1, 1), dtype=np.int32), input_shape=(cells, 1, 1), **message)
    output.reshape((cells, 1, 1)).connect(identity.s_in)
    return identity.a_out.flatten()

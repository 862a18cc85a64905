"""Builds the Lava processes of a netlist: RingBuffer -> Dense, DelayDense or Conv -> LIFReset.

Runs on Python 3.10 beside Lava, so it imports nothing of neurodeploy. All ports carry flat vectors; a three-dimensional
source or target lies in Lava's (width, height, channels) order, which the writer of the netlist has already arranged.
"""

import numpy as np
from lava.proc.conv.process import Conv
from lava.proc.dense.process import DelayDense, Dense
from lava.proc.io.source import RingBuffer
from lava.proc.lif.process import LIFReset
from lava.utils.weightutils import SignMode

#: Mixed signs in nine bits: the one setting of Lava's Dense that leaves every weight in -256..255 as it is.
EXACT_WEIGHTS = {"sign_mode": SignMode.MIXED, "num_weight_bits": 9}
#: Any number above zero makes a connection multiply by the payload instead of counting spikes.
GRADED_BITS = 32
#: Quantity -> the type it is kept in.
TYPES = {"s": np.uint8, "u": np.int32, "v": np.int32}


def build(spec, arrays, run, folder):
    """Return the processes of one run, connected.

    A run is {"first", "samples", "steps", "interval"}: which samples follow each other, for how many chip steps, and
    how many steps lie between two resets of a population.
    """
    ports = [_source(arrays[f"port/{index}"], run) for index in range(len(spec["ports"]))]
    lifs = [_population(spec, arrays, index, run, folder) for index in range(len(spec["populations"]))]
    between = [_holding(arrays[f"hold/{i}"], run, lif) for i, lif in enumerate(lifs) if f"hold/{i}" in arrays]
    for index, projection in enumerate(spec["projections"]):
        kind, number = projection["source"]
        source = {"port": ports, "population": lifs}[kind][number]
        between += _connect(projection, arrays[f"weight/{index}"], source, lifs[projection["target"]])
    return [*lifs, *ports, *between]


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
    lif.proc_params["tape_steps"], lif.proc_params["tape_types"] = run["steps"], TYPES
    lif.proc_params["tapes"] = {
        quantity: str(folder / f"{run['first']}.{index}.{quantity}.npy") for quantity in spec["record"]
    }
    return lif


def _holding(held, run, lif):
    silence = np.zeros((len(held), run["steps"] - held.shape[1]), dtype=held.dtype)
    source = RingBuffer(data=np.hstack([held, silence]))
    source.s_out.connect(lif.a_in)
    return source


def _plain(values):
    return values.item() if values.size == 1 else values


def _connect(projection, weight, source, target):
    """Put synapses between two processes and return what that took, the last of it the synapses."""
    message = {"num_message_bits": GRADED_BITS if projection["graded"] else 0}
    if projection["kind"] == "conv":
        return _convolve(projection, weight, message, source, target)
    settings = {"weights": weight, "weight_exp": projection["weight_exp"], **EXACT_WEIGHTS, **message}
    synapses = DelayDense(delays=projection["delay"], **settings) if projection["delay"] else Dense(**settings)
    source.s_out.connect(synapses.s_in)
    synapses.a_out.connect(target.a_in)
    return [synapses]


def _convolve(projection, weight, message, source, target):
    chain, output = [], source.s_out
    for _ in range(projection["delay"]):
        chain.append(_one_step_later(output, message))
        output = chain[-1].a_out.flatten()
    shape = tuple(projection["input_shape"])
    geometry = {name: tuple(projection[name]) for name in ("stride", "padding", "dilation")}
    synapses = Conv(weight=weight, input_shape=shape, groups=projection["groups"], **geometry, **message)
    output.reshape(shape).connect(synapses.s_in)
    synapses.a_out.flatten().connect(target.a_in)
    return [*chain, synapses]


def _one_step_later(output, message):
    """Return a process that repeats ``output`` a step later: Lava's Conv has no delay, but every Conv takes a step."""
    cells = output.shape[0]
    identity = Conv(weight=np.ones((1, 1, 1, 1), dtype=np.int32), input_shape=(cells, 1, 1), **message)
    output.reshape((cells, 1, 1)).connect(identity.s_in)
    return identity

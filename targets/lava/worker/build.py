"""Builds the Lava processes of a netlist: RingBuffer -> Dense, Sparse, Conv or their delayed forms -> neurons.

Runs on Python 3.10 beside Lava, so it imports nothing of neurodeploy. All ports carry flat vectors; a three-dimensional
source or target lies in Lava's (width, height, channels) order, which the writer of the netlist has already arranged.
"""

import numpy as np
from lava.proc.conv.process import Conv
from lava.proc.dense.process import DelayDense, Dense
from lava.proc.io.source import RingBuffer
from lava.proc.sparse.process import DelaySparse, Sparse
from lava.utils.weightutils import SignMode
from neurons import make
from scipy.sparse import csr_matrix

#: Mixed signs in nine bits: the one setting of Lava's Dense that leaves every weight in -256..255 as it is.
EXACT_WEIGHTS = {"sign_mode": SignMode.MIXED, "num_weight_bits": 9}
#: Any number above zero makes a connection multiply by the payload instead of counting spikes.
GRADED_BITS = 32


def build(spec, arrays, run, folder):
    """Return the processes of one run, connected.

    A run is {"first", "samples", "steps", "interval"}: which samples follow each other, for how many chip steps, and
    how many steps lie between two resets of a population.
    """
    ports = [_source(arrays[f"port/{index}"], run) for index in range(len(spec["ports"]))]
    neurons = [_population(spec, arrays, index, run, folder) for index in range(len(spec["populations"]))]
    between = [_holding(arrays[f"hold/{i}"], run, lif) for i, lif in enumerate(neurons) if f"hold/{i}" in arrays]
    for index, projection in enumerate(spec["projections"]):
        kind, number = projection["source"]
        source, target = {"port": ports, "population": neurons}[kind][number], neurons[projection["target"]]
        prefix = f"synapses/{index}/"
        named = {name[len(prefix) :]: values for name, values in arrays.items() if name.startswith(prefix)}
        between += _connect(projection, named, source.s_out, _entrance(target, projection["imaginary"]))
    return [*neurons, *ports, *between]


def _source(spikes, run):
    cells = len(spikes)
    chosen = spikes[:, run["first"] : run["first"] + run["samples"]].reshape(cells, -1)
    # The ring starts over at its end, so silence fills the steps in which the last sample is still on its way.
    return RingBuffer(data=np.pad(chosen, ((0, 0), (0, run["steps"] - chosen.shape[1]))).astype(np.int32))


def _population(spec, arrays, index, run, folder):
    entry, (interval, offset) = spec["populations"][index], spec["schedule"]
    values = {name: arrays[f"{name}/{index}"] for name in entry["parameters"]}
    # Lava counts steps from 1; the first step that the input reaches this population in is 1 + latency.
    start = (run["interval"], 1 + entry["latency"])
    clear = [(interval, 1 + index + offset), start] if interval else [start]
    neurons, rest = make(entry, values, clear)
    neurons.proc_params["clear"] = rest
    neurons.proc_params["tape_steps"] = run["steps"]
    types = {"s": np.int32 if entry["graded"] else np.uint8, "u": np.int32, "v": np.int32, "counts": np.int64}
    neurons.proc_params["tapes"] = {
        quantity: (str(folder / f"{run['first']}.{index}.{quantity}.npy"), types[quantity])
        for quantity in spec["record"]
    }
    return neurons


def _entrance(process, imaginary):
    """Return the port that weighted spikes enter by: a resonator has two."""
    if hasattr(process, "a_in"):
        return process.a_in
    return process.a_imag_in if imaginary else process.a_real_in


def _holding(held, run, lif):
    silence = np.zeros((len(held), run["steps"] - held.shape[1]), dtype=held.dtype)
    source = RingBuffer(data=np.hstack([held, silence]))
    source.s_out.connect(lif.a_in)
    return source


def _connect(projection, arrays, output, entrance):
    """Put synapses between two ports and return the processes that took."""
    message = {"num_message_bits": GRADED_BITS if projection["graded"] else 0}
    if projection["kind"] == "conv":
        return _convolve(projection, arrays["weight"], message, output, entrance)
    settings = {"weight_exp": projection["weight_exp"], **EXACT_WEIGHTS, **message}
    synapses = {"dense": _dense, "sparse": _sparse}[projection["kind"]](projection, arrays, settings)
    output.connect(synapses.s_in)
    synapses.a_out.connect(entrance)
    return [synapses]


def _dense(projection, arrays, settings):
    if not projection["delay"]:
        return Dense(weights=arrays["weight"], **settings)
    return DelayDense(weights=arrays["weight"], delays=projection["delay"], **settings)


def _sparse(projection, arrays, settings):
    weight, shape = arrays["weight"], tuple(projection["shape"])
    # Copies, because scipy may sort the places of one matrix while another still needs them as they were.
    weights = csr_matrix((weight, arrays["indices"], arrays["indptr"]), shape=shape, copy=True)
    if not projection["delay"]:
        return Sparse(weights=weights, **settings)
    delays = csr_matrix(weights, dtype=int, copy=True)
    delays.data[:] = projection["delay"]
    return DelaySparse(weights=weights, delays=delays, max_delay=projection["delay"], **settings)


def _convolve(projection, weight, message, output, entrance):
    chain = []
    for _ in range(projection["delay"]):
        chain.append(_one_step_later(output, message))
        output = chain[-1].a_out.flatten()
    shape = tuple(projection["input_shape"])
    geometry = {name: tuple(projection[name]) for name in ("stride", "padding", "dilation")}
    synapses = Conv(weight=weight, input_shape=shape, groups=projection["groups"], **geometry, **message)
    output.reshape(shape).connect(synapses.s_in)
    synapses.a_out.flatten().connect(entrance)
    return [*chain, synapses]


def _one_step_later(output, message):
    """Return a process that repeats ``output`` a step later: Lava's Conv has no delay, but every Conv takes a step."""
    cells = output.shape[0]
    identity = Conv(weight=np.ones((1, 1, 1, 1), dtype=np.int32), input_shape=(cells, 1, 1), **message)
    output.reshape((cells, 1, 1)).connect(identity.s_in)
    return identity

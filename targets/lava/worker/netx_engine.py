"""Runs netx files on lava-dl's loader: ``python netx_engine.py FOLDER SHARED_MEMORY_PREFIX runtime COUNT``.

As engine.py, but a netlist is a file, how it is loaded, and the input of its samples. Every sample gets a network of
its own, freshly loaded, on Lava's own runtime, and tapes FOLDER/<job>/<sample>.<layer>.<quantity>.npy.
"""

import contextlib
import io
import sys
from importlib.metadata import version
from pathlib import Path

from engine import main

#: Quantity -> type of its tape, where that is not int32.
_TYPES = {"counts": "int64"}


def run_file(folder, spec, arrays, step_through, progress, versions):
    """Run every sample of one file."""
    import netx

    versions["lava-dl"] = version("lava-dl")
    loader, steps = netx.load(), spec["steps"]
    for sample in range(spec["samples"]):
        network, feeder = load(loader, spec, arrays["input"][sample])
        for number, layer in enumerate(network.layers):
            parameters = layer.neuron.proc_params
            parameters["clear"], parameters["tape_steps"] = [], steps
            parameters["tapes"] = {
                q: (str(folder / f"{sample}.{number}.{q}.npy"), _TYPES.get(q, "int32")) for q in spec["record"]
            }
        step_through(network, steps, lambda done, before=sample * steps: progress(before + done))
        del feeder


def load(loader, spec, values):
    """Return the network of a file as lava-dl loads it, with its input attached, and what feeds it."""
    from lava.proc.io.source import RingBuffer

    resets = {"reset_interval": spec["reset_interval"], "reset_offset": spec["reset_offset"]}
    with contextlib.redirect_stdout(io.StringIO()):  # the loader prints its warnings
        network = loader.Network(
            net_config=spec["file"],
            num_layers=spec["layers"],
            input_message_bits=32 if spec["graded"] else 0,
            **(resets if spec["reset_interval"] else {}),
        )
    if spec["driven"] == "bias":
        network.in_layer.neuron.bias_mant.init = values[0].reshape(network.in_layer.shape)
        return network, None
    port = network.in_layer.neuron.a_in if spec["driven"] else network.inp
    # The ring counts its cells along all axes but the last, which is time.
    source = RingBuffer(data=values.T.reshape(*port.shape, spec["steps"]))
    source.s_out.connect(port)
    return network, source


def connected(errors):
    """Return what runs a network of lava-dl on Lava's own runtime."""
    from runtime import Runtime

    return Runtime(errors).run_connected


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute(), sys.argv[2], connected, int(sys.argv[4]), run_file)

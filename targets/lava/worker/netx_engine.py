"""Runs netx files on lava-dl's loader: ``python netx_engine.py FOLDER SHARED_MEMORY_PREFIX``.

Reads FOLDER/0/netlist.npz, whose spec is {"jobs": [...]}: a file each, with the input of its samples. Every sample gets a
network of its own, freshly loaded. Writes FOLDER/<job>.<sample>.<layer>.<quantity>.npy [steps, cells], and what
engine.py writes.
"""

import contextlib
import io
import json
import sys
from importlib.metadata import version
from pathlib import Path

from engine import main, tell
from guard import DeathWatch, report_exceptions

#: Steps are handed to Lava in this many portions, so that there is progress to show.
PORTIONS = 40

#: Process -> (attributes that are recorded as u and v). The models are Lava's own, in its fixed-point form.
STATES = {
    "LIF": ("u", "v"),
    "LIFReset": ("u", "v"),
    "Delta": ("act", "residue"),
    "Sigma": ("sigma", "sigma"),
    "SigmaDelta": ("sigma", "residue"),
    "RF": ("real", "imag"),
    "RF_IZ": ("real", "imag"),
}


def execute(folder, errors):
    """Run every sample of every job and return the versions of what ran."""
    import netx
    import numpy
    from lava.magma.runtime import runtime

    loader = netx.load()
    models = taped_models()
    report_exceptions(runtime, errors)
    watch = DeathWatch(errors)
    with numpy.load(folder / "0" / "netlist.npz", allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    jobs = json.loads(str(arrays.pop("spec")))["jobs"]
    total, done = sum(job["samples"] * job["steps"] for job in jobs), 0
    for index, job in enumerate(jobs):
        for sample in range(job["samples"]):
            network, feeders = load(loader, job, arrays[f"input/{index}"][sample])
            for number, layer in enumerate(network.layers):
                tape(layer.neuron, job, {q: folder / f"{index}.{sample}.{number}.{q}.npy" for q in job["record"]})
            step_through(network, job["steps"], models, watch, folder, (done, total))
            del feeders
            done += job["steps"]
    names = ("lava-nc", "lava-dl", "numpy")
    return {"python": sys.version.split()[0], **{name: version(name) for name in names}}


def load(loader, job, values):
    """Return the network of a job as lava-dl loads it, with its input attached, and what feeds it."""
    from lava.proc.io.source import RingBuffer

    resets = {"reset_interval": job["reset_interval"], "reset_offset": job["reset_offset"]}
    with contextlib.redirect_stdout(io.StringIO()):  # the loader prints its warnings
        network = loader.Network(
            net_config=job["file"],
            num_layers=job["layers"],
            input_message_bits=32 if job["graded"] else 0,
            **(resets if job["reset_interval"] else {}),
        )
    neuron = network.in_layer.neuron
    if job["driven"] == "bias":
        neuron.bias_mant.init = values[0].reshape(network.in_layer.shape)
        return network, None
    port = neuron.a_in if job["driven"] else network.inp
    # The ring counts its cells along all axes but the last, which is time.
    source = RingBuffer(data=values.T.reshape(*port.shape, job["steps"]))
    source.s_out.connect(port)
    return network, source


def tape(neuron, job, paths):
    """Tell a neuron process where its model writes which of its quantities."""
    u, v = STATES[type(neuron).__name__]
    neuron.proc_params["tape_steps"] = job["steps"]
    neuron.proc_params["tapes"] = {quantity: str(path) for quantity, path in paths.items()}
    neuron.proc_params["tape_states"] = {"u": u, "v": v}


def taped_models():
    """Return process class -> Lava's own fixed-point model of it, which also writes down every step."""
    from lava.proc.lif import models as lif
    from lava.proc.lif.process import LIF, LIFReset
    from lava.proc.rf.models import PyRFModelFixed
    from lava.proc.rf.process import RF
    from lava.proc.rf_iz.models import PyRF_IZModelFixed
    from lava.proc.rf_iz.process import RF_IZ
    from lava.proc.sdn import models as sdn
    from lava.proc.sdn.process import Delta, Sigma, SigmaDelta
    from taping import taped

    originals = {
        LIF: lif.PyLifModelBitAcc,
        LIFReset: lif.PyLifResetModelBitAcc,
        Delta: sdn.PyDeltaModelFixed,
        Sigma: sdn.PySigmaModelFixed,
        SigmaDelta: sdn.PySigmaDeltaModelFixed,
        RF: PyRFModelFixed,
        RF_IZ: PyRF_IZModelFixed,
    }
    return {process: taped(model) for process, model in originals.items()}


def step_through(network, steps, models, watch, folder, extent):
    """Run a network on Lava's runtime with its bit-accurate models."""
    from lava.magma.core.run_conditions import RunSteps
    from lava.magma.core.run_configs import Loihi2SimCfg

    done, total = extent
    config = Loihi2SimCfg(select_tag="fixed_pt", exception_proc_model_map=models)
    portion = -(-steps // PORTIONS)
    watch.armed = True
    for start in range(0, steps, portion):
        network.run(condition=RunSteps(num_steps=min(portion, steps - start)), run_cfg=config)
        tell(folder, total, done, min(start + portion, steps))
    watch.armed = False
    network.stop()


if __name__ == "__main__":
    here = Path(sys.argv[1]).absolute()
    main(here, sys.argv[2], lambda errors: execute(here, errors))

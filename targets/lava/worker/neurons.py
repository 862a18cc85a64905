"""Makes the neuron process of each kind from the netlist's numbers: Lava's own wherever Lava has one.

Several of Lava's processes take floats and round them, or one value where the model would take one a neuron; their
variables are then given our integers after construction, before anything is compiled.
"""

import numpy as np
from lava.proc.lif.process import LIFReset, TernaryLIF
from lava.proc.rf.process import RF
from lava.proc.rf_iz.process import RF_IZ
from lava.proc.sdn.process import ActivationMode, Delta, Sigma, SigmaDelta
from own.process import BurstLif, ExtendedLif


def make(entry, values, clear):
    """Return the process of a population and the pairs of ``clear`` that it does not see to by itself.

    Parameters
    ----------
    entry : its scalars, "kind" among them.
    values : its arrays, int32, with one value or one a cell.
    clear : pairs (interval, phase) of when its state is set to 0.
    """
    if entry["kind"] == "lif":
        return _lif(entry, values, clear[0]), clear[1:]
    return _MAKERS[entry["kind"]](entry, values), clear


def _common(entry, values):
    """Return what all kinds of leaky integrate-and-fire take."""
    return {
        "shape": (entry["cells"],),
        "name": entry["name"],
        "du": _plain(values["du"]),
        "dv": _plain(values["dv"]),
        "bias_mant": values["bias"],
        "bias_exp": entry["bias_exp"],
    }


def _plain(values):
    """Return a number where there is but one: Lava passes these variables on as they are."""
    return values.item() if values.size == 1 else values


def _give(var, values):
    var.init, var.shape = values, values.shape


def _lif(entry, values, clear):
    interval, phase = clear
    return LIFReset(
        vth=_plain(values["vth"]), reset_interval=interval, reset_offset=phase % interval, **_common(entry, values)
    )


def _ternary(entry, values):
    process = TernaryLIF(vth_hi=1, vth_lo=-1, **_common(entry, values))
    _give(process.vth_hi, values["vth"])
    _give(process.vth_lo, values["lower"])
    return process


def _extended(entry, values):
    own = {name: entry[name] for name in ("subtract", "refractory")}
    process = BurstLif if entry["kind"] == "burst" else ExtendedLif
    return process(vth_hi=values["vth"], vth_lo=values["lower"], **own, **_common(entry, values))


def _delta(entry, values):
    process = Delta(vth=0, **_exponents(entry))
    _give(process.vth, values["vth"])
    return process


def _sigma(entry, _):
    return Sigma(shape=(entry["cells"],))


def _sigma_delta(entry, values):
    mode = ActivationMode.RELU if entry["relu"] else ActivationMode.UNIT
    process = SigmaDelta(vth=0, act_mode=mode, **_exponents(entry))
    _give(process.vth, values["vth"])
    process.bias.init = np.broadcast_to(values["bias"], (entry["cells"],))
    return process


def _exponents(entry):
    names = {"spike_exp": "spike_exp", "state_exp": "state_exp", "cum_error": "cumulative"}
    return {"shape": (entry["cells"],), **{theirs: entry[ours] for theirs, ours in names.items()}}


def _resonator(kind):
    def make_resonator(entry, values):
        process = kind(shape=(entry["cells"],), period=4.0, alpha=0.5, decay_bits=entry["decay_bits"], vth=1)
        process.state_exp.init = entry["state_exp"]
        process.sin_decay.init, process.cos_decay.init = _plain(values["sine"]), _plain(values["cosine"])
        _give(process.vth, values["threshold"])
        return process

    return make_resonator


#: Kind -> what makes its process from its entry and its arrays.
_MAKERS = {
    "ternary": _ternary,
    "extended": _extended,
    "burst": _extended,
    "delta": _delta,
    "sigma": _sigma,
    "sigma-delta": _sigma_delta,
    "phase": _resonator(RF),
    "izhikevich": _resonator(RF_IZ),
}

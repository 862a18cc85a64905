"""The layout of a netx file, as the loader of lava-dl 0.6.0 takes it.

::

    /layer/<i>          i = 0, 1, ... without a gap, in the order of the signal
        type            input | dense | dense_rec | conv | flatten; average may stand at the end
        shape           as torch has it: (channels, height, width), or (n,)
        weight, weight_rec, bias, delay, stride, padding, dilation, groups
        neuron/         type and its parameters
    /simulation         Ts, tSample: unused by the loader

A layer's values are those of lava-dl's slayer times 64: a weight unit is 64 units of state, a bias is in weight units.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from neurodeploy.errors import InputError, Unsupported
from neurodeploy.hdf5 import Group

Numbers = npt.NDArray[np.int64]

#: The release whose loader this package describes.
LOADER = "lava-dl 0.6.0"
#: More cells than this in one population or input are a damaged file.
MAX_CELLS = 1 << 26
#: The loader shifts every bias by so many bits.
BIAS_EXPONENT = 6
#: Binary places of a sigma-delta payload and of its state, and of a resonator's state and decay.
SPIKE_EXPONENT, STATE_EXPONENT, DECAY_BITS = 6, 6, 12
#: The longest delay; the loader shortens longer ones to it.
DELAY_MAX = 62
#: From this threshold on a membrane, which saturates at 2^23 - 1, cannot exceed it.
NEVER_FIRES = 1 << 17
#: Layer types that the loader names and refuses.
REFUSED_LAYERS = ("pool", "convT", "unpool", "concat", "dense_comp")
#: Field the loader does not look at -> the value at which it would change nothing, and what it stands for.
IGNORED_NEURON_FIELDS: dict[str, tuple[int, str]] = {
    "refDelay": (1, "a refractory delay"),
    "wgtExp": (0, "a weight exponent"),
    "gradedSpike": (0, "graded spikes"),
}


def integers(group: Group, name: str, *, whole: bool = False) -> Numbers:
    """Return an array as int64, fractions cut off as the loader does.

    Raises
    ------
    InputError : NaN, infinity or beyond 32 bits; a fraction where ``whole``.
    """
    where = f"{group.where}/{name}"
    values = group.numbers(name)
    if values.dtype.kind == "f":
        if not np.isfinite(values).all():
            raise InputError(where, "holds NaN or infinity", "write the file again from the tool it came from")
        if whole and (values != np.trunc(values)).any():
            raise InputError(where, "holds fractions", f"{LOADER} takes whole numbers here")
    low, high = np.iinfo(np.int32).min, np.iinfo(np.int32).max
    if values.size and (values.min() < low or values.max() > high):
        raise InputError(where, f"reaches from {values.min():g} to {values.max():g}", "32 bits are read")
    return values.astype(np.int64)


def fractions(group: Group, name: str) -> bool:
    """Return whether an array holds numbers that :func:`integers` cuts."""
    values = group.numbers(name)
    return values.dtype.kind == "f" and bool((values != np.trunc(values)).any())


def whole_number(group: Group, name: str) -> int:
    """Return a single whole number, stored as a scalar or an array of one."""
    values = integers(group, name, whole=True)
    if values.size != 1:
        raise InputError(f"{group.where}/{name}", f"has the shape {list(values.shape)}", "one number is expected")
    return int(values.reshape(-1)[0])


def pair(group: Group, name: str) -> tuple[int, int]:
    """Return two numbers (height, width); a single one counts for both."""
    values = integers(group, name, whole=True).reshape(-1)
    if values.size not in (1, 2):
        raise InputError(f"{group.where}/{name}", f"holds {values.size} numbers", "one or two are expected")
    return int(values[0]), int(values[-1])


def shape(group: Group) -> tuple[int, ...]:
    """Return the layer's shape in torch's order; raise :class:`InputError` where it is none or absurd."""
    values = integers(group, "shape", whole=True).reshape(-1)
    where = f"{group.where}/shape"
    if not 1 <= values.size <= 3 or values.min() < 1:
        raise InputError(where, f"is {values[:8].tolist()}", "one to three positive extents are expected")
    if float(np.prod(values.astype(np.float64))) > MAX_CELLS:
        raise InputError(where, f"is {values.tolist()}", f"at most {MAX_CELLS:,} cells are read")
    return tuple(map(int, values))


def refuse_layer(where: str, kind: str) -> None:
    """Raise for a layer type that cannot be read."""
    if kind in REFUSED_LAYERS:
        raise Unsupported(where, f"is of type {kind!r}, which {LOADER} does not load", "write it as conv or dense")
    raise InputError(where, f"is of type {kind!r}", "dense, dense_rec, conv, flatten and input are read")

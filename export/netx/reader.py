"""Reads a netx file into the Network that lava-dl 0.6.0 would run from it, in chip time.

Populations are named by the index of their layer in the file, and all have latency 0, because the file is the chip's
own: the first recorded step is the chip's first. The loader's order of cells, (width, height, channels), appears
nowhere here: weights and shapes in a file are torch's.

Input. A layer ``input`` without a neuron is the port. With a neuron it is a population that the host drives through its
bias, which it sets to ``weight * x + bias`` for an image x. Here the port takes that bias as its payload, one integer a
cell, in every step (for sigma-delta neurons: the value to encode), and reaches the population in the same step, since
no synapse lies between; all latencies are then 1 so that the recording still starts with the chip's first step.

Faults. Where the loader would run a weight with another value than the file has, the file's value is kept and a note
says what would happen; the notes stand in ``provenance["notes"]``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy.errors import InputError, Unsupported
from neurodeploy.export.netx.faults import MIXED_RANGE, clipped, fault
from neurodeploy.export.netx.neurons import Place, integrator, read_neuron
from neurodeploy.export.netx.schema import (
    DELAY_MAX,
    LOADER,
    Numbers,
    fractions,
    integers,
    pair,
    refuse_layer,
    shape,
    whole_number,
)
from neurodeploy.hdf5 import Group, opened
from neurodeploy.network import Connection, Convolution, Dense, Network, Population, Port, Projection, Shape, Sparse
from neurodeploy.verify_network import verify_network

#: Name of the port.
PORT = "input"


@dataclass
class _Chain:
    """What has been read so far; ``end`` is the name of the last part, ``shape`` its shape, None before the first."""

    notes: list[str] = field(default_factory=list)
    port: Port | None = None
    populations: list[Population] = field(default_factory=list)
    projections: list[Projection] = field(default_factory=list)
    flat: bool = False
    transform: dict[str, int] | None = None
    read: int = 0

    @property
    def end(self) -> str:
        return self.populations[-1].name if self.populations else PORT

    @property
    def shape(self) -> Shape | None:
        if self.populations:
            return self.populations[-1].shape
        return self.port.shape if self.port else None


@dataclass(frozen=True)
class _Layer:
    """One group under /layer."""

    name: str
    group: Group

    @property
    def where(self) -> str:
        return f"layer {self.name}"


def read_net(path: str | Path, *, dt: float | None = None) -> Network:
    """Read the netx file ``path``.

    Parameters
    ----------
    dt : seconds of a step; by default the file's Ts, taken as milliseconds, or 1.

    Raises
    ------
    InputError : the file is unreadable, damaged, too large or contradicts itself.
    Unsupported : it holds a layer or neuron that lava-dl 0.6.0 does not load.
    """
    chain = _Chain()
    with opened(path) as root:
        layers = root.group("layer")
        if sorted(layers.names) != sorted(map(str, range(len(layers.names)))) or not layers.names:
            found = ", ".join(sorted(layers.names)[:8]) or "no layer"
            raise InputError(layers.where, f"holds {found}", "layers are numbered 0, 1, ... without a gap")
        for index in range(len(layers.names)):
            _read_layer(chain, _Layer(str(index), layers.group(str(index))), last=index == len(layers.names) - 1)
        seconds = _step_seconds(root) if dt is None else dt
    if chain.port is None or not chain.populations:
        raise InputError(str(path), "holds no layer of neurons", "it needs at least one")
    provenance: dict[str, Any] = {"notes": chain.notes, "netx": {"layers": chain.read}}
    if chain.transform is not None:
        provenance["netx"]["transform"] = chain.transform
        chain.populations = [Population(p.name, p.shape, p.neuron, 1) for p in chain.populations]
    network = Network(
        ports=(chain.port,),
        populations=tuple(chain.populations),
        projections=tuple(chain.projections),
        outputs=(chain.end,),
        dt=seconds,
        provenance=provenance,
    )
    verify_network(network)
    return network


def _step_seconds(root: Group) -> float:
    if "simulation" not in root or "Ts" not in root.group("simulation"):
        return 1.0
    values = root.group("simulation").numbers("Ts")
    return float(values.reshape(-1)[0]) * 1e-3 if values.size == 1 and values.reshape(-1)[0] > 0 else 1.0


def _read_layer(chain: _Chain, layer: _Layer, *, last: bool) -> None:
    kind = layer.group.text("type")
    if kind == "average" and last:
        chain.notes.append(f"{layer.where}: the closing average is taken by the host and left out")
        return
    if kind not in _LAYERS:
        refuse_layer(layer.where, kind)
    _LAYERS[kind](chain, layer)
    chain.read += 1


def _input(chain: _Chain, layer: _Layer) -> None:
    group = layer.group
    if chain.port is not None:
        raise Unsupported(layer.where, "is an input behind another layer", "give the file one input, first")
    chain.port = Port(PORT, shape(group))
    if "neuron" not in group:
        return
    place = Place(layer.where, chain.port.shape, is_input=True, notes=chain.notes)
    neuron = read_neuron(group.group("neuron"), place)
    values = {name: int(integers(group, name).reshape(-1)[0]) for name in ("weight", "bias") if name in group}
    chain.transform = {"weight": 64, "bias": 0, **values}
    chain.notes.append(
        f"{layer.where}: driven by the host; its input is {chain.transform['weight']} x + {chain.transform['bias']} "
        "for an image x, as integers, in every step"
    )
    cells = chain.port.shape
    connection: Connection = Sparse(np.arange(cells[0] + 1), np.arange(cells[0]), np.ones(cells[0]), (cells[0],) * 2)
    if len(cells) == 3:
        connection = Convolution(np.ones((cells[0], 1, 1, 1)), groups=cells[0])
    elif len(cells) == 2:
        raise InputError(f"{group.where}/shape", f"is {list(cells)}", "(n,) or (channels, height, width)")
    chain.projections.append(Projection(layer.name, PORT, layer.name, connection))
    chain.populations.append(Population(layer.name, cells, neuron))


def _flatten(chain: _Chain, layer: _Layer) -> None:  # noqa: ARG001  # a reader like the others
    chain.flat = True


def _dense(chain: _Chain, layer: _Layer) -> None:
    group = layer.group
    cells = (int(np.prod(shape(group))),)
    complex_input = "weight" in group and group.is_group("weight")
    if complex_input:
        matrices = [_matrix(layer, group.group("weight"), name, cells[0]) for name in ("real", "imag")]
    else:
        names = ("weight", "weight_rec") if group.text("type") == "dense_rec" else ("weight",)
        matrices = [_matrix(layer, group, name, cells[0]) for name in names]
    _enter(chain, layer, matrices[0])
    delay = _delays(chain, layer, matrices[0]) if "delay" in group and not complex_input else np.zeros((), np.int64)
    _note_fractions(chain, layer)
    recurrent = len(matrices) > 1 and not complex_input
    joined = [matrices] if not complex_input else [[m] for m in matrices]
    matrices = [m for part in joined for m in _as_run(chain, layer, part, delayed=recurrent and "delay" in group)]
    place = Place(layer.where, cells, _bias(layer, cells), complex_input, notes=chain.notes)
    neuron = read_neuron(group.group("neuron"), place) if "neuron" in group else integrator(place)
    source = chain.end
    chain.projections += _projections(layer.name, source, layer.name, matrices[0], delay)
    if recurrent:
        if matrices[1].shape != (cells[0], cells[0]) or (delay.ndim and delay.shape != matrices[1].shape):
            found = f"is {list(matrices[1].shape)} with delays {list(delay.shape)}"
            raise InputError(f"{group.where}/weight_rec", found, f"both are {cells[0]} x {cells[0]} in a recurrent layer")
        chain.projections += _projections(f"{layer.name}/recurrent", layer.name, layer.name, matrices[1], delay)
    elif complex_input:
        name = f"{layer.name}/imaginary"
        chain.projections.append(Projection(name, source, layer.name, Dense(matrices[1]), imaginary=True))
    chain.populations.append(Population(layer.name, cells, neuron))


def _conv(chain: _Chain, layer: _Layer) -> None:
    group = layer.group
    if chain.shape is None or len(chain.shape) != 3 or chain.flat:
        found = "nothing" if chain.shape is None else f"{list(chain.shape)}{' flattened' * chain.flat}"
        raise InputError(layer.where, f"is a convolution of {found}", "it needs (channels, height, width) before it")
    weight = integers(group, "weight")
    if weight.ndim not in (4, 5) or (weight.ndim == 5 and weight.shape[4] != 1):
        raise InputError(f"{group.where}/weight", f"has the shape {list(weight.shape)}", "(out, in, height, width)")
    geometry = {name: pair(group, name) for name in ("stride", "padding", "dilation")}
    if group.shape("groups") != ():
        chain.notes.append(f"{layer.where}: {LOADER} cannot load groups that are stored as an array")
    connection = Convolution(weight.reshape(weight.shape[:4]), **geometry, groups=whole_number(group, "groups"))
    if "delay" in group and integers(group, "delay").any():
        chain.notes.append(f"{layer.where}: its delays are ignored, as {LOADER} does with convolutions")
    _note_fractions(chain, layer)
    cells = shape(group)
    place = Place(layer.where, cells, _bias(layer, cells), notes=chain.notes)
    neuron = read_neuron(group.group("neuron"), place)
    chain.projections.append(Projection(layer.name, chain.end, layer.name, connection))
    chain.populations.append(Population(layer.name, cells, neuron))


_LAYERS: dict[str, Callable[[_Chain, _Layer], None]] = {
    "input": _input,
    "flatten": _flatten,
    "dense": _dense,
    "dense_rec": _dense,
    "conv": _conv,
}


def _matrix(layer: _Layer, group: Group, name: str, rows: int) -> Numbers:
    weight = integers(group, name)
    if weight.ndim == 1 and weight.size and weight.size % rows == 0:
        weight = weight.reshape(rows, -1)
    if weight.ndim != 2 or len(weight) != rows or not weight.size:
        found = f"has the shape {list(weight.shape)}"
        raise InputError(f"{group.where}/{name}", found, f"{layer.where} has {rows} neurons: (out, in) is expected")
    return weight


def _enter(chain: _Chain, layer: _Layer, weight: Numbers) -> None:
    """Check that the layer's inputs are the cells before it; without an input layer they make the port."""
    if chain.port is None:
        chain.port = Port(PORT, (weight.shape[1],))
    assert chain.shape is not None
    if weight.shape[1] != (cells := int(np.prod(chain.shape))):
        raise InputError(layer.where, f"takes {weight.shape[1]} inputs, {cells} come before it", "match them")
    if chain.populations and len(chain.shape) == 3 and not chain.flat:
        raise InputError(layer.where, f"follows {list(chain.shape)} unflattened", "put a flatten layer between")
    if chain.flat and len(chain.shape) < 3 and chain.populations:
        chain.notes.append(f"{layer.where}: {LOADER} cannot load the flatten before it, which has nothing to do")
    chain.flat = False


def _delays(chain: _Chain, layer: _Layer, weight: Numbers) -> Numbers:
    """Return the delays [out, in] or a single one; vectors are by output where that fits, else by input."""
    delay = integers(layer.group, "delay")
    where = f"{layer.group.where}/delay"
    if not delay.size or delay.min() < 0:
        raise InputError(where, "is empty or negative", f"0 to {DELAY_MAX} are read")
    if delay.max() > DELAY_MAX:
        chain.notes.append(f"{layer.where}: delays up to {delay.max()} are shortened to {DELAY_MAX}, as {LOADER} does")
        delay = delay.clip(0, DELAY_MAX)
    if delay.ndim == 0:
        return delay
    if delay.ndim == 1:
        if len(delay) not in weight.shape:
            raise InputError(where, f"holds {len(delay)} delays for weights {list(weight.shape)}", "one a row or column")
        delay = delay.reshape((-1, 1) if len(delay) == len(weight) else (1, -1))
        delay = np.broadcast_to(delay, weight.shape)
    if delay.shape != weight.shape:
        raise InputError(where, f"has the shape {list(delay.shape)}, the weights {list(weight.shape)}", "match them")
    return delay.reshape(()) if delay.size == 1 else delay


def _projections(name: str, source: str, target: str, weight: Numbers, delay: Numbers) -> list[Projection]:
    """Return a dense projection where all synapses have one delay, else a sparse one for each delay."""
    if (delay == delay.flat[0]).all():
        return [Projection(name, source, target, Dense(weight), delay=int(delay.flat[0]))]
    return [
        Projection(f"{name}/delay{d}", source, target, Sparse.from_dense(np.where(delay == d, weight, 0)), delay=int(d))
        for d in np.unique(delay[weight != 0])
    ]


def _as_run(chain: _Chain, layer: _Layer, matrices: list[Numbers], *, delayed: bool) -> list[Numbers]:
    """Return one loaded group of matrices within the loader's range, and note what it would spoil."""
    held = clipped(matrices)
    if any((a != b).any() for a, b in zip(held, matrices, strict=True)):
        low, high = MIXED_RANGE
        chain.notes.append(f"{layer.where}: weights are clipped to {low}..{high}, as {LOADER} does")
    if found := fault(held, shifted_back=not delayed):
        chain.notes.append(f"{layer.where}: {LOADER} would not run it as written: {found}; the file's values are kept")
    return held


def _note_fractions(chain: _Chain, layer: _Layer) -> None:
    names = (name for name in ("weight", "weight_rec", "bias", "delay") if name in layer.group)
    for name in names:
        if not layer.group.is_group(name) and fractions(layer.group, name):
            chain.notes.append(f"{layer.where}: fractions of {name} are cut off, as {LOADER} does")


def _bias(layer: _Layer, cells: Shape) -> Numbers:
    """Return the bias shaped for a population: one number, one a channel, or one a neuron."""
    if "bias" not in layer.group:
        return np.zeros((), np.int64)
    bias = integers(layer.group, "bias")
    if bias.size == 1:
        return bias.reshape(())
    if bias.shape == cells[:1]:
        return bias.reshape(-1, *([1] * (len(cells) - 1)))
    if bias.shape == cells[::-1]:
        return bias.transpose()
    found = f"has the shape {list(bias.shape)}, the layer {list(cells)}"
    raise InputError(f"{layer.group.where}/bias", found, "give one a channel")

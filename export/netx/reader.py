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
from neurodeploy.export.netx.neurons import Place, integrator, read_neuron
from neurodeploy.export.netx.schema import (
    LOADER,
    Numbers,
    integers,
    pair,
    refuse_layer,
    shape,
    whole_number,
)
from neurodeploy.export.netx.synapses import Layer, as_run, bias_units, delays, matrix, note_fractions, projections
from neurodeploy.fixedpoint import STATE_LIMIT
from neurodeploy.hdf5 import Group, opened
from neurodeploy.network import (
    Connection,
    Convolution,
    Dense,
    Network,
    Population,
    Port,
    Projection,
    Shape,
    Sparse,
    largest_sum,
)
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
            _read_layer(
                chain, Layer(str(index), layers.group(str(index)), chain.notes), last=index == len(layers.names) - 1
            )
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


def _read_layer(chain: _Chain, layer: Layer, *, last: bool) -> None:
    kind = layer.kind
    if kind == "average" and last:
        layer.note("the closing average is taken by the host and left out")
        return
    if kind not in _LAYERS:
        refuse_layer(layer.where, kind)
    _LAYERS[kind](chain, layer)
    chain.read += 1


def _input(chain: _Chain, layer: Layer) -> None:
    group = layer.group
    if chain.port is not None:
        raise Unsupported(layer.where, "is an input behind another layer", "give the file one input, first")
    chain.port = Port(PORT, shape(group))
    if "neuron" not in group:
        return
    place = Place(layer.where, chain.port.shape, is_input=True, notes=chain.notes)
    neuron = read_neuron(group.group("neuron"), place)
    values = {name: _first(group, name) for name in ("weight", "bias") if name in group}
    chain.transform = {"weight": 64, "bias": 0, **values}
    layer.note(
        f"driven by the host; its input is {chain.transform['weight']} x + {chain.transform['bias']} "
        "for an image x, as integers, in every step"
    )
    cells = chain.port.shape
    connection: Connection = Sparse(
        np.arange(cells[0] + 1), np.arange(cells[0]), np.ones(cells[0], int), (cells[0], cells[0])
    )
    if len(cells) == 3:
        connection = Convolution(np.ones((cells[0], 1, 1, 1), int), groups=cells[0])
    elif len(cells) == 2:
        raise InputError(f"{group.where}/shape", f"is {list(cells)}", "(n,) or (channels, height, width)")
    chain.projections.append(Projection(f"{layer.name}.weight", PORT, layer.name, connection))
    chain.populations.append(Population(layer.name, cells, neuron))


def _first(group: Group, name: str) -> int:
    values = integers(group, name).reshape(-1)
    if not values.size:
        raise InputError(f"{group.where}/{name}", "holds no number", "one is expected")
    return int(values[0])


def _flatten(chain: _Chain, layer: Layer) -> None:  # noqa: ARG001  # a reader like the others
    chain.flat = True


def _dense(chain: _Chain, layer: Layer) -> None:
    group = layer.group
    cells = (int(np.prod(shape(group))),)
    complex_input = "weight" in group and group.is_group("weight")
    source_group, names = (group.group("weight"), ("real", "imag")) if complex_input else (group, _MATRICES[layer.kind])
    matrices = [matrix(layer, source_group, name, cells[0]) for name in names]
    _enter(chain, layer, matrices[0])
    note_fractions(layer)
    made = _complex(chain.end, layer, matrices) if complex_input else _real(chain.end, layer, matrices)
    place = Place(layer.where, cells, bias_units(layer, cells), complex_input, notes=chain.notes)
    neuron = read_neuron(group.group("neuron"), place) if "neuron" in group else integrator(place)
    if neuron.graded and len(matrices) > 1:
        layer.note(f"{LOADER} counts its own graded spikes as 1 unless its input is graded too")
    chain.projections += made
    chain.populations.append(Population(layer.name, cells, neuron))


def _real(source: str, layer: Layer, matrices: list[Numbers]) -> list[Projection]:
    delayed = "delay" in layer.group
    delay = delays(layer, matrices[0]) if delayed else np.zeros((), np.int64)
    held = as_run(layer, matrices, shifted_back=not (delayed and len(matrices) > 1))
    made = projections(f"{layer.name}.weight", source, layer.name, held[0], delay)
    for recurrent in held[1:]:
        cells = len(recurrent)
        if recurrent.shape != (cells, cells) or (delay.ndim and delay.shape != recurrent.shape):
            found = f"is {list(recurrent.shape)} with delays {list(delay.shape)}"
            raise InputError(f"{layer.group.where}/weight_rec", found, f"a recurrent layer has {cells} x {cells}")
        made += projections(f"{layer.name}.recurrent", layer.name, layer.name, recurrent, delay)
    return made


def _complex(source: str, layer: Layer, matrices: list[Numbers]) -> list[Projection]:
    if "delay" in layer.group and integers(layer.group, "delay").any():
        layer.note(f"its delays are ignored, as {LOADER} does with complex layers")
    if matrices[0].shape != matrices[1].shape:
        raise InputError(layer.where, "has real and imaginary weights of different shapes", "match them")
    real, imaginary = (as_run(layer, [part])[0] for part in matrices)
    name = f"{layer.name}.imaginary"
    return [
        Projection(f"{layer.name}.weight", source, layer.name, Dense(real)),
        Projection(name, source, layer.name, Dense(imaginary), imaginary=True),
    ]


def _conv(chain: _Chain, layer: Layer) -> None:
    group = layer.group
    if chain.shape is None or len(chain.shape) != 3 or chain.flat:
        found = "nothing" if chain.shape is None else f"{list(chain.shape)}{' flattened' * chain.flat}"
        raise InputError(layer.where, f"is a convolution of {found}", "it needs (channels, height, width) before it")
    weight = integers(group, "weight")
    if weight.ndim not in (4, 5) or (weight.ndim == 5 and weight.shape[4] != 1):
        raise InputError(f"{group.where}/weight", f"has the shape {list(weight.shape)}", "(out, in, height, width)")
    geometry = {name: pair(group, name) for name in ("stride", "padding", "dilation")}
    if group.shape("groups") != ():
        layer.note(f"{LOADER} cannot load groups that are stored as an array")
    connection = Convolution(weight.reshape(weight.shape[:4]), **geometry, groups=whole_number(group, "groups"))
    if "delay" in group and integers(group, "delay").any():
        layer.note(f"its delays are ignored, as {LOADER} does with convolutions")
    note_fractions(layer)
    if largest_sum(connection) >= STATE_LIMIT:
        layer.note(f"its sums can reach {largest_sum(connection):,}; Lava's convolution wraps at {STATE_LIMIT:,}")
    cells = shape(group)
    place = Place(layer.where, cells, bias_units(layer, cells), notes=chain.notes)
    neuron = read_neuron(group.group("neuron"), place)
    chain.projections.append(Projection(f"{layer.name}.weight", chain.end, layer.name, connection))
    chain.populations.append(Population(layer.name, cells, neuron))


#: Type of a layer -> its matrices.
_MATRICES = {"dense": ("weight",), "dense_rec": ("weight", "weight_rec")}
#: Type of a layer -> what reads it.
_LAYERS: dict[str, Callable[[_Chain, Layer], None]] = {
    "input": _input,
    "flatten": _flatten,
    "dense": _dense,
    "dense_rec": _dense,
    "conv": _conv,
}


def _enter(chain: _Chain, layer: Layer, weight: Numbers) -> None:
    """Check that the layer's inputs are the cells before it; without an input layer they make the port."""
    if chain.port is None:
        chain.port = Port(PORT, (weight.shape[1],))
    assert chain.shape is not None
    if weight.shape[1] != (cells := int(np.prod(chain.shape))):
        raise InputError(layer.where, f"takes {weight.shape[1]} inputs, {cells} come before it", "match them")
    if chain.populations and len(chain.shape) == 3 and not chain.flat:
        raise InputError(layer.where, f"follows {list(chain.shape)} unflattened", "put a flatten layer between")
    if chain.flat and len(chain.shape) < 3 and chain.populations:
        layer.note(f"{LOADER} cannot load the flatten before it, which has nothing to do")
    chain.flat = False

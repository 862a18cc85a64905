"""The weights, delays and biases of a netx layer, as lava-dl 0.6.0 takes them, and the projections they make."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurodeploy.errors import InputError
from neurodeploy.export.netx.faults import MIXED_RANGE, clipped, fault
from neurodeploy.export.netx.schema import DELAY_MAX, LOADER, Numbers, fractions, integers
from neurodeploy.hdf5 import Group
from neurodeploy.network import Dense, Projection, Shape, Sparse


@dataclass(frozen=True)
class Layer:
    """One group under /layer, and the list that takes notes on it."""

    name: str
    group: Group
    notes: list[str]

    @property
    def where(self) -> str:
        """The layer, for messages."""
        return f"layer {self.name}"

    @property
    def kind(self) -> str:
        """Its type, as the file has it."""
        return self.group.text("type")

    def note(self, text: str) -> None:
        """Keep a note."""
        self.notes.append(f"{self.where}: {text}")


def matrix(layer: Layer, group: Group, name: str, rows: int) -> Numbers:
    """Return weights as [out, in]; a flat array is cut into rows."""
    weight = integers(group, name)
    if weight.ndim == 1 and weight.size and weight.size % rows == 0:
        weight = weight.reshape(rows, -1)
    if weight.ndim != 2 or len(weight) != rows or not weight.size:
        found = f"has the shape {list(weight.shape)}"
        raise InputError(f"{group.where}/{name}", found, f"{layer.where} has {rows} neurons: (out, in) is expected")
    return weight


def delays(layer: Layer, weight: Numbers) -> Numbers:
    """Return the delays [out, in] or a single one; vectors are by output where that fits, else by input."""
    delay = integers(layer.group, "delay")
    where = f"{layer.group.where}/delay"
    if not delay.size or delay.min() < 0:
        raise InputError(where, "is empty or negative", f"0 to {DELAY_MAX} are read")
    if delay.max() > DELAY_MAX:
        layer.note(f"delays up to {delay.max()} are shortened to {DELAY_MAX}, as {LOADER} does")
        delay = delay.clip(0, DELAY_MAX)
    if delay.ndim == 0:
        return delay
    if delay.ndim == 1:
        if len(delay) not in weight.shape:
            raise InputError(
                where, f"holds {len(delay)} delays for weights {list(weight.shape)}", "one a row or column"
            )
        delay = delay.reshape((-1, 1) if len(delay) == len(weight) else (1, -1))
        delay = np.broadcast_to(delay, weight.shape)
    if delay.shape != weight.shape:
        raise InputError(where, f"has the shape {list(delay.shape)}, the weights {list(weight.shape)}", "match them")
    return delay.reshape(()) if delay.size == 1 else delay


def projections(name: str, source: str, target: str, weight: Numbers, delay: Numbers) -> list[Projection]:
    """Return a dense projection where all synapses have one delay, else a sparse one for each delay."""
    if (delay == delay.flat[0]).all() or not weight.any():
        return [Projection(name, source, target, Dense(weight), delay=int(delay.flat[0]))]
    return [
        Projection(f"{name}.delay{d}", source, target, Sparse.from_dense(np.where(delay == d, weight, 0)), delay=int(d))
        for d in np.unique(delay[weight != 0])
    ]


def as_run(layer: Layer, matrices: list[Numbers], *, shifted_back: bool = True) -> list[Numbers]:
    """Return matrices that are loaded together within the loader's range, and note what it would spoil."""
    held = clipped(matrices)
    if any((a != b).any() for a, b in zip(held, matrices, strict=True)):
        low, high = MIXED_RANGE
        layer.note(f"weights are clipped to {low}..{high}, as {LOADER} does")
    if found := fault(held, shifted_back=shifted_back):
        layer.note(f"{LOADER} would not run it as written: {found}; the file's values are kept")
    return held


def note_fractions(layer: Layer) -> None:
    """Note which of the layer's arrays hold fractions."""
    names = (name for name in ("weight", "weight_rec", "bias", "delay") if name in layer.group)
    for name in names:
        if not layer.group.is_group(name) and fractions(layer.group, name):
            layer.note(f"fractions of {name} are cut off, as {LOADER} does")


def bias_units(layer: Layer, cells: Shape) -> Numbers:
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

"""Hold two recordings against each other, cell by cell."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.blocks import Block, blocks
from neurodeploy.errors import NotEqual
from neurodeploy.recording import Recording

#: Within a step the current is computed before the membrane and the membrane before the spike: the first of them that
#: differs is nearest to the cause.
_ORDER = ("u", "v", "s")


@dataclass(frozen=True)
class Difference:
    """A cell in which two recordings differ; ``neuron`` is the index in the population's shape."""

    sample: int
    step: int
    population: str
    neuron: tuple[int, ...]
    quantity: str
    values: tuple[float, float]


@dataclass(frozen=True)
class Comparison:
    """The outcome: how many cells of which quantities were compared, how many differ, and the first that does."""

    backends: tuple[str, str]
    quantities: tuple[str, ...]
    populations: tuple[str, ...]
    samples: int
    steps: int
    cells: int
    differing: int
    first_difference: Difference | None

    @property
    def equal(self) -> bool:
        """Whether every cell agrees."""
        return self.differing == 0

    def as_dict(self) -> dict[str, Any]:
        """Return the comparison as JSON values."""
        return {"schema": 1, "equal": self.equal, **asdict(self)}

    def summary(self) -> str:
        """Return one sentence: equal over N cells, or the first difference with both values."""
        names = " and ".join(self.backends)
        if self.first_difference is None:
            return f"{names}: equal over {self.cells:,} cells ({', '.join(self.quantities)} of every neuron and step)"
        d = self.first_difference
        return (
            f"{names} differ in {self.differing:,} of {self.cells:,} cells, first at sample {d.sample}, step {d.step}, "
            f"population {d.population}, neuron {list(d.neuron)}: {d.quantity} is {d.values[0]:g} and {d.values[1]:g}"
        )


def compare(one: Recording, other: Recording) -> Comparison:
    """Compare every quantity that both recordings hold, of every population, sample and step.

    Recordings are read a block of samples and steps at a time: they may lie on disk.

    Raises
    ------
    NotEqual : the recordings are not of the same network and input.
    """
    subject = f"{one.backend} and {other.backend}"
    if one.extent != other.extent:
        problem = f"{one.samples} samples of {one.steps} steps against {other.samples} of {other.steps}"
        raise NotEqual(subject, problem, "run both on the same input")
    if set(one.spikes) != set(other.spikes):
        raise NotEqual(subject, f"populations {list(one.spikes)} against {list(other.spikes)}", "run the same network")
    cells = sum(math.prod(values.shape[2:]) for values in one.spikes.values())
    parts = ((block, _compare(subject, one.part(block), other.part(block))) for block in blocks(*one.extent, cells))
    return joined(parts, one.extent)


def joined(parts: Iterable[tuple[Block, Comparison]], extent: tuple[int, int]) -> Comparison:
    """Return one comparison from those of blocks in order, which together have ``extent`` samples and steps."""
    result: Comparison | None = None
    for (samples, steps), part in parts:
        first = part.first_difference
        if first is not None:
            first = replace(first, sample=first.sample + samples.start, step=first.step + steps.start)
        if result is None:
            result = replace(part, samples=extent[0], steps=extent[1], first_difference=first)
        else:
            result = replace(
                result,
                cells=result.cells + part.cells,
                differing=result.differing + part.differing,
                first_difference=result.first_difference or first,
            )
    assert result is not None, "there is at least one block"
    return result


def _compare(subject: str, one: Recording, other: Recording) -> Comparison:
    tables = {q: (t, dict(o)) for q, t, o in zip("uvs", _tables(one), _tables(other), strict=True) if _comparable(t, o)}
    cells, differing = 0, 0
    firsts: list[tuple[int, int, int, int, tuple[int, ...]]] = []
    names = list(one.spikes)
    for rank, quantity in enumerate(_ORDER):
        if quantity not in tables:
            continue
        mine, theirs = tables[quantity]
        for place, name in enumerate(names):
            if name not in mine or name not in theirs:
                continue  # a float population without a synaptic current has no u
            theirs[name] = _aligned(mine[name], theirs[name])
            unequal = _unequal(subject, name, mine[name], theirs[name])
            cells += unequal.size
            if count := int(np.count_nonzero(unequal)):
                differing += count
                sample, step, *neuron = (int(i) for i in np.argwhere(unequal)[0])
                firsts.append((sample, step, place, rank, tuple(neuron)))
    return Comparison(
        backends=(one.backend, other.backend),
        quantities=tuple(q for q in "suv" if q in tables),
        populations=tuple(names),
        samples=one.samples,
        steps=one.steps,
        cells=cells,
        differing=differing,
        first_difference=_describe(min(firsts), names, tables) if firsts else None,
    )


def _tables(recording: Recording) -> tuple[Any, Any, Any]:
    return recording.u, recording.v, recording.spikes


def _comparable(mine: Mapping[str, npt.NDArray[Any]], theirs: Mapping[str, npt.NDArray[Any]]) -> bool:
    """Return whether both hold the quantity in the same units: registers are integers, float membranes are not."""
    kinds = {np.issubdtype(values.dtype, np.integer) for table in (mine, theirs) for values in table.values()}
    return bool(mine) and bool(theirs) and len(kinds) == 1


def _aligned(mine: npt.NDArray[Any], theirs: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the second array in the shape of the first where they differ in axes of extent 1 alone."""
    same = [[n for n in values.shape[2:] if n != 1] for values in (mine, theirs)]
    return theirs.reshape(mine.shape) if same[0] == same[1] and mine.size == theirs.size else theirs


def _unequal(subject: str, name: str, a: npt.NDArray[Any], b: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    if a.shape != b.shape:
        raise NotEqual(subject, f"population {name} is {list(a.shape)} and {list(b.shape)}", "run the same network")
    return np.asarray(a != b)


def _describe(
    first: tuple[int, int, int, int, tuple[int, ...]], names: list[str], tables: dict[str, tuple[Any, Any]]
) -> Difference:
    sample, step, place, rank, neuron = first
    name, quantity = names[place], _ORDER[rank]
    values = tuple(float(table[name][(sample, step, *neuron)]) for table in tables[quantity])
    return Difference(sample, step, name, neuron, quantity, (values[0], values[1]))

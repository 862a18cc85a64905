"""How the arrays that a kernel writes become a recording: what of it depends on the network alone, found once."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.network import Network, Population, Shape
from neurodeploy.targets.emulator.program import Program
from neurodeploy.targets.emulator.stepwise_program import StepwiseProgram

Cells = npt.NDArray[Any]


@dataclass(frozen=True)
class Place:
    """Where a population stands on the cell axis: its cells [start, stop), and their shape there.

    A map of (C, H, W) lies channel-last there, as (H, W, C).
    """

    name: str
    start: int
    stop: int
    shape: Shape

    def cut(self, values: Cells, first: int) -> Cells:
        """Return the population's part of [samples, steps, cells] from cell ``first`` on, in torch order; a view."""
        cells = values[:, :, self.start - first : self.stop - first]
        if len(self.shape) == 1:
            return cells
        cells = cells.reshape(*values.shape[:2], *self.shape)
        return cells.transpose(0, 1, 4, 2, 3) if len(self.shape) == 3 else cells


@dataclass(frozen=True)
class Layout:
    """The cells of a network and who of them says what.

    Attributes
    ----------
    places : population -> its place, in the network's order.
    everyone, answering : all populations, and those whose v is always kept.
    graded : whether any population sends payloads, so that spikes take int32.
    narrow : the populations that send 0 and 1 only, where others do not.
    heard : rows of the kernel's parts whose spikes reach a population.
    ports : port -> shape of one step.
    """

    places: dict[str, Place]
    everyone: tuple[str, ...]
    answering: tuple[str, ...]
    graded: bool
    narrow: frozenset[str]
    heard: tuple[int, ...]
    ports: dict[str, Shape]

    def kept(self, names: Collection[str]) -> tuple[int, int]:
        """Return the smallest span of cells, [start, stop), that holds all of these populations."""
        places = [self.places[name] for name in names]
        return min((p.start for p in places), default=0), max((p.stop for p in places), default=0)

    def split(self, values: Cells, names: Collection[str], first: int = 0) -> dict[str, Cells]:
        """Cut [samples, steps, cells], from the cell ``first`` on, into the populations ``names``."""
        return {name: self.places[name].cut(values, first) for name in self.everyone if name in names}

    def spikes(self, values: Cells) -> dict[str, Cells]:
        """Return the spikes of all, as uint8 where a population sends 0 and 1 only beside others that take int32."""
        found = {name: place.cut(values, 0) for name, place in self.places.items()}
        return found | {name: found[name].astype(np.uint8) for name in self.narrow} if self.narrow else found


def layout(network: Network, program: Program | StepwiseProgram) -> Layout:
    """Return the layout of a network that was compiled to ``program``."""
    sources = {projection.source for projection in network.projections}
    parts = [port.name for port in network.ports] + [population.name for population in network.order]
    graded = any(p.neuron.graded for p in network.populations)
    return Layout(
        places={p.name: _place(p, program.cells[p.name]) for p in network.populations},
        everyone=tuple(p.name for p in network.populations),
        answering=network.readouts,
        graded=graded,
        narrow=frozenset(p.name for p in network.populations if graded and not p.neuron.graded),
        heard=tuple(row for row, name in enumerate(parts) if name in sources),
        ports={port.name: port.shape for port in network.ports},
    )


def _place(population: Population, cells: slice) -> Place:
    shape = population.shape
    inner = (shape[1], shape[2], shape[0]) if len(shape) == 3 else shape
    return Place(population.name, cells.start, cells.stop, inner)

"""A chip as data: limits, number formats, memory encodings, and energy and time per event.

Nothing in neurodeploy asks which chip it works for; it asks the :class:`Chip`. The packaged chips are the ``*.toml``
files beside this module, :mod:`neurodeploy.targets.chipfile` says how one is written, and any other file of that form
is a chip too.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy.errors import InputError, UsageError
from neurodeploy.targets.chipcounts import require_counts, require_encoding
from neurodeploy.targets.chipfile import Number, Section, read_chip_file
from neurodeploy.targets.chipformats import require_coherent
from neurodeploy.targets.chipparts import CoreKind, Encoding, Formats, Pool

__all__ = ["TEMPLATE", "Chip", "CoreKind", "Encoding", "Formats", "Pool", "chip_names", "load_chip"]

_PACKAGED = Path(__file__).parent

#: A commented chip file to start one's own from.
TEMPLATE = _PACKAGED / "template" / "my_chip.toml"


@dataclass(frozen=True, eq=False)
class Chip:
    """A chip, or a board of several alike.

    Attributes
    ----------
    mesh : tiles in x and y.
    usable_cores : cores per chip that a network may take.
    chips_max : chips on the largest board meant.
    limits : name of a per-core limit -> its number; a limit the chip does not have is absent.
    populations : populations that one core may hold tiles of; 1 where the file does not say.
    margin : share of axon and memory limits left free by default, for what the vendor's compiler counts besides.
    word_bits, neuron_words : bits of a memory word, and words per neuron.
    differing : the kinds of cores, in the order of the cores; empty where all are alike.
    maps : how many words neurons take: ``cells``, one per neuron, or ``power-of-two``, per channel its rows and its
        columns each rounded up.
    tiling : how a population is cut, ``columns``, ``cheapest`` or ``whole``; see :mod:`neurodeploy.partition`.
    weight_bits : synapse widths the memory knows, ascending.
    encodings : ``dense`` and ``convolution``.
    energy, time, power : joules and seconds per event, watts per chip; empty where the file has no costs.
    barrier : number of tiles in use -> seconds of the barrier that ends a step.
    numbers : every number of the file by its dotted key.
    uncertainty : what trust its energies and times deserve, in words; empty where the file does not say.
    """

    name: str
    title: str
    formats: Formats
    mesh: tuple[int, int]
    cores_per_tile: int
    usable_cores: int
    chips_max: int
    limits: Mapping[str, int]
    margin: float
    pools: tuple[Pool, ...]
    differing: tuple[CoreKind, ...]
    word_bits: int
    neuron_words: int
    maps: str
    tiling: str
    weight_bits: tuple[int, ...]
    encodings: Mapping[str, Encoding]
    energy: Mapping[str, Number]
    time: Mapping[str, Number]
    barrier: Mapping[int, Number]
    power: Mapping[str, Number]
    numbers: Mapping[str, Number]
    uncertainty: str = ""
    populations: int = 1

    @cached_property
    def cores_max(self) -> int:
        """The number of cores of the largest board."""
        return self.usable_cores * self.chips_max

    @cached_property
    def kinds(self) -> tuple[CoreKind, ...]:
        """The kinds of cores, in the order of the cores; a single one where all are alike."""
        return self.differing or (CoreKind("", self.usable_cores, {pool.name: pool.words for pool in self.pools}),)

    @property
    def has_costs(self) -> bool:
        """Whether the file gives energies and times; a chip without them can be mapped to, not estimated."""
        return bool(self.energy)

    def barrier_second(self, tiles: int, bound: str = "value") -> float:
        """Return the seconds of the barrier among so many tiles, interpolated between those the chip file gives.

        Parameters
        ----------
        bound : ``low``, ``value`` or ``high``.
        """
        known = [getattr(number, bound) for number in self.barrier.values()]
        return float(np.interp(tiles, list(self.barrier), known))

    @cached_property
    def kind_of_core(self) -> tuple[int, ...]:
        """Index into :attr:`kinds` of each core of a chip."""
        return tuple(index for index, kind in enumerate(self.kinds) for _ in range(kind.count))

    def as_dict(self) -> dict[str, Any]:
        """Return name, title, number formats and every number of the file, as JSON values."""
        formats = {field.name: getattr(self.formats, field.name) for field in fields(self.formats)}
        return {
            "schema": 1,
            "name": self.name,
            "title": self.title,
            "uncertainty": self.uncertainty,
            "formats": formats | {"resets": list(self.formats.resets)},
            "pools": [{"name": p.name, "words": p.words, "uses": list(p.uses)} for p in self.pools],
            "core_kinds": [{"name": k.name, "count": k.count, "words": dict(k.words)} for k in self.kinds],
            "numbers": {key: number.as_dict() for key, number in self.numbers.items()},
        }


def chip_names() -> tuple[str, ...]:
    """Return the names of the packaged chips and boards."""
    return tuple(sorted(path.stem for path in _PACKAGED.glob("*.toml")))


def load_chip(name_or_path: str | Path) -> Chip:
    """Return the packaged chip of this name, or the chip in this file.

    Raises
    ------
    UsageError : neither a packaged chip nor a file.
    InputError : the file is no valid chip file; the message names its key.
    """
    name = str(name_or_path)
    if name in chip_names():
        return _build(_PACKAGED / f"{name}.toml")
    if Path(name).suffix == ".toml" or Path(name).is_file():
        return _build(Path(name))
    nearest = difflib.get_close_matches(name, chip_names(), n=1, cutoff=0.0)
    raise UsageError(
        name,
        f"is neither a chip ({', '.join(chip_names())}) nor a file",
        f"did you mean {nearest[0]!r}? A chip of your own is a .toml file",
    )


def _build(path: Path) -> Chip:
    sections = read_chip_file(path)
    chip, limits, encoding = sections["chip"], dict(sections["limits"]), sections["encoding"]
    margin, populations = limits.pop("margin"), limits.pop("populations", None)
    if not margin.value < 1:
        raise InputError(str(path), f"limits.margin is {margin.value}", "a share of at least 0 and below 1")
    if populations is not None and int(populations) < 1:
        raise InputError(str(path), "limits.populations is 0", "a core holds one population at least; or leave it out")
    require_counts(str(path), sections)
    pools = tuple(Pool(name, int(pool["words"]), pool["uses"]) for name, pool in _family(sections, "pools.").items())
    formats = Formats(**_plain(sections["formats"]))
    widths = _widths(path, encoding["weight_bits"])
    require_coherent(str(path), formats, widths)
    encodings = {kind: Encoding(**_plain(values)) for kind, values in _family(sections, "encoding.").items()}
    for kind, each in encodings.items():
        require_encoding(str(path), kind, each)
    return Chip(
        name=sections[""]["name"],
        title=sections[""]["title"],
        formats=formats,
        mesh=(int(chip["tiles_x"]), int(chip["tiles_y"])),
        cores_per_tile=int(chip["cores_per_tile"]),
        usable_cores=int(chip["usable_cores"]),
        chips_max=int(chip["chips_max"]),
        limits={name: int(number) for name, number in limits.items()},
        margin=margin.value,
        pools=pools,
        differing=_kinds(path, sections, pools),
        word_bits=int(encoding["word"]),
        neuron_words=int(encoding["neuron"]),
        maps=encoding.get("maps", "cells"),
        tiling=encoding["tiling"],
        weight_bits=widths,
        encodings=encodings,
        energy=sections.get("energy", {}),
        time=sections.get("time", {}),
        barrier=_barrier(path, _family(sections, "barrier.")),
        power=sections.get("power", {}),
        numbers={
            f"{section}.{key}": value
            for section, values in sections.items()
            for key, value in values.items()
            if isinstance(value, Number)
        },
        uncertainty=sections[""].get("uncertainty", ""),
        populations=1 if populations is None else int(populations),
    )


def _kinds(path: Path, sections: Mapping[str, Section], pools: tuple[Pool, ...]) -> tuple[CoreKind, ...]:
    """Return the kinds of cores, if they differ; a pool that one does not name is as large as ``[pools]`` says."""
    usable, common = int(sections["chip"]["usable_cores"]), {pool.name: pool.words for pool in pools}
    named = _family(sections, "core_kinds.")
    kinds = []
    for name, values in named.items():
        if "." in name:
            continue
        own = {pool: int(words["words"]) for pool, words in _family(named, f"{name}.").items()}
        for pool in own:
            if pool not in common:
                nearest = difflib.get_close_matches(pool, sorted(common), n=1, cutoff=0.0)[0]
                key = f"core_kinds.{name}.{pool}"
                raise InputError(str(path), f"unknown pool in {key!r}", f"the nearest valid key is {nearest!r}")
        kinds.append(CoreKind(name, int(values["count"]), common | own))
    if named and sum(kind.count for kind in kinds) != usable:
        found = sum(kind.count for kind in kinds)
        raise InputError(str(path), f"core_kinds hold {found} cores, chip.usable_cores is {usable}", "make them agree")
    return tuple(kinds)


def _family(sections: Mapping[str, Section], prefix: str) -> dict[str, Section]:
    return {name.removeprefix(prefix): values for name, values in sections.items() if name.startswith(prefix)}


def _plain(section: Section) -> dict[str, Any]:
    """Replace each number by its bare value."""
    return {key: value.value if isinstance(value, Number) else value for key, value in section.items()}


def _widths(path: Path, texts: tuple[str, ...]) -> tuple[int, ...]:
    if not all(text.isdecimal() for text in texts):
        raise InputError(str(path), f"encoding.weight_bits is {list(texts)}", 'bit counts as texts, such as "8"')
    return tuple(sorted(int(text) for text in texts))


def _barrier(path: Path, table: Mapping[str, Section]) -> dict[int, Number]:
    for name in table:
        if not name.isdecimal():
            raise InputError(str(path), f"[barrier.{name}] does not name a number of tiles", "write [barrier.4]")
    return {int(name): table[name]["time"] for name in sorted(table, key=int)}

"""What must hold of the counts and encodings of a chip file: what is divided by is not 0, and no two contradict."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from neurodeploy.errors import InputError
from neurodeploy.targets.chipparts import Encoding

#: Cores of a chip beyond which its mesh is a slip of the pen: eight times as many as Hala Point has on all its chips.
_CORES = 1 << 20

#: Section and key of counts that are at least 1.
_POSITIVE = (
    *(("chip", key) for key in ("tiles_x", "tiles_y", "cores_per_tile", "usable_cores", "chips_max")),
    ("limits", "neurons"),
    ("encoding", "word"),
)

#: What must hold of an encoding, what was found where it does not, and what to do; the first that fails is told.
_RULES: tuple[tuple[Callable[[Encoding], bool], str, str], ...] = (
    (
        lambda e: e.packing != "entry" or e.entry_synapses >= 1,
        'packing is "entry", entry_synapses {e.entry_synapses}',
        'say how many synapses an entry holds, or packing = "row"',
    ),
    (
        lambda e: not e.runs or e.packing == "entry",
        'runs is true, packing "{e.packing}"',
        'only entries name the first of neighbouring targets: packing = "entry", or leave out runs',
    ),
    (
        lambda e: e.index_least <= e.index_most,
        "index_least is {e.index_least}, index_most {e.index_most}",
        "make index_most at least index_least",
    ),
)


def require_counts(subject: str, sections: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise :class:`InputError` for the first count that is 0 where it cannot be, or contradicts another.

    Parameters
    ----------
    subject : the chip file, by the name the user knows it under.
    sections : section -> key -> what the file says.
    """
    for section, key in _POSITIVE:
        if int(sections[section][key]) < 1:
            raise InputError(subject, f"{section}.{key} is {int(sections[section][key])}", "a number of at least 1")
    chip = sections["chip"]
    cores = int(chip["tiles_x"]) * int(chip["tiles_y"]) * int(chip["cores_per_tile"])
    if cores > _CORES:
        sides = f"chip.tiles_x {int(chip['tiles_x'])}, tiles_y {int(chip['tiles_y'])}"
        found = f"{sides} and cores_per_tile {int(chip['cores_per_tile'])} make {cores:,} cores"
        raise InputError(subject, found, f"at most {_CORES:,} on a chip; more chips are chips_max")
    if int(chip["usable_cores"]) > cores:
        raise InputError(subject, "chip.usable_cores exceeds the cores of the mesh", "lower it, or widen the mesh")


def require_encoding(subject: str, kind: str, encoding: Encoding) -> None:
    """Raise :class:`InputError` for the first rule that an encoding of a chip file breaks.

    Parameters
    ----------
    subject : the chip file, by the name the user knows it under.
    kind : what it encodes, ``dense`` or ``convolution``.
    """
    for holds, found, advice in _RULES:
        if not holds(encoding):
            raise InputError(subject, f"encoding.{kind}.{found.format(e=encoding)}", advice)

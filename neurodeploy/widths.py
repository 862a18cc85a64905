"""The formats of a chip with weights of fewer bits than its widest: every k-th value of the grid.

A weight of b bits keeps the b most significant ones, sign included, so that it is a weight of the widest format too:
of -256..254 in steps of 2, four bits keep -256..224 in steps of 32.
"""

from __future__ import annotations

from dataclasses import replace

from neurodeploy.errors import UsageError
from neurodeploy.targets.chip import Chip
from neurodeploy.targets.chipparts import Formats


def narrowed(formats: Formats, bits: int) -> Formats:
    """Return the formats with weights of ``bits`` bits, at most those they have."""
    span = formats.signed_maximum - formats.signed_minimum
    signed = formats.signed_step * _gap(span // formats.signed_step + 1, bits)
    unsigned = formats.unsigned_step * _gap(formats.unsigned_maximum // formats.unsigned_step + 1, bits)
    return replace(
        formats,
        weight_bits=bits,
        signed_maximum=formats.signed_minimum + span // signed * signed,
        signed_step=signed,
        unsigned_maximum=formats.unsigned_maximum // unsigned * unsigned,
        unsigned_step=unsigned,
    )


def needs_split_signs(chip: Chip, bits: int) -> bool:
    """Return whether weights of so many bits have one sign only, and the chip has a format for each sign."""
    formats = narrowed(chip.formats, bits)
    return formats.signed_maximum <= 0 and formats.unsigned_maximum > 0


def _gap(levels: int, bits: int) -> int:
    """Return the least distance in levels at which so many bits tell the levels kept apart."""
    return -(-levels // (1 << bits))


def widths(chip: Chip) -> tuple[int, ...]:
    """Return the weight widths that the chip stores and computes with, ascending."""
    return tuple(bits for bits in chip.weight_bits if bits <= chip.formats.weight_bits)


def require_width(chip: Chip, bits: int) -> None:
    """Raise :class:`UsageError` where the chip has no weights of this many bits."""
    if bits not in widths(chip):
        known = ", ".join(map(str, widths(chip)))
        raise UsageError("--weight-bits", f"is {bits}, {chip.name} stores weights of {known} bits", "take one of these")

"""What must hold between the number formats of a chip, so that no two of them contradict each other."""

from __future__ import annotations

from collections.abc import Callable

from neurodeploy.errors import InputError
from neurodeploy.fixedpoint import DECAY_ONE, STATE_BITS, STATE_SHIFT
from neurodeploy.targets.chipparts import Formats


def _signed_levels(formats: Formats) -> int:
    return (formats.signed_maximum - formats.signed_minimum) // formats.signed_step + 1


def _unsigned_levels(formats: Formats) -> int:
    return formats.unsigned_maximum // formats.unsigned_step + 1


def _contains_steps(formats: Formats) -> bool:
    return (formats.signed_maximum - formats.signed_minimum) % formats.signed_step == 0


#: What must hold, the two sides of the contradiction where it does not, and what to do; the first that fails is told.
_RULES: tuple[tuple[Callable[[Formats], bool], str, str], ...] = (
    (lambda f: f.weight_bits >= 1, "weight_bits is {f.weight_bits}", "a weight has at least 1 bit"),
    (
        lambda f: f.signed_step >= 1 and f.unsigned_step >= 1,
        "signed_step is {f.signed_step}, unsigned_step is {f.unsigned_step}",
        "both are at least 1",
    ),
    (
        lambda f: f.signed_minimum < 0 < f.signed_maximum,
        "signed_minimum is {f.signed_minimum} and signed_maximum {f.signed_maximum}",
        "weights of both signs lie to either side of 0",
    ),
    (
        _contains_steps,
        "signed_step {f.signed_step} does not lead from {f.signed_minimum} to {f.signed_maximum}",
        "their difference is a multiple of the step",
    ),
    (
        lambda f: _signed_levels(f) <= 2**f.weight_bits,
        "the signed weights {f.signed_minimum} to {f.signed_maximum} in steps of {f.signed_step} are more than"
        " weight_bits {f.weight_bits} can tell apart",
        "raise weight_bits or narrow the range",
    ),
    (
        lambda f: f.unsigned_maximum >= 0 and _unsigned_levels(f) <= 2**f.weight_bits,
        "the weights 0 to {f.unsigned_maximum} of one sign are not what weight_bits {f.weight_bits} can tell apart",
        "raise weight_bits, lower unsigned_maximum, or say 0 where the chip has no such format",
    ),
    (
        lambda f: f.weight_exponent_minimum <= 0 <= f.weight_exponent_maximum,
        "weight_exponent_minimum is {f.weight_exponent_minimum}, weight_exponent_maximum {f.weight_exponent_maximum}",
        "the exponent 0 lies between them",
    ),
    (
        lambda f: 0 <= f.bias_exponent_minimum <= f.bias_exponent_maximum and f.bias_maximum >= 0,
        "bias_exponent_minimum is {f.bias_exponent_minimum}, bias_exponent_maximum {f.bias_exponent_maximum}"
        " and bias_maximum {f.bias_maximum}",
        "0 <= minimum <= maximum, and a mantissa of at least 0",
    ),
    (
        lambda f: STATE_SHIFT + 1 < f.state_bits <= STATE_BITS,
        "state_bits is {f.state_bits}",
        f"states of {STATE_SHIFT + 2} to {STATE_BITS} bits are known here",
    ),
    (
        lambda f: 0 < f.threshold_maximum << STATE_SHIFT < 1 << (f.state_bits - 1),
        "threshold_maximum {f.threshold_maximum} is beyond what a membrane of state_bits {f.state_bits} reaches",
        "one unit of it is 64 units of the membrane",
    ),
    (
        lambda f: f.decay_one == DECAY_ONE,
        "decay_one is {f.decay_one}",
        f"decays are counted in {DECAY_ONE}ths here",
    ),
    (lambda f: f.delay_maximum >= 0, "delay_maximum is {f.delay_maximum}", "0 or more steps"),
)


def require_coherent(subject: str, formats: Formats, stored: tuple[int, ...]) -> None:
    """Raise :class:`InputError` for the first rule that the formats of a chip file break.

    Parameters
    ----------
    subject : the chip file, by the name the user knows it under.
    stored : the widths in which its memory keeps weights.
    """
    if max(stored) < formats.weight_bits:
        found = f"formats.weight_bits is {formats.weight_bits}, encoding.weight_bits ends at {max(stored)}"
        raise InputError(subject, f"formats contradict each other: {found}", "make them agree")
    for holds, found, advice in _RULES:
        if not holds(formats):
            raise InputError(subject, f"formats contradict each other: {found.format(f=formats)}", advice)

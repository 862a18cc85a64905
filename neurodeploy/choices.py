"""What a user may say about quantization, and the plans that leaves for a population."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from neurodeploy.clipping import Clipping
from neurodeploy.errors import UsageError
from neurodeploy.membrane import FloatPopulation
from neurodeploy.realization import Plan, Rounding
from neurodeploy.targets.chip import Chip
from neurodeploy.widths import require_width

Auto = Literal["auto"]
Scales = Literal["population", "channel"]
Ranges = Literal["calibration", "every-input"]

#: Points of accuracy that ``weight_bits="auto"`` may cost where no budget is given.
LOSS = 0.5
#: Weights of a population beyond which fewer candidates are tried.
_LARGE = 1 << 22


@dataclass(frozen=True)
class Choices:
    """How to quantize; ``auto`` is decided by measurement on calibration samples.

    Attributes
    ----------
    weight_bits : width of all weights, the chip's widest where None; ``auto`` finds one a population.
    rounding : ``nearest``, or ``adaptive``, which keeps the error of sums small rather than that of weights.
    clipping : a rule of :mod:`neurodeploy.clipping`.
    scales : one a ``population``, or one a ``channel`` where thresholds can absorb it; ``auto`` tries both, and leaves
        half of a core's sets of parameters to other populations.
    ranges : what no register may leave its range on: the ``calibration`` samples, or ``every-input`` of their length.
    memory : bytes that all weights together may take, for ``weight_bits="auto"``.
    loss : points of accuracy that ``weight_bits="auto"`` may cost on the calibration samples.
    allow_dead : accept a population that fell silent, or fires without end, only in integers.
    """

    weight_bits: int | Auto | None = None
    rounding: Rounding | Auto = "auto"
    clipping: Clipping | Auto = "auto"
    scales: Scales | Auto = "auto"
    ranges: Ranges = "calibration"
    memory: int | None = None
    loss: float | None = None
    allow_dead: bool = False

    def __post_init__(self) -> None:
        words = {"rounding": (*get_args(Rounding), "auto"), "clipping": (*get_args(Clipping), "auto")}
        words |= {"scales": (*get_args(Scales), "auto"), "ranges": get_args(Ranges)}
        for name, allowed in words.items():
            if getattr(self, name) not in allowed:
                raise UsageError(name, f"{getattr(self, name)!r} is none", f"one of {', '.join(allowed)}")
        bits = self.weight_bits
        if not (bits is None or bits == "auto" or (isinstance(bits, int) and not isinstance(bits, bool))):
            raise UsageError("weight_bits", f"is {bits!r}", "a number of bits, or auto")
        for name in ("memory", "loss"):
            value = getattr(self, name)
            if value is not None and bits != "auto":
                raise UsageError(name, "is a budget for weight_bits 'auto'", "give both, or neither")
            if value is not None and not 0 <= value < float("inf"):
                raise UsageError(name, f"is {value}", "a number of at least 0")

    @property
    def measured(self) -> bool:
        """Whether something is asked for that calibration samples must decide."""
        return self.weight_bits == "auto" or self.rounding == "adaptive" or self.ranges == "every-input"

    def bits(self, chip: Chip) -> int:
        """Return the width to begin with.

        Raises
        ------
        UsageError : the chip has no such width.
        """
        if self.weight_bits is None or self.weight_bits == "auto":
            return chip.formats.weight_bits
        require_width(chip, self.weight_bits)
        return self.weight_bits

    def groups(self, population: FloatPopulation, chip: Chip) -> int:
        """Return how many scales the channels of a population may have: as many as a core has sets of parameters.

        One where the population's own parameters differ already, or where it answers by its membrane.
        """
        own = (population.threshold, population.step.alpha, population.step.beta)
        if not population.spiking or any(values is not None and np.ptp(values) > 0 for values in own):
            return 1
        return max(1, min(int(chip.limits.get("neuron_groups", 1)), population.shape[0]))

    def first(self, population: FloatPopulation, chip: Chip) -> Plan:
        """Return the plan that needs no measurement."""
        clipping: Clipping = "mse" if self.clipping == "auto" else self.clipping
        groups = self.groups(population, chip) if self.scales == "channel" else 1
        return Plan(self.bits(chip), clipping, "nearest", groups)

    def plans(self, population: FloatPopulation, chip: Chip, bits: int) -> list[Plan]:
        """Return the plans to be measured, the plainest first."""
        large = sum(weight.size for weight in population.weights) > _LARGE
        most = self.groups(population, chip)
        offered = {"population": [1], "channel": [most], "auto": [1, max(1, most // 2)][: 1 if large else 2]}[
            self.scales
        ]
        clippings: tuple[Clipping, ...] = ("mse",) if large else ("mse", "none", "percentile")
        rules = clippings if self.clipping == "auto" else (self.clipping,)
        found = [Plan(bits, rules[0], "nearest", offered[0])] if self.rounding != "adaptive" else []
        roundings: tuple[Rounding, ...] = ("nearest",) if self.rounding == "nearest" else ("adaptive",)
        found += [Plan(bits, rule, rounding, count) for rounding in roundings for count in offered for rule in rules]
        return list(dict.fromkeys(found))

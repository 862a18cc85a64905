"""Energy and latency of an inference, from counted events and a chip file's constants, with bounds.

::

    E_core    = active e_active + idle e_idle + spikes e_spike + sum over encodings of operations e_operation
    E_network = messages (e_out + e_in) + hops_x e_x + hops_y e_y + crossings e_crossing
    dynamic   = sum over cores E_core + E_network
    t_core    = the same sum with times, of each core in each step
    t_link    = messages over a link in a step * t_hop
    t_step    = max(t_minimum, barrier(tiles) + max(slowest t_core, busiest t_link)), in each step
    latency   = (steps + pipeline fill) mean t_step
    static    = P_static chips latency,   management = P_management latency

Every constant has a low, a nominal and a high value; the bounds of a result are those of its constants taken together,
on the same events. They do not cover what :attr:`Estimate.left_out` lists. Public measurements of whole boards were 1
to 18 times the energy that these events explain.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from neurodeploy.activity import Activity
from neurodeploy.bounds import Bounds, rounded
from neurodeploy.conventions import ACCUMULATE_45NM
from neurodeploy.counts import CoreActivity
from neurodeploy.errors import InputError, UsageError
from neurodeploy.placement import Placement
from neurodeploy.targets.chip import Chip
from neurodeploy.targets.chipfile import Number
from neurodeploy.targets.chipschema import CLASSES
from neurodeploy.timing import barrier, link_times, step_times
from neurodeploy.weighing import bounds_of, core_events, weigh

__all__ = [
    "ACCUMULATE_45NM",
    "Bounds",
    "Estimate",
    "PopulationEstimate",
    "barrier",
    "core_events",
    "estimate",
    "rounded",
]

SCHEMA_VERSION = 1

#: A measured time so many times the upper bound of the chip's own is the host's: boards that were not waiting for
#: theirs stayed within as many times what the model explains.
HOST_BOUND = 18

#: What no number of an estimate contains.
_LEFT_OUT = (
    "spike input and output between host and chip, which has made public runs up to 25 times slower",
    "embedded processors and host beyond the management line",
    "waiting of messages for each other, beyond the load of the busiest link",
    "energy of the steps in which the pipeline fills and drains, except static power",
    "learning",
)
_LEFT_OUT_CHIPS = "energy and time of messages between chips, for which no public number exists"

#: Totals that an estimate gives per inference.
_COUNTS = (
    *("spikes", "synaptic_operations", "neuron_updates", "active_updates", "messages", "memory_reads"),
    *("hops_x", "hops_y"),
)
#: Fields of CoreActivity, all of them counts.
CORE_COUNTS = tuple(each.name for each in fields(CoreActivity))

#: Classes of which a result shows one significant digit; others show three.
_ONE_DIGIT = ("extrapolated", "assumed")


@dataclass(frozen=True)
class PopulationEstimate:
    """The share of a population, per inference: events at its neurons and incoming synapses, messages it sends."""

    name: str
    cores: int
    spikes: float
    synaptic_operations: float
    neuron_updates: float
    active_updates: float
    messages: float
    memory_reads: float
    dynamic: Bounds


@dataclass(frozen=True, eq=False)
class Estimate:
    """Energy in joules and latency in seconds of one inference.

    Attributes
    ----------
    steps : of one sample; the pipeline takes ``fill_steps`` more.
    counts : events per inference by name.
    dynamic, static, management : energy of events, of leakage, and of embedded processors.
    latency, step_time : of an inference, and of one step in the mean.
    slowest_step : the longest of all steps.
    link_use : share of a step in which the busiest link of the mesh is busy; beyond a half, messages begin to wait.
    energy_45nm_operations_joule : operations times 0.9 pJ, arithmetic only: NOT the energy of this chip.
    constants : the chip's numbers used, by dotted key.
    source_class : the weakest class among them.
    significant_digits : how many digits of energies and times mean anything.
    uncertainty : what the chip file says about the trust its energies and times deserve, in words.
    left_out : what is not in any number.
    """

    target: str
    samples: int
    steps: int
    fill_steps: int
    cores_used: int
    chips_used: int
    counts: Mapping[str, float]
    dynamic: Bounds
    static: Bounds
    management: Bounds
    latency: Bounds
    step_time: Bounds
    slowest_step: Bounds
    link_use: Bounds
    energy_45nm_operations_joule: float
    populations: tuple[PopulationEstimate, ...]
    constants: Mapping[str, Number]
    source_class: str
    significant_digits: int
    uncertainty: str
    left_out: tuple[str, ...]

    @property
    def total(self) -> Bounds:
        """Dynamic, static and management energy together."""
        return self.dynamic + self.static + self.management

    @property
    def throughput(self) -> Bounds:
        """Inferences per second, one after another and on the chip alone."""
        return Bounds(1 / self.latency.high, 1 / self.latency.nominal, 1 / self.latency.low)

    def is_host_bound(self, measured_second: float) -> bool:
        """Return whether a measured time of an inference says that host or link, and not the chip, set the pace.

        Where they do, the chip waits most of the time, and the difference of two power readings says nothing about the
        energy of events.
        """
        return measured_second > HOST_BOUND * self.latency.high

    def as_dict(self) -> dict[str, Any]:
        """Return the estimate as JSON values; energies in joules, times in seconds, per inference."""
        energies = {name: getattr(self, name).as_dict() for name in ("dynamic", "static", "management", "total")}
        return {
            "schema": SCHEMA_VERSION,
            "target": self.target,
            "samples": self.samples,
            "steps": self.steps,
            "fill_steps": self.fill_steps,
            "cores_used": self.cores_used,
            "chips_used": self.chips_used,
            **self.counts,
            "energy_joule": energies,
            "latency_second": self.latency.as_dict(),
            "step_second": self.step_time.as_dict(),
            "slowest_step_second": self.slowest_step.as_dict(),
            "inferences_per_second": self.throughput.as_dict(),
            "link_use": self.link_use.as_dict(),
            "energy_45nm_operations_joule": self.energy_45nm_operations_joule,
            "populations": [
                {
                    **{key: value for key, value in vars(part).items() if key != "dynamic"},
                    "energy_joule": {"dynamic": part.dynamic.as_dict()},
                }
                for part in self.populations
            ],
            "source_class": self.source_class,
            "significant_digits": self.significant_digits,
            "constants": {key: number.as_dict() for key, number in self.constants.items()},
            "uncertainty": self.uncertainty,
            "left_out": list(self.left_out),
        }


def estimate(activity: Activity, placement: Placement, chip: Chip) -> Estimate:
    """Return energy and latency of one inference.

    Raises
    ------
    UsageError : placement or activity are for another chip, or the chip file gives no energies.
    InputError : a count is negative.
    """
    if not chip.has_costs:
        advice = "add [energy], [time], [barrier] and [power] with their sources to a chip file of your own"
        raise UsageError(chip.name, "has no energies and times, for none are known", advice)
    if placement.chip.name != chip.name:
        raise UsageError(chip.name, f"the placement is for {placement.chip.name}", "map the network to this chip")
    if activity.pace is not None and activity.pace.target != chip.name:
        problem = f"the activity was counted on cores of {activity.pace.target}"
        raise UsageError(chip.name, problem, "count it on this placement")
    per_inference = 1 / max(activity.samples, 1)
    _refuse_negative(activity)
    step, slowest_step = step_times(activity, placement, chip)
    latency = step * float(activity.steps + activity.fill_steps)
    populations = tuple(_population(name, activity, placement, chip) for name in activity.populations)
    noc = weigh(_network_events(activity, chip), chip.energy)
    dynamic = sum((part.dynamic for part in populations), noc * per_inference)
    constants = _constants(chip)
    source_class = max((number.source_class for number in constants.values()), key=CLASSES.index)
    operations = activity.total("synaptic_operations") * per_inference
    return Estimate(
        target=chip.name,
        samples=activity.samples,
        steps=activity.steps,
        fill_steps=activity.fill_steps,
        cores_used=placement.cores_used,
        chips_used=placement.chips_used,
        counts=_counts(activity),
        dynamic=dynamic,
        static=latency * bounds_of(chip.power["static"]) * float(placement.chips_used),
        management=latency * bounds_of(chip.power["management"]),
        latency=latency,
        step_time=step,
        slowest_step=slowest_step,
        link_use=_link_use(activity, chip, step),
        energy_45nm_operations_joule=operations * ACCUMULATE_45NM,
        populations=populations,
        constants=constants,
        source_class=source_class,
        significant_digits=1 if source_class in _ONE_DIGIT else 3,
        uncertainty=chip.uncertainty,
        left_out=_LEFT_OUT + ((_LEFT_OUT_CHIPS,) if _crosses_unpriced(placement, chip) else ()),
    )


def _crosses_unpriced(placement: Placement, chip: Chip) -> bool:
    return placement.chips_used > 1 and "chip_crossing" not in chip.energy


def _network_events(activity: Activity, chip: Chip) -> dict[str, float]:
    """Return hops, changes of the chip where they have a price, and messages from ports, which no core sends."""
    events: dict[str, float] = {f"hop_{axis}": activity.total(f"hops_{axis}") for axis in "xy"}
    if "chip_crossing" in chip.energy:
        events["chip_crossing"] = activity.total("crossings")
    return events | {"message_out": sum(port.messages for port in activity.ports.values())}


def _link_use(activity: Activity, chip: Chip, step: Bounds) -> Bounds:
    busy = link_times(activity, chip) * (1 / max(activity.samples * activity.steps, 1))
    return Bounds(*(getattr(busy, bound) / getattr(step, bound) for bound in ("low", "nominal", "high")))


def _population(name: str, activity: Activity, placement: Placement, chip: Chip) -> PopulationEstimate:
    part, scale = activity.populations[name], 1 / max(activity.samples, 1)
    return PopulationEstimate(
        name,
        placement.tilings[name].count,
        part.spikes * scale,
        part.synaptic_operations * scale,
        part.neuron_updates * scale,
        part.active_updates * scale,
        part.messages * scale,
        part.memory_reads * scale,
        weigh(core_events(activity.cores, placement.cores_of(name)), chip.energy) * scale,
    )


def _counts(activity: Activity) -> dict[str, float]:
    scale = 1 / max(activity.samples, 1)
    counts = {name: activity.total(name) * scale for name in _COUNTS}
    return counts | {"input_spikes": sum(port.spikes for port in activity.ports.values()) * scale}


def _refuse_negative(activity: Activity) -> None:
    """Refuse counts below zero, which no recording gives."""
    for name in CORE_COUNTS:
        least = int(getattr(activity.cores, name).min(initial=0))
        if least < 0:
            raise InputError(f"activity.cores.{name}", f"holds {least}", "counts are whole numbers of at least 0")
    tables = {**activity.ports, **activity.populations, **activity.projections}
    for name, part in tables.items():
        for key, count in vars(part).items():
            if count < 0:
                raise InputError(f"activity of {name}", f"{key} is {count}", "counts are whole numbers of at least 0")


def _constants(chip: Chip) -> dict[str, Number]:
    """Return the numbers that enter an estimate; one that is zero up to its upper bound adds nothing."""
    sections = ("energy", "time", "barrier", "power")
    return {key: n for key, n in chip.numbers.items() if key.split(".")[0] in sections and n.high > 0}

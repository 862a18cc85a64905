"""How long the steps of an activity take: the slowest core or the busiest link in each, and the barrier.

::

    t_core = sum over events of count * time, of each core in each step
    t_link = messages over a link in a step * t_hop
    t_step = max(t_minimum, barrier(tiles) + max(slowest t_core, busiest t_link))
"""

from __future__ import annotations

import numpy as np

from neurodeploy.activity import Activity
from neurodeploy.bounds import Bounds
from neurodeploy.placement import Placement
from neurodeploy.targets.chip import Chip
from neurodeploy.weighing import bounds_of, core_events, weigh

_BOUNDS = ("low", "nominal", "high")


def step_times(activity: Activity, placement: Placement, chip: Chip) -> tuple[Bounds, Bounds]:
    """Return the mean time of a step and the longest: the slowest core or link in each, and the barrier.

    Of counts without a pace all steps are taken to be alike.
    """
    shortest, wait = bounds_of(chip.time["step_minimum"]), barrier(chip, placement.tiles_used)
    if activity.pace is None:
        mean = (wait + _mean_core_or_link(activity, placement, chip)).at_least(shortest)
        return mean, mean
    busy = np.maximum(activity.pace.cores, activity.pace.links)
    steps = [
        np.maximum(getattr(wait, bound) + busy[index], getattr(shortest, bound)) for index, bound in enumerate(_BOUNDS)
    ]
    return Bounds(*(float(each.mean()) for each in steps)), Bounds(*(float(each.max()) for each in steps))


def _mean_core_or_link(activity: Activity, placement: Placement, chip: Chip) -> Bounds:
    slowest = Bounds()
    for core in range(placement.cores_used):
        entries = np.flatnonzero(placement.site_of == core)
        slowest = slowest.at_least(weigh(core_events(activity.cores, entries), chip.time))
    return slowest.at_least(link_times(activity, chip)) * (1 / max(activity.samples * activity.steps, 1))


def barrier(chip: Chip, tiles: int) -> Bounds:
    """Return the time of the barrier among so many tiles, interpolated between those the chip file gives."""
    return Bounds(*(chip.barrier_second(tiles, bound) for bound in ("low", "value", "high")))


def link_times(activity: Activity, chip: Chip) -> Bounds:
    """Return the seconds that the busiest link is busy over the whole recording."""
    x, y = (
        bounds_of(chip.time[f"hop_{a}"]) * float(link) for a, link in (("x", activity.link_x), ("y", activity.link_y))
    )
    return x.at_least(y)

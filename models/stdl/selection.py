"""Which units a group's auxiliary network is made of; no torch here.

Units are counted from 0 to n - 1 along the network; a group ends at unit l, and only units behind l may be chosen.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

#: Chosen units -> bytes that training the group takes with them.
Cost = Callable[[tuple[int, ...]], int]


def uniform(end: int, units: int, depth: int) -> tuple[int, ...]:
    """Return ``depth`` of the units behind ``end``, evenly spread up to the last, or all where there are no more.

    AugLocal's rule (Ma et al., 2024): round(l + (n - l - 1) / d * i) for i = 1..d, ties to even.
    """
    if depth >= units - 1 - end:
        return tuple(range(end + 1, units))
    return tuple(round(end + (units - end - 1) / depth * i) for i in range(1, depth + 1))


def pyramid(depth: int, shrink: float, auxiliaries: int) -> tuple[int, ...]:
    """Return the depth of each of so many auxiliary networks, falling from ``depth`` towards 1 (AugLocal)."""
    last = max(1, auxiliaries - 1)
    shares = (shrink * k / last for k in range(auxiliaries))
    return tuple(max(1, round(depth * (1 - share) + share)) for share in shares)


def groups_of(units: int, groups: int) -> tuple[range, ...]:
    """Return ``units`` as so many consecutive groups of nearly equal size; 0 makes each unit one.

    Raises :class:`ValueError` where there are fewer units than groups.
    """
    number = groups or units
    if number > units:
        raise ValueError(f"{number} groups cannot be made of {units} units")
    bounds = [round(units * k / number) for k in range(number + 1)]
    return tuple(range(first, last) for first, last in pairwise(bounds))


def largest_uniform(end: int, units: int, cost: Cost, budget: int) -> tuple[int, ...]:
    """Return the largest evenly spread choice that costs at most ``budget``; none where not even one unit does."""
    choices = (uniform(end, units, depth) for depth in range(units - 1 - end, 0, -1))
    return next((choice for choice in choices if cost(choice) <= budget), ())


def cheapest(end: int, units: int, cost: Cost, budget: int) -> tuple[int, ...]:
    """Return the cheapest units, one after the other until the next is too much, in the network's order."""
    order = sorted(range(end + 1, units), key=lambda unit: (cost((unit,)), unit))
    best: tuple[int, ...] = ()
    for number in range(1, len(order) + 1):
        choice = tuple(sorted(order[:number]))
        if cost(choice) > budget:
            break
        best = choice
    return best


SELECTIONS: dict[str, Callable[[int, int, Cost, int], tuple[int, ...]]] = {
    "uniform": largest_uniform,
    "knapsack": cheapest,
}

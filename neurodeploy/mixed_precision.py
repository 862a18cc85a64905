"""How many bits each population's weights take, under a budget of memory or of accuracy.

Every population is measured alone at every width the chip stores. From the widest weights on, the next bit is taken
where it costs the least distance from the float spikes for the memory it frees; the budget says where to stop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from neurodeploy.candidates import Bench
from neurodeploy.choices import LOSS, Choices
from neurodeploy.errors import DoesNotFit, NegativeAnswer
from neurodeploy.realization import Realization
from neurodeploy.scaling import grid, sign_mode
from neurodeploy.targets.chip import Chip
from neurodeploy.widths import narrowed, widths

#: From integers to the points of accuracy that they lose.
Loss = Callable[[Sequence[Realization]], float]


def mixed(widest: Sequence[Realization], bench: Bench, choices: Choices, loss: Loss) -> list[Realization]:
    """Return the populations with as few bits as the budget allows.

    Parameters
    ----------
    widest : all populations with the chip's widest weights.
    loss : measures what a whole network loses.

    Raises
    ------
    DoesNotFit : the memory is exceeded at any width.
    NegativeAnswer : the loss is exceeded at the widest weights already.
    """
    path = _path(widest, bench, choices)
    start = 0
    if choices.memory is not None:
        sizes = [weight_bytes(step) for step in path]
        start = next((i for i, size in enumerate(sizes) if size <= choices.memory), len(path))
        if start == len(path):
            problem = f"take {sizes[-1]:,.0f} bytes at {bench.chip.name}'s narrowest, the budget is {choices.memory:,}"
            raise DoesNotFit("weights", problem, "raise the budget, or prune the network")
    budget = LOSS if choices.loss is None and choices.memory is None else choices.loss
    if budget is None:
        return path[start]
    return path[_last(path, start, budget, loss)]


def weight_bytes(populations: Sequence[Realization]) -> float:
    """Return the bytes that all weights take, each at its width."""
    return sum(w.size * r.plan.bits for r in populations for w in r.weights) / 8


def _last(path: Sequence[list[Realization]], start: int, budget: float, loss: Loss) -> int:
    """Return the last step of the path within the budget, found by bisection, from one that is within it."""
    if (found := loss(path[start])) > budget:
        problem = f"cost {found:.2f} points of accuracy at these bits, the budget is {budget:g}"
        raise NegativeAnswer("weights", problem, "raise the budget, or train with quantization")
    low, high = start, len(path)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if loss(path[middle]) <= budget else (low, middle)
    return low


def _path(widest: Sequence[Realization], bench: Bench, choices: Choices) -> list[list[Realization]]:
    """Return the whole network at every step from the widest weights to the narrowest."""
    options = [_options(realized, bench, choices) for realized in widest]
    places = [0] * len(options)
    path = [[rows[0][0] for rows in options]]
    while True:
        prices = [(_price(rows, place), i) for i, (rows, place) in enumerate(zip(options, places, strict=True))]
        affordable = [(price, i) for price, i in prices if price is not None]
        if not affordable:
            return path
        _, cheapest = min(affordable)
        places[cheapest] += 1
        path.append([rows[place][0] for rows, place in zip(options, places, strict=True)])


def _options(realized: Realization, bench: Bench, choices: Choices) -> list[tuple[Realization, float]]:
    """Return the population at every width from the widest on, each by its best plan, with its distance."""
    if not realized.population.paths:
        return [(realized, 0.0)]
    found = []
    for bits in reversed(_usable(realized, bench.chip)):
        plans = choices.plans(realized.population, bench.chip, bits)
        contest = bench.contest(realized, plans)
        distance = min(c.distance for c in contest.measured or (bench.judge(contest.winner),))
        found.append((contest.winner, distance))
    return found


def _usable(realized: Realization, chip: Chip) -> tuple[int, ...]:
    """Return the widths that have a weight of every sign the population needs."""
    modes = {sign_mode(weight) for weight in realized.population.weights}
    usable = []
    for bits in widths(chip):
        limits = [grid(mode, narrowed(chip.formats, bits)) for mode in modes]
        if all(high > 0 or mode == "inhibitory" for mode, (_, high, _) in zip(modes, limits, strict=True)):
            usable.append(bits)
    return tuple(usable)


def _price(rows: Sequence[tuple[Realization, float]], place: int) -> float | None:
    """Return the distance that the next narrower width adds for each bit of memory that it frees."""
    if place + 1 == len(rows) or not rows[place][0].weights:
        return None
    (wide, near), (narrow, far) = rows[place], rows[place + 1]
    return (far - near) / max(8 * (weight_bytes([wide]) - weight_bytes([narrow])), 1e-9)

"""Which clipping, rounding and scales a population takes: those whose spikes, measured, come nearest to the float ones.

Each candidate is first run alone, on the spikes that its sources sent in the float network, so that the populations are
judged apart and none pays for the errors of another. Then the whole network runs, and one population after the other
takes whichever of its candidates brings the network's answers nearest to the float ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from neurodeploy.assembly import assemble, part
from neurodeploy.evidence import Evidence
from neurodeploy.fidelity import state_distance, train_distance
from neurodeploy.fixedpoint import STATE_SHIFT
from neurodeploy.graph import Graph
from neurodeploy.isolation import alone, given
from neurodeploy.network import Network, Population
from neurodeploy.realization import Plan, Realization, realize
from neurodeploy.recording import Recording
from neurodeploy.simulation import simulate
from neurodeploy.targets.chip import Chip

#: Cells of the population that a candidate is judged on, over all samples and steps.
_CELLS = 1 << 24
#: Cells of all populations in all runs that the choice by answers may take.
_REFINING = 1 << 31


@dataclass(frozen=True)
class Candidate:
    """A plan and how far its spikes, or its membrane where it is a read-out, are from the float ones."""

    plan: Plan
    distance: float


@dataclass(frozen=True, eq=False)
class Contest:
    """One population by each of its plans, what was measured of them alone, and the place of the one taken."""

    made: tuple[Realization, ...]
    measured: tuple[Candidate, ...]
    taken: int

    @property
    def winner(self) -> Realization:
        """The population by the plan that was taken."""
        return self.made[self.taken]


@dataclass(frozen=True, eq=False)
class Bench:
    """Where candidates are judged.

    Attributes
    ----------
    graph : the lowered float graph.
    network : any integer network of it, for delays and shapes.
    evidence : what the float network did on calibration samples.
    """

    graph: Graph
    network: Network
    chip: Chip
    evidence: Evidence

    def realize(self, realized: Realization, plan: Plan) -> Realization:
        """Return the population of a realization by another plan."""
        return realize(realized.population, plan, self.chip.formats, self.evidence.moments)

    def judge(self, realized: Realization) -> Candidate:
        """Return how far a population is from its float twin where both hear the float network."""
        name, evidence = realized.population.name, self.evidence
        own, into = part(realized, {name: self.network.latency(name) for name in self.network.by_name}, self.chip)
        samples, steps = evidence.recording.samples, evidence.recording.steps
        kept = max(1, min(samples, _CELLS // (own.size * steps)))
        spikes = {given(p.source): evidence.sent(p.source)[:kept] for p in into}
        run = simulate(alone(own, into, self.network), spikes)
        if realized.population.spiking:
            distance = train_distance(evidence.recording.spikes[name][:kept], run.spikes[name])
        else:
            restored = run.v[name] / (2.0**STATE_SHIFT * own.scale)
            distance = state_distance(evidence.recording.v[name][:kept], restored)
        return Candidate(realized.plan, distance)

    def contest(self, realized: Realization, plans: Sequence[Plan]) -> Contest:
        """Return a population by several plans; taken is the one nearest to its float twin, of equals the first."""
        if len(plans) == 1 or not realized.population.paths:
            return Contest((self.realize(realized, plans[0]),), (), 0)
        made = tuple(self.realize(realized, plan) for plan in plans)
        measured = tuple(self.judge(candidate) for candidate in made)
        return Contest(made, measured, min(range(len(made)), key=lambda i: measured[i].distance))

    def refined(self, contests: Sequence[Contest]) -> list[Contest]:
        """Return the contests with the plans taken that bring the network's answers nearest to the float ones.

        One pass over the populations in their order; a network too large for so many runs is returned as it is.
        """
        found = list(contests)
        runs = sum(len(contest.made) for contest in found)
        if runs * self.evidence.cells > _REFINING:
            return found
        least = self.answers([contest.winner for contest in found])
        for place, contest in enumerate(contests):
            for candidate in range(len(contest.made)):
                if candidate == contest.taken:
                    continue
                tried = [*found[:place], replace(contest, taken=candidate), *found[place + 1 :]]
                distance = self.answers([other.winner for other in tried])
                if distance < least:
                    least, found = distance, tried
        return found

    def answers(self, realized: Sequence[Realization]) -> float:
        """Return how far the answers of a whole network are from the float ones, over all its outputs."""
        network = assemble(self.graph, self.chip, realized)
        return answer_distance(network, simulate(network, self.evidence.inputs), self.evidence.recording)


def answer_distance(network: Network, run: Recording, real: Recording) -> float:
    """Return the root mean square of the outputs' distances, of trains or of the membrane of read-outs."""
    apart = []
    for name in network.outputs:
        if name in network.readouts:
            population = network.by_name[name]
            assert isinstance(population, Population)
            apart.append(state_distance(real.v[name], run.v[name] / (2.0**STATE_SHIFT * population.scale)))
        else:
            apart.append(train_distance(real.spikes[name], run.spikes[name]))
    return math.sqrt(sum(distance**2 for distance in apart) / len(apart))

"""Which clipping, rounding and scales a population takes: those whose spikes, measured, come nearest to the float ones.

Each candidate is run alone, on the spikes that its sources sent in the float network, so that the populations are
judged apart and none pays for the errors of another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from neurodeploy.assembly import part
from neurodeploy.evidence import Evidence
from neurodeploy.fidelity import state_distance, train_distance
from neurodeploy.fixedpoint import STATE_SHIFT
from neurodeploy.isolation import alone, given
from neurodeploy.network import Network
from neurodeploy.realization import Plan, Realization, realize
from neurodeploy.simulation import simulate
from neurodeploy.targets.chip import Chip

#: Cells of the population that a candidate is judged on, over all samples and steps.
_CELLS = 1 << 24


@dataclass(frozen=True)
class Candidate:
    """A plan and how far its spikes, or its membrane where it is a read-out, are from the float ones."""

    plan: Plan
    distance: float


@dataclass(frozen=True, eq=False)
class Bench:
    """Where candidates are judged: a network that gives delays and shapes, a chip, and what the float network did."""

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

    def choose(self, realized: Realization, plans: Sequence[Plan]) -> tuple[Realization, tuple[Candidate, ...]]:
        """Return a population by the plan that brings it nearest to its float twin, of equals the first, and all."""
        if len(plans) == 1 or not realized.population.paths:
            return self.realize(realized, plans[0]), ()
        made = [self.realize(realized, plan) for plan in plans]
        measured = tuple(self.judge(candidate) for candidate in made)
        nearest = min(range(len(made)), key=lambda i: measured[i].distance)
        return made[nearest], measured

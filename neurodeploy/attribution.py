"""What each population's integers cost the network: how much nearer its answers come when that population is perfect.

One population after the other, in their order, is replaced by what it sent in the float network. The distance of the
answers falls with each; by how much it falls is what the integers of that one population cost, beyond what it inherits
from those before it. The costs add up to the distance of the whole network.
"""

from __future__ import annotations

import math

from neurodeploy.candidates import answer_distance
from neurodeploy.evidence import Evidence
from neurodeploy.isolation import behind, given
from neurodeploy.network import Network
from neurodeploy.simulation import simulate


def costs(network: Network, evidence: Evidence) -> dict[str, float]:
    """Return population -> its share of the distance of the network's answers from the float ones.

    A negative cost is an error that makes up for others.
    """
    left = _distance(network, network, evidence)
    found = {}
    perfect: list[str] = []
    for population in network.order:
        perfect.append(population.name)
        rest = behind(network, perfect)
        now = 0.0 if rest is None else _distance(rest, network, evidence)
        found[population.name] = left - now
        left = now
    return found


def _distance(part: Network, whole: Network, evidence: Evidence) -> float:
    """Return the distance of a part's answers; the outputs of the whole that it lacks are perfect."""
    spikes = dict(evidence.inputs)
    spikes |= {given(name): values for name, values in evidence.recording.spikes.items()}
    run = simulate(part, {port.name: spikes[port.name] for port in part.ports})
    share = len(part.outputs) / len(whole.outputs)
    return answer_distance(part, run, evidence.recording) * math.sqrt(share)

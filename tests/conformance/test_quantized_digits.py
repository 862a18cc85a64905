"""What trained digits networks lose on a chip: at most half a point at 8 bits, two points at 4.

Plans are chosen on the calibration samples of the recipe, and on the first half of a case's; accuracy is that of all
samples of the test set. The network with several spikes a step and a bounded membrane is no network of this chip: it is
taken with one spike a step and no bound, in float and in integers alike, so that what is measured are the integers.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from neurodeploy.choices import Choices
from neurodeploy.conformance import read_case
from neurodeploy.conformance.files import read_declared
from neurodeploy.fidelity import train_distance
from neurodeploy.graph import Graph, Neuron
from neurodeploy.loading import load
from neurodeploy.npz import read_events
from neurodeploy.quantization import quantization
from neurodeploy.simulation import simulate
from neurodeploy.targets.chip import load_chip
from tests.conformance.corpus import CASES

DIGITS = Path(__file__).parents[1] / "digits"
NETWORKS = ("recipe", "snntorch", "norse", "sinabs", "spikingjelly")
#: Points of accuracy that a width may cost.
ALLOWED = {8: 0.5, 4: 2.0}


def expressible(graph: Graph) -> Graph:
    """Return the graph with one spike a step and an unbounded membrane."""
    nodes = {
        name: replace(node, semantics=replace(node.semantics, fire=">=", v_min="none"))
        if isinstance(node, Neuron) and node.semantics.fire == "floor-multi"
        else node
        for name, node in graph.nodes.items()
    }
    return replace(graph, nodes=nodes)


@pytest.fixture(scope="module", params=NETWORKS)
def digits(request):
    """Return graph, calibration samples, test samples, labels and the float recording of one network."""
    if request.param == "recipe":
        graph, test = load(DIGITS / "digits.nir"), read_events(DIGITS / "test.npz")
        (seen,), (x,) = read_events(DIGITS / "calibration.npz").spikes.values(), test.spikes.values()
        labels, seen = test.labels, seen[:128]
    else:
        case = read_case(CASES / f"{request.param}-digits")
        graph, x, labels = expressible(read_declared(case, case.file("net.nir"))), case.inputs[""], case.labels
        seen = x[:100]
    return graph, seen, x, labels, simulate(graph, x, "float")


@pytest.mark.parametrize("bits", [8, 4])
def test_few_bits_cost_little(digits, bits):
    graph, seen, x, labels, real = digits
    chip = load_chip("loihi2")
    whole = simulate(quantization(graph, chip, seen, Choices(weight_bits=bits)).network, x)
    right = [int((run.predictions() == labels).sum()) for run in (real, whole)]
    assert 100 * (right[0] - right[1]) <= ALLOWED[bits] * len(labels)
    plain = Choices(weight_bits=bits, rounding="nearest", clipping="mse", scales="population")
    nearest = simulate(quantization(graph, chip, seen, plain).network, x)
    name = real.outputs[0]
    distances = [train_distance(real.spikes[name], run.spikes[name]) for run in (whole, nearest)]
    assert distances[0] < distances[1]
    assert np.mean(real.predictions() != whole.predictions()) <= 0.05

"""What trained digits networks lose on a chip: at most half a point at 8 bits, two points at 4.

Plans are chosen on 64 samples: of the recipe's calibration set, or the first of a case's. Accuracy is that of all
samples of the test set.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from neurodeploy.assembly import assemble
from neurodeploy.choices import Choices
from neurodeploy.conformance import read_case
from neurodeploy.conformance.files import read_declared
from neurodeploy.fidelity import train_distance
from neurodeploy.loading import load
from neurodeploy.npz import read_events
from neurodeploy.quantization import quantization
from neurodeploy.realization import Plan
from neurodeploy.simulation import simulate
from neurodeploy.targets.chip import load_chip
from tests.conformance.corpus import CASES

DIGITS = Path(__file__).parents[1] / "digits"
NETWORKS = ("recipe", "snntorch", "norse", "sinabs", "spikingjelly")
#: Calibration samples.
SEEN = 64
#: Points of accuracy that a width may cost.
ALLOWED = {8: 0.5, 4: 2.0}


@pytest.fixture(scope="module", params=NETWORKS)
def digits(request):
    """Return graph, calibration samples, test samples, labels and the float recording of one network."""
    if request.param == "recipe":
        graph, test = load(DIGITS / "digits.nir"), read_events(DIGITS / "test.npz")
        (seen,), (x,) = read_events(DIGITS / "calibration.npz").spikes.values(), test.spikes.values()
        labels, seen = test.labels, seen[:SEEN]
    else:
        case = read_case(CASES / f"{request.param}-digits")
        graph, x, labels = read_declared(case, case.file("net.nir")), case.inputs[""], case.labels
        seen = x[:SEEN]
    return graph, seen, x, labels, simulate(graph, x, "float")


@pytest.mark.parametrize("bits", [8, 4])
def test_few_bits_cost_little(digits, bits):
    graph, seen, x, labels, real = digits
    chip = load_chip("loihi2")
    result = quantization(graph, chip, seen, Choices(weight_bits=bits))
    whole = simulate(result.network, x)
    right = [int((run.predictions() == labels).sum()) for run in (real, whole)]
    assert 100 * (right[0] - right[1]) <= ALLOWED[bits] * len(labels)
    plain = [result.bench.realize(realized, Plan(bits)) for realized in result.realized]
    nearest = simulate(assemble(result.bench.graph, chip, plain), x)
    name = real.outputs[0]
    distances = [train_distance(real.spikes[name], run.spikes[name]) for run in (whole, nearest)]
    assert distances[0] < distances[1]
    assert np.mean(real.predictions() != whole.predictions()) <= 0.05

"""Distances of spike trains, intervals of accuracies, and parts of networks fed with the float network's spikes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from neurodeploy.attribution import costs
from neurodeploy.comparison import compare
from neurodeploy.confidence import difference_interval, share_interval
from neurodeploy.fidelity import fidelity, state_distance, tolerant_agreement, train_distance
from neurodeploy.isolation import alone, behind, given
from neurodeploy.quantization import quantization
from neurodeploy.simulation import simulate
from tests.test_quantization import CHIP, convolutional, recurrent, spikes


def train(*steps, length=12):
    cells = np.zeros((1, length, 1), np.uint8)
    cells[0, list(steps), 0] = 1
    return cells


def test_equal_trains_are_at_no_distance():
    found = fidelity(train(2, 7), train(2, 7))
    assert (found.distance, found.agreement, found.counts, found.first_step) == (0, 1, 0, None)


def test_a_late_spike_is_nearer_than_a_lost_one_and_a_far_one_is_no_nearer():
    real = train(3, length=200)
    late, later, lost = (train_distance(real, train(*other, length=200)) for other in ([4], [100], []))
    assert late < lost == pytest.approx(1.0)
    assert later == pytest.approx(math.sqrt(2), rel=1e-3)
    # two exponentials a step apart: 2 (1 - exp(-1/4))
    assert late == pytest.approx(math.sqrt(2 * (1 - math.exp(-1 / 4))), rel=1e-3)


def test_agreement_allows_one_step_and_counts_do_not_care_when():
    assert tolerant_agreement(train(3, 8), train(4, 8)) == 1
    assert tolerant_agreement(train(3, 8), train(5, 8)) == 0.5
    assert fidelity(train(3, 8), train(5, 9)).counts == 0
    assert fidelity(train(3, 8), train(3)).counts == 0.5
    assert fidelity(train(3, 8), train(3)).first_step == 8


def test_what_has_no_float_spikes_stays_finite():
    found = fidelity(train(), train(3))
    assert math.isfinite(found.distance)
    assert found.counts == 1
    assert state_distance(np.zeros(3), np.zeros(3)) == 0


def test_intervals_of_a_share():
    # Newcombe (1998), table I: 81 of 263, score method without continuity correction
    assert share_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert share_interval(0, 20)[0] == 0
    assert share_interval(20, 20)[1] == 1


def test_the_difference_on_the_same_samples_is_surer_than_on_others():
    rng = np.random.default_rng(0)
    first = rng.random(200) < 0.9
    second = first.copy()
    second[np.flatnonzero(first)[:4]] = False
    low, high = difference_interval(first, second)
    assert low < -0.02 < high
    assert high - low < np.diff(share_interval(int(first.sum()), 200))[0]


@pytest.fixture(scope="module")
def quantized():
    return quantization(convolutional(np.random.default_rng(7)), CHIP, spikes(6, 20, 2, 8, 8))


@pytest.mark.parametrize("name", ["n1", "n2"])
def test_a_population_alone_on_its_own_sources_sends_what_it_sent(quantized, name):
    network, inputs = quantized.network, quantized.bench.evidence.inputs
    run = simulate(network, inputs)
    sent = {**inputs, **run.spikes}
    part = alone(network.by_name[name], network.into(name), network)
    again = simulate(part, {given(p.source): sent[p.source] for p in network.into(name)})
    assert np.array_equal(again.spikes[name], run.spikes[name])


def test_a_population_alone_hears_its_own_loop_a_step_later():
    network = quantization(recurrent(1), CHIP).network
    x = spikes(8, 25, 4)
    run = simulate(network, x)
    part = alone(network.by_name["n"], network.into("n"), network)
    again = simulate(part, {given("in"): x, given("n"): run.spikes["n"]})
    assert np.array_equal(again.spikes["n"], run.spikes["n"])


def test_what_follows_perfect_populations_equals_the_network_on_its_own_spikes(quantized):
    network, inputs = quantized.network, quantized.bench.evidence.inputs
    run = simulate(network, inputs)
    rest = behind(network, ["n1"])
    again = simulate(rest, {**inputs, given("n1"): run.spikes["n1"]})
    assert np.array_equal(again.spikes["n2"], run.spikes["n2"])
    assert behind(network, ["n1", "n2"]) is None
    assert compare(simulate(behind(network, []), inputs), run).equal


def test_costs_add_up_to_the_distance_of_the_answers(quantized):
    evidence = quantized.bench.evidence
    found = costs(quantized.network, evidence)
    whole = train_distance(evidence.recording.spikes["n2"], simulate(quantized.network, evidence.inputs).spikes["n2"])
    assert list(found) == ["n1", "n2"]
    assert sum(found.values()) == pytest.approx(whole)
    assert found["n2"] == pytest.approx(quantized.bench.judge(quantized.realized[1]).distance)

"""The models beyond the plain neuron, against traces of lava-nc 0.10.0 or worked out by hand where it has none."""

from __future__ import annotations

import numpy as np
import pytest

from neurodeploy import dynamics
from neurodeploy.fixedpoint import STATE_LIMIT
from neurodeploy.network import Population
from neurodeploy.neurons import Lif, Resonator, SigmaDelta


def trace(neuron, inputs, imaginary=None, start=None):
    """Return s, u and v of one neuron for these inputs, as lists, and the number of wraps and clips."""
    population = Population("n", (1,), neuron)
    state = {**dynamics.cleared(population, 1), **{k: np.array([[x]]) for k, x in (start or {}).items()}}
    rows, wraps, clips = [], 0, 0
    for a, b in zip(inputs, imaginary or [0] * len(inputs), strict=True):
        sums = np.array([a, b][: neuron.inputs], dtype=np.int64).reshape(-1, 1, 1)
        result = dynamics.step(population, state, sums)
        state = result.state
        rows.append([int(result.s.item()), *(int(state[part].item()) for part in neuron.recorded)])
        wraps, clips = wraps + int(result.wrapped.sum()), clips + int(result.clipped.sum())
    s, u, v = ([row[i] for row in rows] for i in range(3))
    return s, u, v, (wraps, clips)


def lif(threshold=10, voltage_decay=0, **options):
    return Lif(threshold, 4096, voltage_decay, **options)


@pytest.mark.parametrize(("v", "s", "after"), [(640, 0, 640), (641, 1, 0), (-640, 0, -640), (-641, -1, 0)])
def test_ternary_neuron_compares_strictly_at_both_ends(v, s, after):
    assert trace(lif(lower_threshold=-10), [0], start={"v": v})[::2] == ([s], [after])


def test_ternary_reset_by_subtraction_takes_off_the_threshold_it_crossed():
    assert trace(lif(10, lower_threshold=-4, reset="subtract"), [25, -31])[::2] == ([1, -1], [960, -768])


def test_subtraction_happens_once_a_step_however_large_the_membrane():
    s, u, v, _ = trace(lif(reset="subtract"), [35, 0, 0, 0])
    assert (s, u) == ([1, 1, 1, 0], [35 * 64, 0, 0, 0])
    assert v == [25 * 64, 15 * 64, 5 * 64, 5 * 64]


def test_a_burst_sends_every_threshold_the_membrane_holds_at_equality_too():
    s, _, v, _ = trace(lif(reset="burst"), [9, 1, 34, -50, 49])
    assert s == [0, 1, 3, 0, 0]
    assert v == [9 * 64, 0, 4 * 64, -46 * 64, 3 * 64]


def test_a_bursting_neuron_is_held_up_and_rests():
    s, _, v, _ = trace(lif(reset="burst", lowest=-10, refractory=1), [-50, 31, 99, 5])
    assert (s, v) == ([0, 2, 0, 0], [-640, 64, 64, 6 * 64])


def test_subtraction_then_leak():
    assert trace(lif(voltage_decay=2048, reset="subtract"), [20, 0])[::2] == ([1, 0], [640, 320])


def test_refractory_neuron_under_constant_drive_fires_at_1_4_and_7():
    s, u, v, _ = trace(Lif(10, 0, 0, refractory=2), [11, 0, 0, 0, 0, 0, 0, 0])
    assert s == [1, 0, 0, 1, 0, 0, 1, 0]
    assert u == [704] * 8
    assert v == [0] * 8


def test_current_goes_on_while_the_membrane_is_frozen():
    s, u, v, _ = trace(Lif(10, 0, 0, reset="subtract", refractory=3), [21, 1, 1, 1, 1])
    assert (s, v) == ([1, 0, 0, 0, 1], [704, 704, 704, 704, 704 + 25 * 64 - 640])
    assert u == [1344, 1408, 1472, 1536, 1600]


def test_integrator_never_fires_and_saturates():
    s, _, v, counts = trace(Lif(0, 4096, 0, spiking=False), [1 << 16, 1 << 16, -5])
    assert (s, v) == ([0, 0, 0], [1 << 22, STATE_LIMIT - 1, STATE_LIMIT - 321])
    assert counts == (0, 1)


INPUTS = [0, 3, 7, 7, 8, 2, -5, 0]


@pytest.mark.parametrize(
    ("exponents", "sent"),
    [((0, 0), [0, 0, 7, 0, 0, -5, -7, 5]), ((2, 3), [0, 0, 28, 0, 0, -20, -28, 20])],
)
def test_encoder_sends_changes_that_reach_its_threshold(exponents, sent):
    neuron = SigmaDelta(4, stage="delta", spike_exponent=exponents[0], state_exponent=exponents[1])
    s, act, _, _ = trace(neuron, INPUTS)
    assert (s, act) == (sent, [x << sum(exponents) for x in INPUTS])


def test_sigma_delta_sends_changes_of_its_activation():
    changes = np.diff(INPUTS, prepend=0).tolist()
    s, sigma, residue, _ = trace(SigmaDelta(3, bias=1), changes)
    assert (s, sigma) == ([0, 4, 4, 0, 0, -5, -3, 0], INPUTS)
    assert residue == [1, 0, 0, 0, 1, 0, 0, 1]


def test_sigma_delta_matches_the_trace_read_off_lava():
    assert trace(SigmaDelta(3, bias=1), INPUTS)[0] == [0, 4, 7, 7, 8, 0, -3, 0]


def test_decoder_sends_its_sum():
    assert trace(SigmaDelta(0, stage="sigma"), [3, -1, 0, 4])[:3] == ([3, 2, 2, 6],) * 3


def test_cumulative_error_lets_small_changes_through_in_time():
    pending = SigmaDelta(4, stage="delta")
    cumulative = SigmaDelta(4, stage="delta", cumulative_error=True)
    assert trace(pending, [1, 1, 1, 1, 1])[0] == [0, 0, 0, 0, 0]
    assert trace(cumulative, [1, 1, 1, 1, 1])[0] == [0, 0, 0, 1, 0]


def test_sigma_register_wraps_at_32_bits():
    s, sigma, _, counts = trace(SigmaDelta(0, stage="sigma"), [(1 << 31) - 1, 1])
    assert (s, sigma, counts) == (sigma, [(1 << 31) - 1, -(1 << 31)], (1, 0))


def test_phase_resonator_fires_where_its_imaginary_part_turns_positive():
    quarter = Resonator(threshold=100, sine=4096, cosine=0, state_exponent=0)
    s, real, imaginary, _ = trace(quarter, [200, 0, 0, 0, 0])
    assert (real, imaginary) == ([200, 0, -200, 0, 200], [0, 200, 0, -200, 0])
    assert s == [0, 0, 0, 0, 1]


def test_izhikevich_resonator_resets_both_parts():
    quarter = Resonator(threshold=100, sine=4096, cosine=0, kind="izhikevich", state_exponent=0)
    s, real, imaginary, _ = trace(quarter, [200, 0, 0], [0, 0, 3])
    assert (s, real, imaginary) == ([0, 1, 0], [200, 0, -99], [0, 99, 3])


def test_resonator_rounds_each_product_toward_zero_and_saturates():
    neuron = Resonator(threshold=1 << 22, sine=1, cosine=2047, decay_bits=12, state_exponent=6)
    _, real, imaginary, _ = trace(neuron, [0], start={"real": 5, "imaginary": -5})
    assert (real, imaginary) == ([2], [-2])
    _, real, _, counts = trace(neuron, [1 << 20])
    assert (real, counts) == ([STATE_LIMIT - 1], (0, 1))


def test_state_is_cleared_to_zero():
    for neuron in (lif(), SigmaDelta(1), Resonator(1, 0, 0)):
        state = dynamics.cleared(Population("n", (2, 3), neuron), 4)
        assert set(state) == set(neuron.states) >= set(neuron.recorded)
        assert all(part.shape == (4, 2, 3) and not part.any() for part in state.values())

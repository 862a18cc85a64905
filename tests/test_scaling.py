"""Scales, grids and the rounding of every kind of value."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurodeploy import clipping, scaling
from neurodeploy.targets.chip import load_chip

FORMATS = load_chip("loihi2").formats
WEIGHTS = st.lists(st.floats(-4, 4, allow_subnormal=False), min_size=1, max_size=40).map(np.array)


@pytest.mark.parametrize(
    ("weights", "mode"),
    [([1.0, -0.5], "mixed"), ([1.0, 0.0], "excitatory"), ([-1.0, 0.0], "inhibitory"), ([0.0], "excitatory")],
)
def test_sign_mode(weights, mode):
    assert scaling.sign_mode(np.array(weights)) == mode


@settings(deadline=None, derandomize=True)
@given(WEIGHTS, st.floats(0.01, 3))
def test_weights_lie_on_the_grid_and_within_half_a_step(weights, threshold):
    chosen = clipping.choose_scaling([weights] if weights.any() else [], threshold, threshold, FORMATS)
    low, high, step = scaling.grid(scaling.sign_mode(weights), FORMATS)
    integers = scaling.round_weights(weights, chosen.weight_scale, FORMATS)
    assert integers.min() >= low
    assert integers.max() <= high
    assert (integers % step == 0).all()
    unclipped = np.abs(weights * chosen.weight_scale) <= min(high, -low if low else high)
    assert (np.abs(integers - weights * chosen.weight_scale)[unclipped] <= step / 2 + 1e-9).all()


@settings(deadline=None, derandomize=True)
@given(WEIGHTS.filter(lambda w: np.abs(w).max() > 0.01), st.floats(0.01, 3))
def test_threshold_has_its_bits_and_fits_its_register(weights, threshold):
    chosen = clipping.choose_scaling([weights], threshold, threshold, FORMATS)
    integer = scaling.round_threshold(np.array(threshold), chosen.scale, strict=True)
    assert integer <= FORMATS.threshold_maximum
    assert integer >= 512 or chosen.exponent == FORMATS.weight_exponent_maximum


def test_headroom_halves_the_scale_first_in_the_exponent():
    weights = [np.array([3.0, -2.0])]
    plain = clipping.choose_scaling(weights, 0.5, 0.5, FORMATS)
    for headroom in range(1, 9):
        less = clipping.choose_scaling(weights, 0.5, 0.5, FORMATS, headroom)
        assert less.scale == pytest.approx(plain.scale / 2**headroom)
        assert less.exponent == max(plain.exponent - headroom, 0)


def test_a_huge_threshold_is_held_by_the_scale():
    chosen = clipping.choose_scaling([np.array([0.001, -0.001])], 5.0, 5.0, FORMATS)
    assert scaling.round_threshold(np.array(5.0), chosen.scale, strict=True) <= FORMATS.threshold_maximum


def test_threshold_at_equality_is_the_next_smaller_integer():
    assert scaling.round_threshold(np.array([10.0, 10.2]), 1.0, strict=False).tolist() == [9, 10]
    assert scaling.round_threshold(np.array([10.0, 10.2]), 1.0, strict=True).tolist() == [10, 10]


def test_decay_covers_forgetting_all_and_nothing():
    assert scaling.round_decay(np.array([0.0, 1.0, 0.5]), FORMATS).tolist() == [4096, 0, 2048]


@pytest.mark.parametrize("bias", [0.0, 1e-4, -0.03, 2.0, -9.0])
def test_bias_takes_the_smallest_exponent_that_fits(bias):
    mantissa, exponent = scaling.round_bias(np.array([bias]), 500.0, FORMATS)
    assert abs(mantissa[0]) <= FORMATS.bias_maximum
    assert mantissa[0] * 2.0**exponent / (64 * 500) == pytest.approx(bias, abs=2.0**exponent / (64 * 500))
    if exponent:
        assert abs(bias) * 64 * 500 / 2 ** (exponent - 1) > FORMATS.bias_maximum - 1

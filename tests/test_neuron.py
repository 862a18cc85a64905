"""The golden model against values read off runs of lava-nc 0.10.0."""

from __future__ import annotations

import numpy as np
import pytest

from neurodeploy import neuron
from neurodeploy.fixedpoint import STATE_LIMIT, decay, shift, wrap
from neurodeploy.neurons import Lif


def one_step(*, u=0, v=0, a=0, threshold=131071, current_decay=0, voltage_decay=0, bias=0, exponent=0):
    lif = Lif(threshold, current_decay, voltage_decay, bias, exponent)
    state = {name: np.array([x], dtype=np.int64) for name, x in (("u", u), ("v", v), ("frozen", 0))}
    result = neuron.step(lif, state, np.array([[a]], dtype=np.int64))
    return tuple(int(x[0]) for x in (result.state["u"], result.state["v"], *result[1:]))


@pytest.mark.parametrize(
    ("value", "amount", "expected"),
    [(-1, 1, 0), (1, 1, 0), (4096, 1, 4095), (-4096, 1, -4095), (4095, 1, 4094), (-4097, 1, -4095), (100, 0, 100)],
)
def test_decay_rounds_toward_zero(value, amount, expected):
    assert decay(np.array([value]), amount)[0] == expected


@pytest.mark.parametrize(
    ("a", "u"),
    [
        ((1 << 17) - 1, 8388544),
        (1 << 17, 8388608),
        ((1 << 17) + 1, -8388544),
        (-(1 << 17), 8388608),
        (-(1 << 17) - 1, 8388544),
        (1 << 18, 0),
        (3 * (1 << 17) + 1, 8388672),
    ],
)
def test_current_wraps_once_and_asymmetrically(a, u):
    assert one_step(a=a)[0] == u


def test_wrapped_current_lets_a_saturated_membrane_fire():
    u, v, s, wrapped, clipped = one_step(u=STATE_LIMIT - 1, a=0, v=STATE_LIMIT - 1)
    assert (u, v, s, wrapped, clipped) == (8388607, 0, 1, 0, 1)
    u, _, s, wrapped, clipped = one_step(u=-STATE_LIMIT + 1, a=-1)
    assert (u, s, wrapped, clipped) == (8388545, 1, 1, 0)


def test_membrane_saturates_below():
    assert one_step(v=-STATE_LIMIT + 1, a=-5)[1:3] == (-STATE_LIMIT + 1, 0)


def test_threshold_is_strict_and_reset_is_to_zero():
    assert one_step(v=640, threshold=10)[1:3] == (640, 0)
    assert one_step(v=641, threshold=10)[1:3] == (0, 1)


@pytest.mark.parametrize(
    ("bias", "exponent", "added"), [(3, 2, 12), (-3, 2, -12), (3, -1, 1), (-3, -1, -2), (-1, -1, -1), (1, -1, 0)]
)
def test_bias_shift_floors(bias, exponent, added):
    assert one_step(bias=bias, exponent=exponent)[1] == added


def test_new_current_enters_the_membrane_in_the_same_step():
    assert one_step(a=2, current_decay=4096, voltage_decay=4096)[:2] == (128, 128)


def test_shift_and_wrap_keep_what_is_in_range():
    values = np.array([STATE_LIMIT, -STATE_LIMIT + 1, 0])
    assert (wrap(values) == values).all()
    assert shift(np.array([-3]), -1)[0] == -2

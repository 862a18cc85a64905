"""Step constants against hand-computed values, for every choice of the vocabulary."""

import math
from dataclasses import replace

import numpy as np
import pytest

from neurodeploy.discrete import constants, delay_steps
from neurodeploy.graph import Delay, Neuron, frozen_array
from neurodeploy.semantics import Semantics

DT = 0.5
CUBA = Neuron(
    (2,),
    Semantics(),
    r=frozen_array([3.0, 1.0]),
    tau_mem=frozen_array([2.0, 1.0]),
    tau_syn=frozen_array([4.0, 0.5]),
    w_in=frozen_array(6.0),
    v_leak=frozen_array([8.0, 0.0]),
    threshold=frozen_array([1.0, 2.0]),
    v_reset=frozen_array(0.25),
)


def of(**choices):
    return constants(replace(CUBA, semantics=Semantics(**choices)), DT)


def test_euler_by_the_equations():
    c = of()
    np.testing.assert_array_equal(c.alpha, [0.75, 0.5])
    np.testing.assert_array_equal(c.gain, [0.75, 0.5])
    np.testing.assert_array_equal(c.leak, [2.0, 0.0])
    np.testing.assert_array_equal(c.beta, [0.875, 0.0])
    np.testing.assert_array_equal(c.current_gain, [0.75, 6.0])
    np.testing.assert_array_equal(c.threshold, [1.0, 2.0])
    assert (c.v_reset, c.v_start, c.v_floor) == (0.25, 0.0, None)
    assert c.alpha.dtype == np.float64


def test_exponential_decay_and_gains():
    c = of(decay="exp", gain="zoh", syn_gain="unit")
    np.testing.assert_allclose(c.alpha, [math.exp(-0.25), math.exp(-0.5)], rtol=1e-15)
    np.testing.assert_allclose(c.gain, [3 * (1 - math.exp(-0.25)), 1 - math.exp(-0.5)], rtol=1e-15)
    np.testing.assert_allclose(c.leak, [8 * (1 - math.exp(-0.25)), 0], rtol=1e-15)
    np.testing.assert_allclose(c.beta, [math.exp(-0.125), math.exp(-1)], rtol=1e-15)
    assert c.current_gain == 1
    assert of(gain="unit").gain == 1


def test_reset_start_and_floor():
    assert of(reset="zero").v_reset == 0
    assert of(v_init="v_reset").v_start == 0.25
    np.testing.assert_array_equal(of(v_init="v_leak").v_start, [8.0, 0.0])
    np.testing.assert_array_equal(of(v_min="-threshold").v_floor, [-1.0, -2.0])


@pytest.mark.parametrize(("if_gain", "expected"), [("r", 3.0), ("r*dt", 1.5)])
def test_without_leak(if_gain, expected):
    c = constants(Neuron((1,), Semantics(if_gain=if_gain), r=frozen_array(3.0), threshold=frozen_array(1.0)), DT)
    assert (c.alpha, c.gain, c.leak, c.beta, c.v_reset) == (1.0, expected, 0.0, None, 0.0)


def test_a_plain_integrator_always_means_time():
    assert constants(Neuron((1,), Semantics(if_gain="r"), r=frozen_array(3.0)), DT).gain == 1.5


def test_delays_are_rounded_to_steps():
    steps = delay_steps(Delay(frozen_array([0.0, 0.1 + 0.2, 0.29, 1e-9])), 0.1)
    assert steps.tolist() == [0, 3, 3, 0]
    assert steps.dtype == np.int64

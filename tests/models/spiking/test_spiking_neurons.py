"""The neuron models against worked numbers, and the layers that run them."""

from __future__ import annotations

import math

import pytest
import torch

from neurodeploy.models.spiking.dynamics import (
    Dynamics,
    membrane_shortcut_lif,
    non_stateful,
    soft_reset_lif,
    spikingjelly_lif,
)
from neurodeploy.models.spiking.layer import MultiSpike, SpikingNeuron, set_stateful
from neurodeploy.models.spiking.reference import SLOPES

SJ = spikingjelly_lif()


def inputs():
    torch.manual_seed(0)
    return torch.rand(6, 4) * 2.5


def text(spikes):
    return ["".join(str(int(cell)) for cell in row) for row in spikes]


def test_check_vectors_of_the_lif_and_its_twin_without_memory():
    x = inputs()
    assert text(SpikingNeuron(SJ)(x)) == ["0000", "0101", "0000", "0000", "1100", "0101"]
    assert text(SpikingNeuron(non_stateful(SJ))(x)) == ["0000", "0001", "0000", "0000", "0100", "0101"]


@pytest.mark.parametrize(
    ("dynamics", "expected"),
    [
        (SJ, [0.002121, 0.004242, 0.008485, 0.016970, 0.033940, 0.067880]),
        (non_stateful(SJ), [0, 0, 0, 0, 0, 0.055590]),
    ],
)
def test_gradient_kernel_under_constant_input(dynamics, expected):
    x = torch.full((6, 1), 0.2, requires_grad=True)
    (gradient,) = torch.autograd.grad(SpikingNeuron(dynamics)(x)[-1].sum(), x)
    torch.testing.assert_close(gradient[:, 0], torch.tensor(expected), atol=5e-7, rtol=0)


def test_membrane_shortcut_lif_by_hand():
    x = torch.tensor([[0.5], [0.4], [0.9], [0.2], [0.1]])  # 0.5; 0.125 + 0.4 fires; then from 0: 0.9 fires; 0.2; 0.15
    assert text(SpikingNeuron(membrane_shortcut_lif())(x)) == ["0", "1", "1", "0", "0"]  # strict at 0.5


def test_soft_reset_lif_by_hand_keeps_what_is_above_the_threshold():
    neuron, decay = SpikingNeuron(soft_reset_lif(2.0)), math.exp(-0.5)
    v, spikes = 0.0, []
    for x in (1.0, 1.4, 0.1, 0.8):
        u = decay * v + x
        spikes.append(str(int(u >= 1.0)))
        v = u - (u >= 1.0)
    assert text(neuron(torch.tensor([[1.0], [1.4], [0.1], [0.8]]))) == spikes
    assert spikes == ["1", "1", "0", "1"]


@pytest.mark.parametrize("name", SLOPES)
def test_slopes_are_even_and_highest_at_the_threshold(name):
    d = torch.linspace(-2, 2, 81, dtype=torch.float64)
    slope = SLOPES[name](d, 0.8)
    torch.testing.assert_close(slope, slope.flip(0))
    assert slope.argmax() in range(24, 57)
    assert slope[40] == slope.max()


def test_slopes_are_derivatives_of_their_functions():
    d = torch.linspace(-2, 2, 41, dtype=torch.float64, requires_grad=True)
    for name, function in (
        ("atan", lambda d, a: torch.atan(math.pi / 2 * a * d) / math.pi),
        ("sigmoid", lambda d, a: torch.sigmoid(a * d)),
    ):
        (expected,) = torch.autograd.grad(function(d, 3.0).sum(), d)
        torch.testing.assert_close(SLOPES[name](d.detach(), 3.0), expected)


@pytest.mark.parametrize("dynamics", [SJ, membrane_shortcut_lif(), soft_reset_lif(), non_stateful(SJ)])
def test_streaming_equals_the_whole_sequence_bit_for_bit(dynamics):
    neuron, x = SpikingNeuron(dynamics), torch.randn(11, 2, 3, 4, generator=torch.Generator().manual_seed(2)) + 0.5
    v, streamed = torch.zeros_like(x[0]), []
    for current in x:
        s, v = neuron.step(current, v)
        streamed.append(s)
    assert torch.equal(torch.stack(streamed), neuron(x))


def test_statefulness_is_a_switch_that_state_dict_and_parameters_do_not_see():
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), SpikingNeuron(SJ), SpikingNeuron(non_stateful(SJ)))
    keys, x = list(model.state_dict()), inputs()
    stateful = model[1](x)
    assert set_stateful(model, None, False) == 2
    assert text(model[1](x)) == ["0000", "0001", "0000", "0000", "0100", "0101"]
    assert list(model.state_dict()) == keys
    set_stateful(model, None, True)
    assert torch.equal(model[1](x), stateful)
    assert text(model[2](x)) == ["0000", "0001", "0000", "0000", "0100", "0101"]


def test_without_memory_the_past_is_not_heard_and_order_is_kept():
    neuron, x = SpikingNeuron(non_stateful(SJ)), inputs()
    changed = x.clone()
    changed[2] += 5
    assert torch.equal(neuron(changed)[3:], neuron(x)[3:])
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    assert torch.equal(neuron(x[order]), neuron(x)[order])


def test_multispike_rounds_half_to_even_and_is_the_same_in_evaluation():
    neuron = MultiSpike(4)
    x = torch.tensor([-0.3, 0.5, 1.5, 2.5, 3.5, 4.0, 7.0], requires_grad=True)
    assert (neuron(x) * 4).tolist() == [0, 0, 2, 2, 4, 4, 4]
    assert torch.equal(neuron.eval()(x), neuron.train()(x))
    (gradient,) = torch.autograd.grad(neuron(x).sum(), x)
    assert gradient.tolist() == [0, 0.25, 0.25, 0.25, 0.25, 0.25, 0]
    assert MultiSpike(8, norm=1)(torch.tensor([6.2, 9.0])).tolist() == [6.0, 8.0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"charge": "leak"}, "charge 'leak' is none of decay, mean, memoryless"),
        ({"factor": 1.5}, "factor 1.5 of charge 'decay' is outside 0 to 1"),
        ({"charge": "mean", "factor": 0.5}, "factor 0.5 of charge 'mean' is outside 1 to inf"),
        ({"surrogate": "relu"}, "surrogate 'relu' is none of atan"),
        ({"width": 0.0}, "surrogate width 0.0 is not above 0"),
        ({"threshold": float("inf")}, "threshold inf is not finite"),
    ],
)
def test_what_is_no_neuron_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Dynamics(**options)

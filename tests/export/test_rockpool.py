"""Rockpool networks: every layer, its parameters and its options, spike by spike against Rockpool itself."""

import numpy as np
import pytest
import torch
from rockpool.nn.combinators import Residual, Sequential
from rockpool.nn.modules.torch import (
    ExpSynTorch,
    LIFBitshiftTorch,
    LIFNeuronTorch,
    LIFTorch,
    LinearTorch,
    TorchModule,
    UnitDropout,
    aLIFTorch,
)
from rockpool.nn.modules.torch.lif_torch import PeriodicExponential
from rockpool.parameters import Constant

from neurodeploy.errors import Unsupported, UsageError
from neurodeploy.export.framework import open_module
from neurodeploy.nir_export import export_model
from neurodeploy.targets.reference import run


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(3)


def linear(inputs=6, outputs=5, **more):
    return LinearTorch((inputs, outputs), **more)


def ramp(first, last, n=5):
    return torch.linspace(first, last, n)


NETWORKS = {
    "one value for all": lambda: Sequential(linear(), LIFTorch(5, tau_mem=0.01, tau_syn=0.004, threshold=0.7)),
    "a value a neuron": lambda: Sequential(
        linear(has_bias=True),
        LIFTorch(
            5, tau_mem=ramp(0.005, 0.05), tau_syn=ramp(0.002, 0.02).reshape(5, 1), threshold=ramp(0.5, 2.0), bias=0.05
        ),
    ),
    "a bias a neuron": lambda: Sequential(linear(), LIFTorch(5, bias=ramp(-0.2, 0.3))),
    "decays": lambda: Sequential(linear(), LIFTorch(5, leak_mode="decays", alpha=Constant(0.9), beta=Constant(0.6))),
    "bit shifts": lambda: Sequential(
        linear(), LIFTorch(5, leak_mode="bitshifts", dash_mem=Constant(3.0), dash_syn=Constant(1.0))
    ),
    "decays by shifts": lambda: Sequential(
        linear(), LIFBitshiftTorch(5, tau_mem=0.017, tau_syn=0.006, max_spikes_per_dt=torch.tensor(2.0**16))
    ),
    "one spike a step": lambda: Sequential(linear(), LIFTorch(5, threshold=0.3, max_spikes_per_dt=1)),
    "another gradient": lambda: Sequential(linear(), LIFTorch(5, spike_generation_fn=PeriodicExponential)),
    "recurrent": lambda: Sequential(linear(), LIFTorch(5, has_rec=True, w_rec=torch.randn(5, 5) / 3)),
    "no synapse": lambda: Sequential(linear(), LIFNeuronTorch(5, tau_mem=ramp(0.01, 0.04), bias=0.02)),
    "a readout": lambda: Sequential(linear(), LIFTorch(5), linear(5, 3), ExpSynTorch(3, tau=ramp(0.005, 0.02, 3))),
    "dropout": lambda: Sequential(linear(), UnitDropout(5), LIFTorch(5)),
    "a residual": lambda: Sequential(linear(), LIFTorch(5), Residual(linear(5, 5), LIFTorch(5)), linear(5, 2)),
    "one layer": lambda: LIFTorch(6, threshold=1.5),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_is_written_and_proved(tmp_path, name):
    live = open_module(NETWORKS[name](), framework="rockpool", steps=40)
    answers = live.record(live.draw(2, 0))
    assert all(values.any() for values in answers.values())
    result = export_model(live, tmp_path / "net.nir")
    assert result.proof.equal
    assert result.proof.cells == 8 * 40 * result.neurons


def test_spikes_count_where_a_step_holds_several():
    live = open_module(NETWORKS["one value for all"](), framework="rockpool", steps=40)
    (spikes,) = live.record(live.draw(4, 1)).values()
    assert spikes.max() > 1


def test_samples_of_a_batch_are_independent_and_start_cleared():
    """Rockpool itself goes on from the state of its first sample."""
    live = open_module(NETWORKS["a value a neuron"](), framework="rockpool", steps=30)
    drawn = live.draw(4, 0)
    (together,), (again,) = live.record(drawn).values(), live.record(drawn).values()
    np.testing.assert_array_equal(together, again)
    for sample in range(4):
        (alone,) = live.record(drawn[sample : sample + 1]).values()
        np.testing.assert_array_equal(together[sample], alone[0])


def test_a_recurrent_layer_feeds_back_its_counts_along_the_rows():
    weights = torch.zeros(5, 5)
    weights[0, 3] = 0.75  # from neuron 0 to neuron 3
    live = open_module(LIFTorch(5, has_rec=True, w_rec=weights), framework="rockpool")
    recurrent = live.graph.nodes["0_LIFTorch.recurrent"]
    assert np.argwhere(recurrent.weight).tolist() == [[3, 0]]
    assert live.graph.feedback == {("0_LIFTorch", "0_LIFTorch.recurrent")}


def test_steps_are_those_of_the_layers_unless_given():
    slow = Sequential(linear(), LIFTorch(5, tau_mem=0.03, dt=2e-3))
    assert open_module(slow, framework="rockpool").graph.dt == 2e-3
    stretched = open_module(slow, framework="rockpool", dt=1e-3).graph
    assert stretched.dt == 1e-3
    np.testing.assert_allclose(stretched.nodes["1_LIFTorch"].tau_mem, 0.015, rtol=1e-4)


class Own(TorchModule):
    """A user's module, which calls its layers as Rockpool does, and adds."""

    def __init__(self):
        super().__init__(shape=(6, 4))
        self.first, self.skip, self.cells = linear(6, 4), linear(6, 4), LIFTorch(4)

    def forward(self, x):
        return self.cells(self.first(x)[0] + self.skip(x)[0])[0]


def test_a_module_of_ones_own():
    live = open_module(Own(), framework="rockpool", steps=30)
    drawn = live.draw(3, 0)
    np.testing.assert_array_equal(run(live.graph, {"input": drawn})["s/cells"], live.record(drawn)["cells"])
    assert live.graph.sources("cells") == ["first", "skip"]


REFUSED = {
    "noise": (lambda: LIFTorch(5, noise_std=0.1), r"adds noise \(noise_std=0.1\)"),
    "a limit of spikes": (lambda: LIFTorch(5, max_spikes_per_dt=7), "fires at most 7 times a step"),
    "two synapses": (lambda: LIFTorch((10, 5)), "has 2 synaptic currents a neuron"),
    "no decay": (lambda: LIFTorch(5, leak_mode="decays", alpha=Constant(1.0)), "membrane decay leaves 1 of a state"),
    "all decays": (lambda: LIFTorch(5, leak_mode="bitshifts", dash_syn=Constant(0.0)), "synaptic decay leaves 0"),
    "adaptive": (lambda: aLIFTorch(5), "is a aLIFTorch, for which there is no reader"),
    "a single input": (lambda: Sequential(linear(5, 1), LIFTorch(1), LIFTorch(5)), r"takes 5 inputs|does not match"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_graph_cannot_say(case):
    module, named = REFUSED[case]
    with pytest.raises((Unsupported, ValueError), match=named):
        open_module(module(), framework="rockpool", shape=(10,) if case == "two synapses" else (5,))


def test_a_spike_function_of_ones_own():
    class Halved(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, threshold, window, most):
            return (x > threshold / 2).float()

    with pytest.raises(Unsupported, match=r"fires by a function of its own \(Halved\)"):
        open_module(LIFTorch(5, spike_generation_fn=Halved), framework="rockpool")


def test_a_plain_module_around_the_layers_needs_a_shape():
    wrapped = torch.nn.Sequential(LIFTorch(5).to_torch())
    with pytest.raises(UsageError, match="does not tell the shape"):
        open_module(wrapped, framework="rockpool")
    live = open_module(wrapped, framework="rockpool", shape=(5,), steps=20)
    drawn = live.draw(2, 0)
    np.testing.assert_array_equal(run(live.graph, {"input": drawn})["s/0"], live.record(drawn)["0"])

import numpy as np
import pytest
import snntorch as snn
import torch
from torch import nn

from neurodeploy.errors import Unsupported
from neurodeploy.export.framework import open_module
from neurodeploy.nir_export import export_model
from neurodeploy.targets.reference import run
from tests.export.nets import lif, lively

torch.set_num_threads(1)

NEURONS = {
    f"{kind.__name__} {reset} {'delayed' if delay else 'at once'}": (kind, extra, reset, delay)
    for kind, extra in (
        (snn.Leaky, {}),
        (snn.Synaptic, {"alpha": 0.6}),
        (snn.RLeaky, {"linear_features": 7}),
        (snn.RSynaptic, {"alpha": 0.6, "linear_features": 7}),
    )
    for reset in ("subtract", "zero", "none")
    for delay in (True, False)
    if not (kind is snn.RSynaptic and not delay)
}

LAPICQUE = {
    "beta": {"beta": 0.7},
    "beta and R": {"beta": 0.7, "R": 2.0},
    "beta and C": {"beta": 0.7, "C": 4.0},
    "R and C": {"R": 3.0, "C": 2.5},
    "steps of another length": {"R": 3.0, "C": 0.005, "time_step": 2e-3},
    "learned": {"beta": 0.7, "learn_threshold": True},
}

ALPHA = {
    "one value for all": {"alpha": 0.9, "beta": 0.7},
    "a value a neuron": {"alpha": torch.linspace(0.75, 0.95, 7), "beta": torch.linspace(0.2, 0.7, 7)},
    "learned": {"alpha": 0.85, "beta": 0.5, "learn_beta": True, "learn_threshold": True},
    "an inhibition of one step": {"alpha": 0.8, "beta": 0.0},
}


def compare(module, inputs=5, steps=40):
    """Return the spikes of module and graph, in every neuron and step."""
    live = open_module(module, shape=(inputs,), steps=steps)
    drawn = live.draw(3, 0)
    found = run(live.graph, {"input": drawn})
    for name, values in live.record(drawn).items():
        scale = live.graph.nodes[name].semantics.spike_scale
        np.testing.assert_array_equal(found[f"s/{name}"], values, err_msg=name)
        assert 0 < values.sum() < values.size * scale
    return live.graph


@pytest.mark.parametrize("case", NEURONS)
def test_every_neuron_with_every_reset(case):
    kind, extra, reset, delay = NEURONS[case]
    torch.manual_seed(3)
    neuron = kind(beta=0.7, threshold=1.1, init_hidden=True, reset_mechanism=reset, reset_delay=delay, **extra)
    compare(lively(nn.Sequential(nn.Linear(5, 7), neuron), seed=2))


@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
@pytest.mark.parametrize("case", LAPICQUE)
def test_lapicque(case, reset):
    neuron = snn.Lapicque(threshold=0.25, init_hidden=True, reset_mechanism=reset, **LAPICQUE[case])
    compare(lively(nn.Sequential(nn.Linear(5, 7), neuron), seed=2))


def test_lapicque_in_its_own_seconds():
    neuron = snn.Lapicque(R=3.0, C=0.005, time_step=2e-3, init_hidden=True)
    node = open_module(nn.Sequential(nn.Linear(5, 7), neuron), dt=2e-3).graph.nodes["1"]
    assert (float(node.tau_mem), float(node.r)) == pytest.approx((0.015, 3.0))


@pytest.mark.parametrize("case", ALPHA)
def test_alpha_is_a_delay_a_current_and_a_membrane(case):
    neuron = snn.Alpha(threshold=0.6, init_hidden=True, reset_mechanism="none", **ALPHA[case])
    graph = compare(lively(nn.Sequential(nn.Linear(5, 7), neuron), seed=2))
    assert graph.sources("1") == ["1.input"]
    assert graph.nodes["1"].kind == "CubaLIF"


def test_alpha_with_states_of_the_users_own(tmp_path):
    class Explicit(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc, self.alpha = nn.Linear(5, 7), snn.Alpha(0.9, 0.7, threshold=0.6, reset_mechanism="none")

        def forward(self, x, exciting, inhibiting, membrane):
            return self.alpha(self.fc(x), exciting, inhibiting, membrane)

    assert export_model(open_module(lively(Explicit(), seed=2), shape=(5,)), tmp_path / "net.nir").proof.equal


@pytest.mark.parametrize("reset", ["subtract", "zero"])
def test_a_reset_of_alpha_is_refused_with_the_reason(reset):
    neuron = snn.Alpha(0.9, 0.7, init_hidden=True, reset_mechanism=reset)
    with pytest.raises(Unsupported, match=rf"^1: its reset \('{reset}'\) acts on the exciting and the inhibiting"):
        open_module(nn.Sequential(nn.Linear(5, 7), neuron))


@pytest.mark.parametrize(
    "options",
    [
        {"beta": torch.linspace(0.1, 0.95, 7), "threshold": torch.linspace(0.5, 1.5, 7)},
        {"beta": 1.0},
        {"beta": 1.4},  # snnTorch clamps it to 1
        {"beta": 0.0},
        {"graded_spikes_factor": 2.5},
        {"beta": torch.full((1, 7), 0.8)},
        {"learn_beta": True, "learn_threshold": True},
    ],
    ids=lambda options: ", ".join(options),
)
def test_parameters(options):
    compare(lively(nn.Sequential(nn.Linear(5, 7), lif(**options)), seed=2))


@pytest.mark.parametrize("options", [{"all_to_all": False, "V": torch.linspace(-0.5, 0.5, 7)}, {"linear_features": 7}])
def test_feedback_carries_the_step_before(options):
    graph = compare(lively(nn.Sequential(nn.Linear(5, 7), snn.RLeaky(beta=0.7, init_hidden=True, **options)), seed=2))
    assert graph.feedback == {("1", "1.recurrent")}


def test_convolutional_feedback():
    neuron = snn.RLeaky(beta=0.7, conv2d_channels=2, kernel_size=3, init_hidden=True)
    live = open_module(lively(nn.Sequential(nn.Conv2d(1, 2, 3), neuron), seed=1), shape=(1, 6, 6), steps=15)
    drawn = live.draw(2, 0)
    (spikes,) = live.record(drawn).values()
    np.testing.assert_array_equal(run(live.graph, {"input": drawn})["s/1"], spikes)
    assert spikes.any()


def test_one_step_is_dt_long_and_the_gain_is_one():
    neuron = open_module(nn.Sequential(nn.Linear(5, 7), lif(beta=0.75)), dt=1e-3).graph.nodes["1"]
    assert neuron.tau_mem == pytest.approx(4e-3)
    assert neuron.r == pytest.approx(4.0)
    assert open_module(nn.Sequential(nn.Linear(5, 7), lif())).graph.dt == 1e-4


REFUSED = {
    "inhibition": ({"state_quant": False}, "inhibition"),
    "mixed leak": ({"beta": torch.tensor([1.0, *[0.5] * 6])}, "1 of 7 values of beta"),
    "state_quant": ({"state_quant": lambda v: v}, "state_quant"),
    "factors": ({"graded_spikes_factor": torch.linspace(1, 2, 7)}, "graded_spikes_factor"),
    "a shape": ({"threshold": torch.ones(2, 7)}, r"threshold has the shape \(2, 7\)"),
}


@pytest.mark.filterwarnings("ignore:Inhibition:UserWarning")
@pytest.mark.parametrize("case", REFUSED)
def test_what_a_graph_cannot_say(case):
    options, named = REFUSED[case]
    neuron = lif(**options, inhibition=case == "inhibition")
    with pytest.raises(Unsupported, match=rf"^1: .*{named}"):
        open_module(nn.Sequential(nn.Linear(5, 7), neuron))


@pytest.mark.parametrize(
    ("neuron", "named"),
    [
        (snn.Synaptic(alpha=1.0, beta=0.5, init_hidden=True), "alpha is 1"),
        (snn.Synaptic(alpha=0.5, beta=1.0, init_hidden=True), "synaptic current needs a leaky"),
        (
            snn.RSynaptic(alpha=0.5, beta=0.5, linear_features=7, reset_delay=False),
            "ignores reset_delay",
        ),
        (snn.SLSTM(7, 7, init_hidden=True), "is a SLSTM"),
    ],
    ids=["alpha", "no leak", "RSynaptic", "SLSTM"],
)
def test_neurons_without_a_reader(neuron, named):
    with pytest.raises(Unsupported, match=named):
        open_module(nn.Sequential(nn.Linear(5, 7), neuron))


def test_a_reset_that_the_checkpoint_contradicts():
    net = nn.Sequential(nn.Linear(5, 7), lif(reset_mechanism="zero"))
    net[1].reset_mechanism_val = torch.tensor(0)
    with pytest.raises(Unsupported, match=r"built with reset_mechanism='zero', but the checkpoint says 'subtract'"):
        open_module(net)

"""sinabs networks: every layer, option and layout of time, spike by spike against sinabs itself."""

import pytest
import sinabs.layers as sl
import torch
from sinabs.activation import MaxSpike, MembraneReset, MembraneSubtract, MultiSpike, SingleSpike
from torch import nn

from neurodeploy.errors import InputError, Unsupported
from neurodeploy.export.framework import open_module
from neurodeploy.export.weights import fill
from neurodeploy.graph import Neuron
from neurodeploy.nir_export import export_model

torch.set_num_threads(1)

FIVE = torch.linspace(2.0, 9.0, 5)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(4)


def linear(inputs: int, outputs: int, **options) -> nn.Linear:
    made = nn.Linear(inputs, outputs, **options)
    with torch.no_grad():
        made.weight.mul_(4.0)
    return made


def single(**options):
    return {"spike_fn": SingleSpike, "reset_fn": MembraneReset(), **options}


def low(threshold: float = 0.4):
    return torch.tensor(threshold)


LAYERS = {
    "IAF": lambda: sl.IAF(),
    "IAF, bounded": lambda: sl.IAF(min_v_mem=torch.tensor(-1.0)),
    "IAF of one spike": lambda: sl.IAF(**single(spike_threshold=low())),
    "IAF, one subtraction": lambda: sl.IAF(spike_fn=SingleSpike, spike_threshold=low()),
    "IAF, at most one": lambda: sl.IAF(spike_fn=MaxSpike(1), spike_threshold=low()),
    "IAF, no most": lambda: sl.IAF(spike_fn=MaxSpike()),
    "IAF, named subtraction": lambda: sl.IAF(reset_fn=MembraneSubtract(0.5), spike_threshold=torch.tensor(0.5)),
    "LIF": lambda: sl.LIF(tau_mem=4.0, spike_threshold=low()),
    "LIF by neuron": lambda: sl.LIF(tau_mem=FIVE, spike_threshold=FIVE / 10, min_v_mem=-FIVE / 10),
    "LIF, input whole": lambda: sl.LIF(tau_mem=FIVE, norm_input=False, **single()),
    "LIF of a current": lambda: sl.LIF(tau_mem=FIVE, tau_syn=3.0, spike_threshold=low(), spike_fn=MultiSpike),
    "LIF by its alphas": lambda: sl.LIF(tau_mem=FIVE, tau_syn=FIVE / 2, train_alphas=True, spike_threshold=low()),
}


def proved(module, tmp_path, *, shape=(6,), name="net.nir"):
    """Export a network and return its graph; its neurons must have answered."""
    live = open_module(module, framework="sinabs", shape=shape, steps=25)
    answers = live.record(live.draw(2, 0))
    assert all(values.any() for values in answers.values())
    result = export_model(live, tmp_path / name)
    assert result.proof.equal
    assert result.graph.dt == 1.0
    return result.graph


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_is_written_and_proved(tmp_path, name):
    proved(nn.Sequential(linear(6, 5), LAYERS[name]()), tmp_path)


@pytest.mark.parametrize("time", [{"batch_size": 1}, {"num_timesteps": 7}])
def test_squeezed_layers_around_convolutions(tmp_path, time):
    module = nn.Sequential(
        *(
            nn.Conv2d(2, 4, 3, padding=1, bias=False),
            nn.BatchNorm2d(4),
            sl.IAFSqueeze(spike_threshold=low(0.3), **time),
        ),
        *(sl.SumPool2d((2, 3), 2), nn.Conv2d(4, 3, 2), sl.LIFSqueeze(tau_mem=5.0, spike_threshold=low(0.3), **time)),
        *(nn.Flatten(), linear(12, 4), sl.ExpLeakSqueeze(tau_mem=6.0, **time)),
    )
    graph = proved(module, tmp_path, shape=(2, 6, 7))
    assert graph.nodes["3"].kind == "sum"
    assert not graph.nodes["8"].spiking


def test_a_network_that_moves_its_time_axis(tmp_path):
    module = nn.Sequential(
        *(sl.FlattenTime(), nn.Conv1d(2, 3, 3), nn.Flatten(), sl.UnflattenTime(batch_size=1), sl.IAF()),
        *(sl.Repeat(linear(12, 5)), sl.LIF(tau_mem=FIVE, spike_threshold=low())),
    )
    assert proved(module, tmp_path, shape=(2, 6)).of_type(Neuron) == ["4", "6"]


@pytest.mark.parametrize("norm_input", [True, False])
def test_a_read_out_of_time_constants_by_neuron(tmp_path, norm_input):
    proved(nn.Sequential(linear(6, 5), sl.IAF(), linear(5, 5), sl.ExpLeak(FIVE, norm_input=norm_input)), tmp_path)


@pytest.mark.parametrize("kind", ["IAF", "LIF"])
def test_feedback(tmp_path, kind):
    back = nn.Linear(5, 5, bias=False)
    recurrent = {
        "IAF": lambda: sl.IAFRecurrent(rec_connect=back),
        "LIF": lambda: sl.LIFRecurrent(tau_mem=FIVE, rec_connect=back, spike_threshold=low()),
    }[kind]()
    graph = proved(nn.Sequential(linear(6, 5), recurrent), tmp_path)
    assert graph.feedback == {("1", "1.recurrent")}


def test_single_layers_and_residual_sums(tmp_path):
    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            self.l1, self.l2, self.merge = linear(6, 5), linear(5, 5), sl.Merge()
            self.a, self.b = sl.IAFSqueeze(batch_size=1), sl.IAFSqueeze(batch_size=1)

        def forward(self, x):
            y = self.a(self.l1(x))
            return self.b(self.merge(self.l2(y), y))

    assert ("a", "b") in proved(Residual(), tmp_path).edges
    proved(sl.IAF(spike_threshold=torch.tensor(2.0)), tmp_path, name="alone.nir")


@pytest.mark.parametrize("squeezed", [True, False])
def test_two_inputs_joined(tmp_path, squeezed):
    class Joined(nn.Module):
        def __init__(self):
            super().__init__()
            self.l1, self.l2 = linear(6, 5), linear(8, 4)
            self.a, self.b = (sl.IAFSqueeze(batch_size=1) if squeezed else sl.IAF() for _ in range(2))

        def forward(self, left, right):
            return self.b(self.l2(torch.cat([self.a(self.l1(left)), right], dim=-1)))

    graph = proved(Joined(), tmp_path, shape={"left": (6,), "right": (3,)})
    assert graph.inputs == ["left", "right"]


def test_state_in_a_checkpoint_is_not_loaded(tmp_path):
    def build():
        return nn.Sequential(linear(6, 5), sl.LIF(tau_mem=FIVE, tau_syn=3.0))

    trained, fresh = build(), build()
    trained(torch.ones(3, 4, 6)).sum().backward()
    held = trained.state_dict()
    assert held["1.v_mem"].shape == (3, 5)
    fill(fresh, held, "net.pt")
    assert not fresh[1].v_mem.numel()
    assert torch.equal(fresh[0].weight, trained[0].weight)
    del held["1.tau_mem"]
    with pytest.raises(InputError, match=r"lacks '1\.tau_mem'"):
        fill(fresh, held, "net.pt")
    proved(trained, tmp_path)
    assert trained[1].v_mem.shape == (3, 5)


class Custom:
    def __call__(self, spikes, state, threshold):
        return state


REFUSED = {
    "adaptive": (
        lambda: sl.ALIF(tau_mem=5.0, tau_adapt=5.0),
        r"^1: is a ALIF, for which there is no reader; known: .*LIF",
    ),
    "current, no leak": (lambda: sl.IAF(tau_syn=3.0), r"^1: has a synaptic current \(tau_syn\) and no leak"),
    "two at most": (lambda: sl.IAF(spike_fn=MaxSpike(2)), "^1: fires by MaxSpike"),
    "bound": (lambda: sl.IAF(min_v_mem=-0.5), r"^1: bounds its membrane at min_v_mem -0\.5"),
    "subtraction": (
        lambda: sl.IAF(reset_fn=MembraneSubtract(0.5)),
        "^1: resets by MembraneSubtract.*not its threshold",
    ),
    "reset to a value": (
        lambda: sl.IAF(reset_fn=MembraneReset(0.2)),
        "^1: resets by MembraneReset.*adds to all membranes",
    ),
    "own reset": (lambda: sl.IAF(reset_fn=Custom()), "^1: resets by .*use MembraneSubtract"),
    "no threshold": (lambda: sl.IAF(spike_threshold=torch.tensor(0.0)), "^1: spike_threshold is 0"),
    "bounded read-out": (lambda: sl.ExpLeak(5.0, min_v_mem=-1.0), "^1: bounds a membrane that never fires"),
    "bias of the feedback": (lambda: sl.IAFRecurrent(nn.Linear(5, 5)), "^1: its feedback has a bias"),
    "layers of feedback": (
        lambda: sl.IAFRecurrent(nn.Sequential(nn.Linear(5, 5))),
        "^1: feeds back through a Sequential",
    ),
    "tau of nothing": (lambda: sl.LIF(tau_mem=0.0), "^1: tau_mem is 0; it must be a finite number above 0"),
    "quantized": (lambda: sl.QuantizeLayer(), "^apply in module '1'|round|quantize"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_graph_cannot_say_is_refused_by_name(name):
    build, message = REFUSED[name]
    with pytest.raises(Unsupported, match=message):
        open_module(nn.Sequential(linear(6, 5), build()), framework="sinabs")

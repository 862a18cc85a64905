"""SpikingJelly networks: every neuron, layer and step mode, spike by spike against SpikingJelly itself."""

import pytest
import torch
from spikingjelly.activation_based import functional, layer, neuron, surrogate
from torch import nn

from neurodeploy.errors import Unsupported
from neurodeploy.export.framework import open_module
from neurodeploy.graph import Neuron
from neurodeploy.nir_export import export_model

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(5)


def linear(inputs: int, outputs: int, **options) -> nn.Linear:
    made = layer.Linear(inputs, outputs, **options)
    with torch.no_grad():
        made.weight.mul_(3.0)
    return made


NEURONS = {
    "IF": lambda **o: neuron.IFNode(**o),
    "IF by subtraction": lambda **o: neuron.IFNode(v_reset=None, v_threshold=0.8, **o),
    "IF from below": lambda **o: neuron.IFNode(v_reset=-0.4, **o),
    "half a threshold": lambda **o: neuron.HalfThresholdIFNode(v_threshold=0.9, **o),
    "LIF": lambda **o: neuron.LIFNode(tau=1.7, v_threshold=0.4, **o),
    "LIF, input whole": lambda **o: neuron.LIFNode(tau=3.0, decay_input=False, **o),
    "LIF by subtraction": lambda **o: neuron.LIFNode(tau=1.7, v_reset=None, v_threshold=0.4, detach_reset=True, **o),
    "LIF to a value": lambda **o: neuron.LIFNode(tau=2.5, v_reset=-0.2, v_threshold=0.3, **o),
    "LIF of no memory": lambda **o: neuron.LIFNode(tau=1.0 + 1e-9, v_threshold=0.4, **o),
    "PLIF": lambda **o: neuron.ParametricLIFNode(init_tau=1.9, v_threshold=0.4, **o),
    "PLIF, input whole": lambda **o: neuron.ParametricLIFNode(init_tau=4.0, decay_input=False, v_reset=None, **o),
    "simple IF": lambda **o: neuron.SimpleIFNode(v_reset=-0.3, **o),
    "simple LIF": lambda **o: neuron.SimpleLIFNode(tau=1.8, decay_input=True, v_threshold=0.4, v_reset=-0.2, **o),
    "other surrogate": lambda **o: neuron.LIFNode(tau=2.0, v_threshold=0.3, surrogate_function=surrogate.ATan(), **o),
}


@pytest.mark.parametrize("mode", ["s", "m"])
@pytest.mark.parametrize("name", NEURONS)
def test_a_neuron_is_written_and_proved(tmp_path, name, mode):
    proved(nn.Sequential(linear(6, 5), NEURONS[name](), linear(5, 4), NEURONS[name]()), tmp_path, mode=mode)


@pytest.mark.parametrize("options", [{}, {"v_reset": -0.3}, {"v_reset": None}, {"c_decay": 0.0}])
def test_a_synaptic_current(tmp_path, options):
    cell = neuron.CUBALIFNode(**{"c_decay": 0.6, "v_decay": 0.8, "v_threshold": 0.9, **options})
    proved(nn.Sequential(linear(6, 5), cell), tmp_path)


def proved(module, tmp_path, *, shape=(6,), mode=None, fires=True):
    """Export a network, in a step mode if one is given, and return its graph; its neurons must have fired."""
    if mode:
        functional.set_step_mode(module, mode)
    live = open_module(module, framework="spikingjelly", shape=shape, steps=25)
    inputs = live.draw(2, 0)
    answers = live.record(inputs)
    assert all(values.any() for values in answers.values())
    assert not fires or all(values.min() == 0 for values in answers.values())
    result = export_model(live, tmp_path / "net.nir")
    assert result.proof.equal
    assert result.graph.dt == 1e-4
    return result.graph


def convolutional() -> nn.Module:
    return nn.Sequential(
        *(layer.Conv2d(2, 4, 3, padding=1), layer.BatchNorm2d(4), neuron.LIFNode(v_threshold=0.2), layer.AvgPool2d(2)),
        *(layer.WSConv2d(4, 4, 2), neuron.IFNode(v_threshold=0.6), layer.Flatten(), layer.Dropout(0.5)),
        *(layer.WSLinear(16, 12), neuron.IFNode(v_threshold=0.5), layer.VotingLayer(4), neuron.IFNode()),
    )


@pytest.mark.parametrize("mode", ["s", "m"])
def test_layers_with_a_step_mode(tmp_path, mode):
    graph = proved(convolutional(), tmp_path, shape=(2, 6, 6), mode=mode)
    assert graph.nodes["10"].weight.shape == (3, 12)


def test_containers_of_layers_without_a_step_mode(tmp_path):
    """Weights and normalisation see samples and steps as one axis, neurons are called once a step, or loop inside."""
    module = nn.Sequential(
        layer.SeqToANNContainer(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3)),
        layer.MultiStepContainer(neuron.LIFNode(v_threshold=0.15), nn.Flatten(), nn.Linear(48, 8)),
        layer.StepModeContainer(True, "m", neuron.IFNode(v_threshold=0.3), nn.Linear(8, 8)),
        neuron.LIFNode(v_threshold=0.1, step_mode="m"),
        linear(8, 6, step_mode="m"),
        layer.ThresholdDependentBatchNorm1d(1.0, 0.5, 6),
        neuron.LIFNode(v_threshold=0.2, step_mode="m"),
    )
    graph = proved(module, tmp_path, shape=(2, 6, 6))
    assert graph.of_type(Neuron) == ["1.0", "2.0", "3", "6"]


def through_time(kind: str) -> nn.Module:
    """Return a network whose normalisation has constants of its own for every step, all equal so far."""
    norm = (
        layer.BatchNormThroughTime1d(60, 5, step_mode="m")
        if kind == "statistics"
        else layer.TemporalEffectiveBatchNorm1d(25, 5)
    )
    with torch.no_grad():
        for each in norm.bn_list if kind == "statistics" else [norm]:
            each.running_mean.fill_(0.3)
            each.running_var.fill_(0.5)
        if kind == "scales":
            norm.scale.fill_(1.7)
    return nn.Sequential(linear(6, 5, step_mode="m"), norm, neuron.LIFNode(v_threshold=0.3, step_mode="m"))


@pytest.mark.parametrize("kind", ["statistics", "scales"])
def test_a_normalisation_through_time_with_equal_constants(tmp_path, kind):
    assert proved(through_time(kind), tmp_path).of_type(Neuron) == ["2"]


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("statistics", r"^1.*: normalises every step by statistics of its own: running_var of step 1 "),
        ("scales", r"^1: scales every step by a factor of its own, 1\.2 to 1\.7; .*ThresholdDependentBatchNorm"),
    ],
)
def test_a_normalisation_through_time_is_refused(kind, said):
    module = through_time(kind)
    with torch.no_grad():
        if kind == "statistics":
            module[1].bn_list[1].running_var.fill_(0.6)
        else:
            module[1].scale[7] = 1.2
    with pytest.raises(Unsupported, match=said):
        open_module(module, framework="spikingjelly")


def test_an_adaptive_pool(tmp_path):
    first = (layer.Conv2d(2, 3, 3), neuron.IFNode(v_threshold=0.4), layer.AdaptiveAvgPool2d((2, 1)))
    module = nn.Sequential(*first, layer.Flatten(), linear(6, 4), neuron.LIFNode(v_threshold=0.1))
    assert proved(module, tmp_path, shape=(2, 6, 6)).of_type(Neuron) == ["1", "5"]


@pytest.mark.parametrize("mode", ["s", "m"])
@pytest.mark.parametrize("kind", ["elementwise", "linear"])
def test_feedback(tmp_path, kind, mode):
    cell = neuron.LIFNode(v_threshold=0.4)
    recurrent = {
        "elementwise": lambda: layer.ElementWiseRecurrentContainer(cell, lambda y, x: y + x),
        "linear": lambda: layer.LinearRecurrentContainer(cell, 5, 5),
    }[kind]()
    graph = proved(nn.Sequential(linear(6, 5), recurrent), tmp_path, mode=mode)
    assert graph.of_type(Neuron) == ["1.sub_module"]
    assert graph.feedback


class ReadsMembrane(nn.Module):
    """The usual read-out: a neuron that never fires, and its membrane."""

    def __init__(self, node):
        super().__init__()
        self.first, self.a, self.last, self.out = linear(6, 5), neuron.IFNode(), linear(5, 3), node

    def forward(self, x):
        self.out(self.last(self.a(self.first(x))))
        return self.out.v


@pytest.mark.parametrize("mode", ["s", "m"])
@pytest.mark.parametrize("node", ["IF", "LIF"])
def test_the_membrane_of_a_neuron_that_never_fires(tmp_path, node, mode):
    never = {"v_threshold": float("inf")}
    out = neuron.IFNode(**never) if node == "IF" else neuron.LIFNode(tau=3.0, v_reset=-0.3, **never)
    if node == "LIF":
        with pytest.raises(Unsupported, match=r"^out: never fires and starts at v_reset=-0\.3"):
            open_module(ReadsMembrane(out), framework="spikingjelly")
        out = neuron.LIFNode(tau=3.0, v_reset=None, **never)
    graph = proved(ReadsMembrane(out), tmp_path, mode=mode, fires=False)
    assert not graph.nodes["out"].spiking


@pytest.mark.parametrize("node", [neuron.NonSpikingIFNode, neuron.NonSpikingLIFNode])
@pytest.mark.parametrize("decode", ["max-mem", None])
def test_a_node_that_answers_with_its_membrane(tmp_path, node, decode):
    module = nn.Sequential(linear(6, 5), neuron.IFNode(step_mode="m"), linear(5, 3), node(decode=decode))
    graph = proved(module, tmp_path, fires=False)
    assert not graph.nodes["3"].spiking


class TwoSenses(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = neuron.LIFNode(v_threshold=0.2), neuron.IFNode()
        self.see, self.join = layer.Conv2d(2, 3, 3), linear(3, 4)

    def forward(self, image, gain):
        seen = self.a(self.see(image))
        return self.b(self.join(gain)), seen


@pytest.mark.parametrize("mode", ["s", "m"])
def test_two_inputs_and_two_answers(tmp_path, mode):
    graph = proved(TwoSenses(), tmp_path, shape={"image": (2, 4, 4), "gain": (3,)}, mode=mode)
    assert graph.inputs == ["image", "gain"]
    assert graph.sources("output_2") == ["a"]


def test_delays_and_single_neurons(tmp_path):
    proved(nn.Sequential(linear(6, 5), neuron.IFNode(), layer.Delay(3), linear(5, 4), neuron.IFNode()), tmp_path)
    (tmp_path / "net.nir").unlink()
    proved(neuron.IFNode(v_threshold=2.0), tmp_path)


def test_a_forward_that_clears_its_state():
    class Forgetful(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc, self.lif = linear(6, 5), neuron.LIFNode()

        def forward(self, x):
            functional.reset_net(self)
            return self.lif(self.fc(x))

    with pytest.raises(Unsupported, match=r"^lif: forward clears its state in every step"):
        open_module(Forgetful(), framework="spikingjelly")
    whole = Forgetful()
    functional.set_step_mode(whole, "m")  # where one call is one sample, that is as it should be
    live = open_module(whole, framework="spikingjelly")
    assert live.record(live.draw(2, 0))["lif"].any()


def test_opening_leaves_the_network_as_it_was():
    module = nn.Sequential(linear(6, 5), neuron.LIFNode(v_threshold=0.2))
    functional.set_step_mode(module, "m")
    before = module(torch.ones(3, 2, 6))
    held = module[1].v.clone()
    live = open_module(module, framework="spikingjelly")
    live.record(live.draw(2, 0))
    assert torch.equal(module[1].v, held)
    assert module[1].step_mode == "m"
    assert before.any()


class Leakier(neuron.LIFNode):
    def single_step_functional_forward(self, inputs, states, **kwargs):
        return super().single_step_functional_forward((inputs[0] * 2,), states, **kwargs)


REFUSED = {
    "quadratic": (lambda: neuron.QIFNode(), r"^1: is a QIFNode, for which there is no reader; known: .*LIFNode"),
    "exponential": (lambda: neuron.EIFNode(), "^1: is a EIFNode"),
    "rectified": (lambda: neuron.KLIFNode(), "^1: is a KLIFNode"),
    "analog": (lambda: neuron.LIAFNode(torch.relu, False), "^1: is a LIAFNode, which changes single_step_functional_f"),
    "own step": (lambda: Leakier(), r"^1: is a Leakier, which changes single_step_functional_forward of LIFNode"),
    "soft spikes": (
        lambda: neuron.IFNode(surrogate_function=surrogate.Sigmoid(spiking=False)),
        "^1: its surrogate function answers with values between 0 and 1",
    ),
    "no decay of the current": (lambda: neuron.CUBALIFNode(c_decay=1.0), "^1: c_decay is 1"),
    "filter": (lambda: layer.SynapseFilter(), "^1: is a SynapseFilter"),
    "product": (
        lambda: layer.ElementWiseRecurrentContainer(neuron.IFNode(), lambda y, x: y * x),
        "^1: joins its last spikes with its input by another operation",
    ),
    "layers fed back": (
        lambda: layer.LinearRecurrentContainer(nn.Sequential(neuron.IFNode()), 5, 5),
        "^1: feeds a Sequential back to itself",
    ),
    "time last": (lambda: layer.TLastMultiStepContainer(neuron.IFNode()), "^1: takes time as its last axis"),
    "sequences only": (lambda: neuron.GatedLIFNode(T=4), "^1: is a GatedLIFNode"),
    "all steps at once": (lambda: neuron.PSN(T=4), "^1: is a PSN, in which every step reads all others"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_graph_cannot_say_is_refused_by_name(name):
    build, message = REFUSED[name]
    with pytest.raises(Unsupported, match=message):
        open_module(nn.Sequential(linear(6, 5), build()), framework="spikingjelly")

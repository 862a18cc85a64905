"""STSep's difference in a Graph and on a chip: what is delayed, what the first step is, and what cancels."""

import numpy as np
import pytest
import torch
from torch import nn

from neurodeploy.choices import Choices
from neurodeploy.export.differences import Differences
from neurodeploy.export.spiking import READERS, multi_spike
from neurodeploy.export.tracer import trace
from neurodeploy.graph import Delay, Neuron
from neurodeploy.models.quantized import QuantizedNetwork
from neurodeploy.models.spiking.layer import MultiSpike
from neurodeploy.models.stsep.difference import Difference
from neurodeploy.models.stsep.settings import StsepSettings
from neurodeploy.passes import lower
from neurodeploy.quantization import quantization, quantize
from neurodeploy.simulation import simulate
from neurodeploy.targets.chip import load_chip
from neurodeploy.targets.reference import run
from neurodeploy.wiring import synapses
from tests.export.alive import STEPS, alive, answers, clips, graph_of

torch.set_num_threads(1)

TEMPORAL, ENTER = "body.1.0.temporal", "body.1.0.enter"


def stsep(**options):
    return alive(StsepSettings(depth=10, stages=1, channels=4, stem="small", **options))


def test_relays_repeat_their_source_but_in_the_first_step():
    graph = graph_of(stsep())
    found = run(graph, {"input": clips(3)})
    relay, source = found[f"s/{TEMPORAL}.difference.relay"], found[f"s/{ENTER}"]
    assert not relay[:, 0].any()
    assert source[:, 0].any()
    np.testing.assert_array_equal(relay[:, 1:], source[:, 1:])


def test_with_the_boundary_history_there_is_a_delay_and_nothing_else():
    graph = graph_of(stsep(boundary="history"))
    assert [name for name in graph.of_type(Neuron) if "difference" in name] == []
    assert len(graph.of_type(Delay)) == 1
    assert graph.notes == ()


def test_blocks_that_share_a_source_share_its_relay_and_its_delay():
    model = alive(StsepSettings(depth=18, stages=1, channels=4, stem="small", shortcut="spike"))
    graph = graph_of(model)
    relays = [name for name in graph.of_type(Neuron) if name.split(".")[-1].startswith("relay")]
    assert len(relays) == 3  # the stem's spikes, heard by both blocks, and both branches of the first block
    assert len([name for name in graph.of_type(Neuron) if "awake" in name]) == 1


def test_the_kernel_acts_twice_and_its_bias_once():
    lowered = lower(graph_of(stsep()))
    into = {path.source: path for path in synapses(lowered) if path.target == f"{TEMPORAL}.neurons.0"}
    now, before = into[f"{TEMPORAL}.difference.relay"], into[ENTER]
    assert (now.lag, before.lag) == (0, 1)
    np.testing.assert_array_equal(np.asarray(before.node.weight), -np.asarray(now.node.weight))
    assert now.node.bias is not None
    assert np.asarray(now.node.bias).any()
    assert before.node.bias is None


@pytest.mark.parametrize("rounding", ["nearest", "adaptive"])
@pytest.mark.parametrize("boundary", ["zero", "history"])
def test_a_clip_that_stands_still_drives_no_temporal_branch_in_integers(rounding, boundary):
    graph, moving = graph_of(stsep(boundary=boundary)), clips(6)
    chip, name = load_chip("loihi2"), f"{TEMPORAL}.neurons.0"
    network = quantize(graph, chip, {"input": moving}, Choices(rounding=rounding, clipping="none", scales="population"))
    still = np.repeat(moving[:, :1], STEPS, axis=1)
    currents = [simulate(network, clip, record=("s", "u")).u[name] for clip in (still, moving)]
    assert not currents[0][:, boundary == "history" :].any()
    assert currents[1][:, 1:].any()


@pytest.mark.parametrize("history", [False, True])
@pytest.mark.parametrize("rectify", [False, True])
def test_the_difference_alone(history, rectify):
    """Spikes of I-LIF neurons of one level, differenced, through a kernel of weight one."""
    layer = nn.Conv2d(4 if rectify else 2, 1, 1, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([1.0, 0.25, 0.5, 0.125])[: layer.in_channels].reshape(1, -1, 1, 1))

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.spikes, self.layer = MultiSpike(1), layer
            self.difference, self.last = Difference(history=history, rectify=rectify), MultiSpike(1, 0.5)

        def forward(self, x):
            y = self.difference(self.spikes(x))
            return self.last(self.layer(y.flatten(0, 1)).reshape(*y.shape[:2], 1, *y.shape[-2:]))

    net, x = Net(), np.random.default_rng(0).random((4, 6, 2, 3, 3)).astype(np.float32)
    composers = {MultiSpike: multi_spike, Difference: Differences()}
    graph = trace(
        net, {"input": torch.zeros(1, 2, 2, 3, 3)}, dt=1e-3, readers=READERS, composers=composers, leading=2
    ).graph
    with torch.no_grad():
        expected = net(torch.from_numpy(x).transpose(0, 1)).transpose(0, 1).numpy()
    np.testing.assert_array_equal(run(graph, {"input": x})["s/last.1"], expected)
    assert set(np.unique(expected)) == {0.0, 2.0}


def test_integer_neurons_round_halves_to_the_even_number():
    net = nn.Sequential(MultiSpike(5, 2.0))
    x = np.arange(-4, 16).reshape(1, 1, 20) / 2.0
    graph = trace(
        net, {"input": torch.zeros(1, 2, 20)}, dt=1e-3, readers=READERS, composers={MultiSpike: multi_spike}, leading=2
    ).graph
    found = run(graph, {"input": x})
    assert np.array_equal(sum(found[f"s/0.{level}"] for level in range(1, 6)), net(torch.from_numpy(x)).numpy())


def test_what_a_network_answers_is_the_mean_over_the_steps_so_far():
    model, inputs = stsep(), clips(3)
    with torch.no_grad():
        numbers = model(torch.from_numpy(inputs).float().transpose(0, 1))
    read = run(graph_of(model), {"input": inputs}, ("v",))["v/readout"]
    np.testing.assert_allclose(read[:, -1] / STEPS, numbers.mean(0).numpy(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(read, answers(model, inputs)["readout"], rtol=1e-4, atol=1e-5)


def test_training_as_integers_keeps_the_two_kernels_opposite():
    """Weights that training moves to the end of the chip's grid, too, of which one side is one step longer."""
    chip, name = load_chip("loihi2"), f"{TEMPORAL}.neurons.0"
    trained = QuantizedNetwork(quantization(graph_of(stsep()), chip), chip)
    before = trained.network()
    now, late = sorted((p for p in before.projections if p.target == name), key=before.lag)
    weights = dict(trained.named_trained())
    assert f"{now.name}.weight" in weights
    assert f"{late.name}.weight" not in weights
    with torch.no_grad():
        weights[f"{now.name}.weight"].mul_(-3.0)
    after = {p.name: p.connection.weight for p in trained.network().projections}
    assert not np.array_equal(after[now.name], now.connection.weight)
    assert after[now.name].min() == -254
    np.testing.assert_array_equal(after[late.name], -after[now.name])
    moving = clips(2)
    run, trace = simulate(trained.network(), moving), trained(torch.from_numpy(moving))
    for population, spikes in run.spikes.items():
        np.testing.assert_array_equal(trace.spikes[population].detach().transpose(0, 1).numpy(), spikes)

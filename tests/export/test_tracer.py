import numpy as np
import pytest
import torch
from torch import nn

from neurodeploy.errors import InputError, Unsupported
from neurodeploy.export.framework import open_module
from neurodeploy.graph import BatchNorm, Convolution, Flatten, Linear, Neuron, Pool, Scale
from neurodeploy.nir_export import export_model
from neurodeploy.passes import max_pool_to_or
from neurodeploy.quantization import quantize
from neurodeploy.targets.chip import load_chip
from neurodeploy.targets.reference import run
from tests.export.nets import Explicit, Hidden, Readout, lif, lively

torch.set_num_threads(1)


def graph_of(module, *shape):
    return open_module(module, shape=shape).graph


class Step(nn.Module):
    """A network whose forward is the given function of itself and x."""

    def __init__(self, function, **parts):
        super().__init__()
        self.function = function
        for name, part in parts.items():
            self.add_module(name, part)

    def forward(self, x):
        return self.function(self, x)


def test_names_edges_and_nodes_of_a_network_with_everything():
    graph = graph_of(Hidden(), 2, 6, 6)
    assert [(name, type(node).__name__) for name, node in graph.nodes.items()] == [
        ("input", "Input"),
        ("conv1", "Convolution"),
        ("norm", "BatchNorm"),
        ("lif1", "Neuron"),
        ("conv2", "Convolution"),
        ("lif2", "Neuron"),
        ("pool", "Pool"),
        ("flatten", "Flatten"),
        ("fc", "Linear"),
        ("lif3", "Neuron"),
        ("output", "Output"),
    ]
    assert graph.sources("lif2") == ["conv2", "lif1"]
    assert graph.nodes["conv2"].padding == ((1, 1), (1, 1))


@pytest.mark.parametrize(
    ("module", "shape"), [(Hidden(), (2, 6, 6)), (Explicit(), (6,)), (Readout(), (6,))], ids=lambda v: type(v).__name__
)
def test_the_graph_does_what_the_module_does(module, shape):
    live = open_module(lively(module), shape=shape, steps=20)
    inputs = live.draw(3, 0)
    answers = live.record(inputs)
    found = run(live.graph, {"input": inputs}, ("s", "v"))
    for name, values in answers.items():
        if live.graph.nodes[name].spiking:
            np.testing.assert_array_equal(found[f"s/{name}"], values, err_msg=name)
            assert 0 < values.sum() < values.size, name
        else:
            np.testing.assert_allclose(found[f"v/{name}"], values, atol=1e-5)


def test_recording_starts_anew_every_time():
    live = open_module(lively(Hidden()), shape=(2, 6, 6), steps=6)
    inputs = live.draw(2, 1)
    first, second = live.record(inputs), live.record(inputs)
    assert all((first[name] == second[name]).all() for name in first)


def test_a_membrane_as_the_answer_is_an_integrator():
    neuron = graph_of(Readout(), 6).nodes["li"]
    assert isinstance(neuron, Neuron)
    assert neuron.kind == "LI"


OPERATIONS = {
    "torch.flatten": (lambda n, x: n.a(torch.flatten(x, 1)), Flatten),
    "by name": (lambda n, x: n.a(torch.flatten(input=x, start_dim=1)), Flatten),
    "flatten": (lambda n, x: n.a(x.flatten(start_dim=1)), Flatten),
    "reshape": (lambda n, x: n.a(x.reshape(x.shape[0], -1)), Flatten),
    "view": (lambda n, x: n.a(x.view(x.size(0), 18)), Flatten),
    "times": (lambda n, x: n.a(2 * x * 0.5), Scale),
    "divided": (lambda n, x: n.a(x / 4), Scale),
    "itself": (lambda n, x: n.a(x + x), Scale),
    "pool": (lambda n, x: n.a(nn.functional.avg_pool2d(x, 3)), Pool),
    "maximum": (lambda n, x: n.a(nn.functional.max_pool2d(x, 2, stride=1)), Pool),
    "maximum by name": (lambda n, x: n.a(nn.functional.max_pool2d(input=x, kernel_size=3)), Pool),
    "dropout": (lambda n, x: n.a(nn.functional.dropout(x, 0.5, n.training)), Neuron),
    "dropout of channels": (lambda n, x: n.a(nn.functional.dropout2d(x, training=n.training)), Neuron),
    "identity": (lambda n, x: n.a(nn.Identity()(x)), Neuron),
    "sum of both": (lambda n, x: n.b(sum([n.a(x), x])), Neuron),
    "in place": (lambda n, x: n.b(n.a(x).add_(x)), Neuron),
    "halves": (lambda n, x: n.a(sum(x.chunk(2, 1))), Convolution),
    "last channel": (lambda n, x: n.a(x[:, -1:]), Convolution),
    "flat cells": (lambda n, x: n.a(x.flatten(1)[:, 3:9]), Linear),
    "difference": (lambda n, x: n.b(0.4 + n.a(x) - 0.5 * x), Scale),
    "turned": (lambda n, x: n.b(0.9 - n.a(x)), BatchNorm),
    "negative": (lambda n, x: n.b(x - (-n.a(x))), Scale),
    "by a tensor": (lambda n, x: n.a(torch.linspace(0.5, 2, 18).reshape(2, 3, 3) * x), Scale),
    "bias of channels": (lambda n, x: n.a(x + torch.tensor([0.3, -0.2]).reshape(1, 2, 1, 1)), BatchNorm),
    "mean": (lambda n, x: n.b(3 * n.a(x).mean((2, 3))), Pool),
    "mean of rows": (lambda n, x: n.b(2 * n.a(x).mean(-1, keepdim=True)), Pool),
    "sum": (lambda n, x: n.b(torch.sum(n.a(x), dim=(-1, -2))), Pool),
    "squeezed": (lambda n, x: n.b(2 * nn.functional.adaptive_avg_pool2d(n.a(x), 1).squeeze(-1).squeeze(-1)), Pool),
    "adaptive maximum": (lambda n, x: n.a(nn.functional.adaptive_max_pool2d(x, (3, 1))), Pool),
    "without padding": (
        lambda n, x: n.b(2.3 * nn.functional.avg_pool2d(n.a(x), 2, 1, 1, count_include_pad=False)),
        Scale,
    ),
    "hanging over": (lambda n, x: n.b(2.3 * nn.functional.avg_pool2d(n.a(x), 2, ceil_mode=True)), Scale),
    "divisor": (lambda n, x: n.b(nn.functional.avg_pool2d(n.a(x), 2, divisor_override=3)), Scale),
    "padded": (lambda n, x: n.a(1.3 * nn.functional.avg_pool2d(nn.functional.pad(x, (1, 0, 0, 2)), 2)), Convolution),
    "linear": (lambda n, x: n.a(nn.functional.linear(x.flatten(1), torch.linspace(-1, 1, 72).reshape(4, 18))), Linear),
    "matrix": (lambda n, x: n.a(x.flatten(1) @ torch.linspace(-1, 1, 72).reshape(18, 4)), Linear),
    "convolution": (
        lambda n, x: n.a(nn.functional.conv2d(x, torch.ones(2, 1, 2, 2), torch.tensor([-1.0, 0]), padding=1, groups=2)),
        Convolution,
    ),
    "detached": (lambda n, x: n.a(x.detach().float().contiguous()), Neuron),
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_between_layers(operation):
    function, kind = OPERATIONS[operation]
    module = Step(function, a=lif(threshold=0.7), b=lif(threshold=1.3))
    live = open_module(module, shape=(2, 3, 3), steps=12)
    assert live.graph.of_type(kind)
    inputs = live.draw(2, 3)
    found = run(live.graph, {"input": inputs})
    for name, values in live.record(inputs).items():
        np.testing.assert_array_equal(found[f"s/{name}"], values)


JOINED = {
    "maps": (lambda n, x: n.b(n.w(torch.cat([x, n.a(x)], 1))), nn.Conv2d(4, 3, 2), (2, 3, 3)),
    "with itself": (lambda n, x: n.a(torch.concat((x, x, x), dim=-3)), None, (2, 3, 3)),
    "lines": (lambda n, x: n.b(n.w(torch.concatenate([n.a(x), x], axis=1))), nn.Conv1d(4, 3, 2), (2, 5)),
    "flat": (lambda n, x: n.b(n.w(torch.cat([n.a(x), x, x + x], -1))), nn.Linear(18, 4), (6,)),
    "normalised": (lambda n, x: n.b(n.w(torch.cat([n.a(x), x], 1))), nn.BatchNorm2d(4), (2, 3, 3)),
}


@pytest.mark.parametrize("case", JOINED)
def test_a_concatenation_along_the_channels(case, tmp_path):
    function, layer, shape = JOINED[case]
    torch.manual_seed(2)
    if isinstance(layer, nn.BatchNorm2d):
        layer.running_mean.uniform_(-0.2, 0.2)
    live = open_module(Step(function, a=lif(threshold=0.7), b=lif(threshold=0.3), w=layer), shape=shape, steps=20)
    inputs = live.draw(3, 3)
    assert all(values.any() for values in live.record(inputs).values())
    assert export_model(live, tmp_path / "net.nir").proof.equal
    if len(shape) != 2:  # a convolution over one axis is no matter of concatenations
        quantize(live.graph, load_chip("loihi2"))


def test_a_join_too_wide_is_refused():
    with pytest.raises(Unsupported, match=r"cat .*joins 10,000 channels, more than 8,192"):
        graph_of(Step(lambda n, x: n.a(torch.cat([x, x], 1)), a=lif()), 5000)


REFUSED = {
    "along rows": (lambda n, x: n.a(torch.cat([x, x], 2)), r"cat .*along axis 2, not along the channels"),
    "of samples": (lambda n, x: n.a(torch.cat((x, x))), r"cat .*along axis 0"),
    "with a constant": (lambda n, x: n.a(torch.cat([x, torch.ones(2, 1, 3, 3)], 1)), "cat .*with a constant"),
    "relu": (lambda n, x: n.a(torch.relu(x)), "relu"),
    "matmul": (lambda n, x: n.a(x @ torch.ones(3, 3)), "matmul"),
    "branch": (lambda n, x: n.a(x) if x.sum() > 0 else n.a(x + x), "sum"),
    "rows": (lambda n, x: n.a(x[:, :, :1]), r"__getitem__ .*not some of their channels"),
    "samples": (lambda n, x: n.a(x[:1]), r"__getitem__ .*not some of their channels"),
    "mean of channels": (lambda n, x: n.a(x.mean(1)), r"mean .*not only those behind the channels"),
    "product": (lambda n, x: n.a(x * x), "values of the network with each other"),
    "division": (lambda n, x: n.a(1 / x), "reciprocal|divides by a value"),
    "zero": (lambda n, x: n.a(x / torch.zeros(3)), "divides by zero"),
    "reflected": (lambda n, x: n.a(nn.functional.pad(x, (1, 1, 1, 1), mode="reflect")), "mode=reflect"),
    "padded channels": (lambda n, x: n.a(nn.functional.pad(x, (0, 0, 0, 0, 1, 0))), "pad the axes behind"),
    "weights of its own": (lambda n, x: n.a(nn.functional.conv2d(x, x)), "a weight that comes from the input"),
    "transposed": (lambda n, x: n.a(x.transpose(2, 3)), "transpose"),
    "constant": (lambda n, x: n.a(x + torch.arange(3.0)), "another constant to every place"),
    "integers": (lambda n, x: n.a(x.to(torch.int32)), "int32"),
    "weighted": (lambda n, x: n.a(torch.add(x, x, alpha=2)), "alpha=2"),
    "dropout that stays on": (lambda n, x: n.a(nn.functional.dropout(x)), "training=self.training"),
    "the batch": (lambda n, x: n.a(x.flatten(0, 1)), "batch axis"),
    "two of them": (lambda n, x: n.a(x.view(-1, 9)), "no merging of neighbouring axes"),
}


@pytest.mark.parametrize("operation", REFUSED)
def test_an_operation_that_is_no_part_of_a_network(operation):
    function, named = REFUSED[operation]
    with pytest.raises(Unsupported, match=named):
        graph_of(Step(function, a=lif()), 2, 3, 3)


def test_the_refusal_names_module_and_line():
    place = r"^relu in module 'inner' \(test_tracer.py:\d+: .*torch\.relu\(x\)"
    with pytest.raises(Unsupported, match=place + ".*use spiking neurons"):
        graph_of(Outer(), 2)


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (nn.LayerNorm(4), r"^layer_norm in module '0' \(a LayerNorm\).*use BatchNorm"),
        (nn.Unflatten(1, (2, 2)), r"^unflatten in module '0' \(a Unflatten\).*--input-shape"),
        (nn.Softplus(), r"^softplus in module '0' \(a Softplus\).*use layers \(Linear, "),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_layer_of_torch_without_a_reader_is_named_with_choices(layer, said):
    with pytest.raises(Unsupported, match=said):
        graph_of(nn.Sequential(layer, lif()), 4)


class Outer(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = Step(lambda n, x: torch.relu(x))

    def forward(self, x):
        return self.inner(x)


def test_a_state_used_by_another_layer():
    module = Step(lambda n, x: n.b(n.a(x)[1]), a=lif(init_hidden=False), b=lif())
    with pytest.raises(Unsupported, match="membrane or current of 'a'"):
        graph_of(module, 4)


def test_a_neuron_that_runs_twice_in_a_step():
    with pytest.raises(Unsupported, match=r"^a: runs twice"):
        graph_of(Step(lambda n, x: n.a(n.a(x)), a=lif()), 4)


def test_modules_keep_their_names_whatever_they_are():
    module = Step(
        lambda n, x: n.output(n.pool(n.input(nn.functional.avg_pool2d(x, 2)))), input=lif(), pool=lif(), output=lif()
    )
    live = open_module(module, shape=(1, 4, 4), steps=3)
    assert list(live.graph.nodes) == ["input_2", "pool_2", "input", "pool", "output", "output_2"]
    assert live.graph.inputs == ["input_2"]
    assert set(live.record(live.draw(1, 0))) == {"input", "pool", "output"}


def test_a_layer_used_twice_becomes_two_nodes():
    module = Step(lambda n, x: n.b(n.w(n.a(n.w(x)))), a=lif(), b=lif(), w=nn.Linear(4, 4))
    assert [name for name in graph_of(module, 4).nodes if name.startswith("w")] == ["w", "w_2"]


def test_an_answer_that_does_not_come_from_the_input():
    with pytest.raises(Unsupported, match="does not come from its input"):
        graph_of(Step(lambda n, x: torch.ones(2, 4)), 4)


def test_code_that_fails_is_told_with_its_error():
    with pytest.raises(InputError, match=r"fails on an input of shape \(2, 7\): .*cannot be multiplied"):
        graph_of(nn.Sequential(nn.Linear(6, 3), lif()), 7)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning")
def test_layers_that_vanish_and_their_like():
    module = nn.Sequential(nn.Identity(), nn.Conv1d(2, 3, 4, padding="same"), nn.BatchNorm1d(3), nn.Dropout(), lif())
    graph = graph_of(module, 2, 9)
    assert [type(node) for node in graph.nodes.values()][1:4] == [Convolution, BatchNorm, Neuron]
    assert graph.nodes["1"].padding == ((1, 2),)


def test_the_hooks_are_taken_off_again():
    module = Hidden()
    graph_of(module, 2, 6, 6)
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())


def test_a_maximum_of_spikes_becomes_an_or():
    """The graph keeps the pool; what a chip runs of it is a population more, with the same spikes behind it."""
    module = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), lif(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(18, 4), lif())
    live = open_module(lively(module), shape=(1, 6, 6), steps=20)
    drawn = live.draw(3, 0)
    answers = live.record(drawn)
    for graph in (live.graph, max_pool_to_or(live.graph)):
        found = run(graph, {"input": drawn})
        for name, values in answers.items():
            np.testing.assert_array_equal(found[f"s/{name}"], values, err_msg=name)
    assert 0 < answers["5"].mean() < 1
    assert len(max_pool_to_or(live.graph).of_type(Neuron)) == len(live.graph.of_type(Neuron)) + 1

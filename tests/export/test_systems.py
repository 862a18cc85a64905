"""Our own networks as Graphs: every population, every step, spike by spike, in float and in integers."""

import json

import numpy as np
import pytest
import torch

from neurodeploy.cli import main as run_cli
from neurodeploy.errors import Unsupported
from neurodeploy.export.ours import open_checkpoint
from neurodeploy.graph import Neuron
from neurodeploy.models.architectures import ResNetSettings
from neurodeploy.models.checkpoint import Checkpoint, save_checkpoint
from neurodeploy.models.convnet import build_model
from neurodeploy.models.metasdt.settings import MetaSdtSettings, MetaSdtV2Settings
from neurodeploy.models.recipe import load_recipe
from neurodeploy.models.sma.settings import SmaResNetSettings, SmaVggSettings
from neurodeploy.models.spiking.layer import set_stateful
from neurodeploy.models.stsep.settings import StsepSettings
from neurodeploy.proof import prove
from neurodeploy.quantization import quantize
from neurodeploy.simulation import simulate
from neurodeploy.targets.chip import load_chip
from tests.export.alive import STEPS, alive, answers, awakened, clips, graph_of

torch.set_num_threads(1)

SMALL = {"depth": 10, "stages": 2, "channels": 4, "stem": "small"}
BACKBONE = {"channels": (4, 4, 6, 6), "blocks": (1, 1, 1, 0, 0), "strides": (2, 1, 2, 1, 1), "expansion": 2, "heads": 2}

SETTINGS = {
    "ms-resnet": ResNetSettings(stages=2, blocks=2, channels=4),
    "ms-resnet-sj": ResNetSettings(stages=2, blocks=1, channels=4, neuron="lif-sj"),
    "plain": StsepSettings(**SMALL, block="plain"),
    "plain-sew": StsepSettings(**SMALL, block="plain", shortcut="spike", charge="sj", stateless=("stem", "1")),
    "stsep": StsepSettings(**SMALL),
    "stsep-sew": StsepSettings(**SMALL | {"stem": "imagenet"}, shortcut="spike", fusion="learned", charge="sj"),
    "stsep-history": StsepSettings(**SMALL, boundary="history", width="shared", balance=0.25),
    "stsep-post-conv": StsepSettings(**SMALL, difference="post-conv", width="split"),
    "stsep-rectified": StsepSettings(**SMALL, rectify=True),
    "stsep-rectified-history": StsepSettings(**SMALL, rectify=True, boundary="history"),
    "stsep-50": StsepSettings(**SMALL | {"depth": 50, "stages": 1, "channels": 2}),
    "sma-vgg": SmaVggSettings(channels=4, blocks=3, hidden=16, attention="none"),
    "sma-vgg-short": SmaVggSettings(channels=4, blocks=3, hidden=0, attention="none"),
    "sma-resnet": SmaResNetSettings(attention="none", channels=3),
    "meta-sdt": MetaSdtSettings(**BACKBONE, levels=3, mixer="srb", layout="pointwise"),
    "meta-sdt-v2": MetaSdtV2Settings(**BACKBONE, mixer="mlpixer", layout="pointwise", mixer_norm=True),
}

#: Frames that leave four or three pixels a side for the pool at the end of the VGG, and one for four stages.
SHAPES = {"sma-vgg": (2, 32, 32), "sma-vgg-short": (2, 24, 24), "sma-resnet": (2, 16, 16)}


@pytest.mark.parametrize("name", SETTINGS)
def test_every_population_of_the_graph_answers_as_the_network(name):
    shape = SHAPES.get(name, (2, 12, 12))
    model = alive(SETTINGS[name], shape=shape)
    graph, inputs = graph_of(model, shape), clips(3, shape=shape)
    expected = answers(model, inputs)
    proof = prove(graph, {"input": inputs}, expected)
    assert proof.equal
    assert proof.cells == sum(values.size for values in expected.values())
    assert set(expected) <= set(graph.of_type(Neuron))
    silent = [key for key, values in expected.items() if not values.any() and key[-2:] not in (".2", ".3")]
    assert not silent
    assert np.ptp(expected["readout"][:, -1]) > 0.01


def test_what_has_no_memory_has_none_in_the_graph():
    """NS stages of a plain network are neurons whose membrane leaks away in one step."""
    model = alive(SETTINGS["plain"])
    set_stateful(model, ["1"], flag=False)
    graph = graph_of(model)
    taus = {name: float(graph.nodes[name].tau_mem) for name in graph.of_type(Neuron) if name != "readout"}
    assert taus["body.1.0.spatial.neurons.0"] == pytest.approx(graph.dt)
    assert taus["body.2.0.spatial.neurons.0"] == pytest.approx(2 * graph.dt)
    assert prove(graph, {"input": clips(2)}, answers(model, clips(2))).equal


@pytest.mark.parametrize("name", ["ms-resnet", "stsep", "stsep-sew", "meta-sdt"])
def test_the_integer_network_of_the_emulator_is_the_golden_one(name):
    network = quantize(graph_of(alive(SETTINGS[name])), load_chip("loihi2"))
    inputs = clips(2)
    one, two = (simulate(network, inputs, backend, record=("s", "u", "v")) for backend in ("emulator", "golden"))
    for letter in ("spikes", "u", "v"):
        for population, values in getattr(one, letter).items():
            assert np.array_equal(values, getattr(two, letter)[population]), population
    assert one.output[:, -1].any()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (SmaVggSettings(channels=4, blocks=3, hidden=16), r"blocks\.1\.attention: is multiscale attention.*'none'"),
        (SmaResNetSettings(channels=4), r"body\.1\.0\.attention: is multiscale attention"),
        (
            MetaSdtSettings(**BACKBONE | {"blocks": (1, 0, 0, 1, 0)}),
            r"3\.1\.attn: is spike-driven attention.*no blocks",
        ),
        (MetaSdtSettings(**BACKBONE, mixer="srb"), r"first\.0: is a linear layer in the layout 'reference'.*pointwise"),
        (
            StsepSettings(**SMALL, difference="post-conv", boundary="history"),
            r"temporal\.difference: is a difference behind a constant.*boundary = 'zero'",
        ),
        (StsepSettings(**SMALL, shortcut="spike", rectify=True), r"2\.0\.temporal\.difference: rectifies.*of sums"),
        (
            StsepSettings(**SMALL, difference="post-conv", rectify=True),
            r"1\.0\.temporal\.difference: rectifies.*shortcut = 'membrane'",
        ),
    ],
)
def test_what_no_graph_holds_is_refused_by_name(settings, message):
    with pytest.raises(Unsupported, match=message):
        graph_of(alive(settings, shape=(2, 16, 16), steps=8), (2, 16, 16))


def main(arguments):
    """Run the command line and return its exit code."""
    with pytest.raises(SystemExit) as stopped:
        run_cli(arguments)
    return stopped.value.code


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A checkpoint of the smoke recipe in small, of a network that has learnt nothing but fires."""
    recipe = load_recipe("stsep-smoke", ["model.channels=2", "model.stages=1", "data.steps=4"])
    torch.manual_seed(0)
    model = awakened(build_model(recipe), (2, 24, 24), 4)
    path = tmp_path_factory.mktemp("run") / "model.safetensors"
    save_checkpoint(path, Checkpoint(recipe, 0, model.state_dict()))
    return path


def test_a_checkpoint_becomes_a_proved_file_and_integers(checkpoint, tmp_path, capsys):
    file = tmp_path / "net.nir"
    assert main(["export", str(checkpoint), "-o", str(file), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    neurons = 2 * 24 * 24
    # stem, enter, a neuron layer a branch and the last one; their relay and what wakes it are no neurons of the model
    assert document["proof"] == {"cells": 8 * 4 * (5 * neurons + 8), "equal": True, "ties": 0}
    assert document["neurons"] == 6 * neurons + 24 * 24 + 8
    assert any("the first difference of a sample is 0" in note for note in document["notes"])
    assert main(["quantize", str(file), "--target", "loihi2", "-o", str(tmp_path / "int.nir"), "--quiet"]) == 0
    live = open_checkpoint(checkpoint, steps=3)
    assert live.draw(2, 0).shape == (2, 3, 2, 24, 24)


def test_attention_in_a_checkpoint_ends_in_a_message_and_no_file(tmp_path, capsys):
    recipe = load_recipe("sma-smoke")
    path = tmp_path / "model.safetensors"
    save_checkpoint(path, Checkpoint(recipe, 0, build_model(recipe).state_dict()))
    assert main(["export", str(path), "-o", str(tmp_path / "net.nir")]) != 0
    error = capsys.readouterr().err
    assert "blocks.1.attention" in error
    assert "model.attention = 'none'" in error
    assert not (tmp_path / "net.nir").exists()


def test_one_network_answers_alike_whatever_the_number_of_steps():
    model = alive(SETTINGS["stsep"])
    graph, inputs = graph_of(model), clips(2, steps=2 * STEPS)
    assert prove(graph, {"input": inputs}, answers(model, inputs)).equal

import numpy as np
import pytest
import torch

from neurodeploy.errors import InputError
from neurodeploy.export.ours import open_checkpoint, read_convnet
from neurodeploy.graph import Neuron
from neurodeploy.models.checkpoint import Checkpoint, save_checkpoint
from neurodeploy.models.convnet import ConvNet, build_model
from neurodeploy.models.layers import (
    AvgPoolLayer,
    BatchNormLayer,
    ConvLayer,
    FlattenLayer,
    LifLayer,
    LinearLayer,
)
from neurodeploy.models.recipe import load_recipe
from neurodeploy.nir_export import export_model
from neurodeploy.targets.reference import run

torch.set_num_threads(1)


def network(**lif):
    torch.manual_seed(1)
    specs = [
        ConvLayer(channels=4, padding=1, bias=False),
        BatchNormLayer(),
        LifLayer(threshold=0.3, **lif),
        AvgPoolLayer(kernel=2),
        FlattenLayer(),
        LinearLayer(features=10),
        LifLayer(threshold=0.1, beta=0.7, **lif),
    ]
    model = ConvNet(specs, (1, 8, 8))
    norm = model.layers[1]
    with torch.no_grad():
        norm.running_mean.uniform_(-0.1, 0.1)
        norm.running_var.uniform_(0.5, 1.5)
    return model.eval()


@pytest.mark.parametrize("lif", [{}, {"reset": "subtract"}, {"reset": "none"}, {"learn_beta": True}], ids=str)
def test_the_graph_does_what_the_network_records(lif):
    model = network(**lif)
    graph, names = read_convnet(model, 1e-3)
    spikes = np.random.default_rng(0).integers(0, 2, (3, 12, 1, 8, 8))
    found = run(graph, {"input": spikes})
    for key, answer in model.record(torch.tensor(spikes, dtype=torch.float32).transpose(0, 1)).items():
        expected = answer.numpy().swapaxes(0, 1)
        np.testing.assert_array_equal(found[f"s/{names[key]}"], expected)
        assert 0 < expected.sum() < expected.size


def test_names_and_constants():
    graph, names = read_convnet(network(), 1e-3)
    assert list(graph.nodes) == [
        "input",
        "convolution1",
        "batchnorm1",
        "neuron1",
        "pool1",
        "flatten1",
        "linear1",
        "neuron2",
        "output",
    ]
    assert names == {"2": "neuron1", "6": "neuron2"}
    neuron = graph.nodes["neuron2"]
    assert isinstance(neuron, Neuron)
    assert neuron.tau_mem == pytest.approx(1e-3 / 0.3)
    assert neuron.kind == "LIF"


def test_beta_one_is_a_neuron_without_leak():
    graph, _ = read_convnet(ConvNet([LinearLayer(3), LifLayer(beta=1.0)], (4,)), 1e-3)
    neuron = graph.nodes["neuron1"]
    assert isinstance(neuron, Neuron)
    assert neuron.kind == "IF"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A checkpoint as training writes it, of a network that has learnt nothing."""
    recipe = load_recipe("digits", ["data.steps=4"])
    torch.manual_seed(0)
    model = build_model(recipe)
    path = tmp_path_factory.mktemp("run") / "model.safetensors"
    save_checkpoint(path, Checkpoint(recipe, 0, model.state_dict()))
    return path


def test_a_checkpoint_becomes_a_proved_file(checkpoint, tmp_path):
    live = open_checkpoint(checkpoint)
    result = export_model(live, tmp_path / "net.nir")
    assert result.proof.cells == 8 * 4 * result.neurons
    assert result.proof.equal
    assert result.graph.dt == 1e-3
    assert open_checkpoint(checkpoint, dt=2e-3, steps=7).draw(2, 0).shape == (2, 7, 1, 8, 8)


def test_another_file(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"model\.safetensors"):
        open_checkpoint(tmp_path / "model.safetensors")

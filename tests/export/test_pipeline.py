from dataclasses import replace

import nir
import numpy as np
import pytest
import snntorch as snn
import torch
from torch import nn

from neurodeploy.errors import NotEqual, Unsupported, UsageError
from neurodeploy.export.framework import open_module
from neurodeploy.graph import Neuron, frozen_array
from neurodeploy.nir_export import export_model
from neurodeploy.nirfile import read_graph
from neurodeploy.npz import write_npz
from tests.export.nets import Explicit, Hidden, Readout, lif, lively


@pytest.mark.parametrize(
    ("module", "shape"),
    [(Hidden(), (2, 6, 6)), (Explicit(), (6,)), (Readout(), (6,))],
    ids=["hidden", "explicit", "li"],
)
def test_a_proved_file_that_nir_reads(tmp_path, module, shape):
    live = open_module(lively(module), shape=shape, steps=12)
    result = export_model(live, tmp_path / "net.nir")
    assert result.proof.equal
    assert result.proof.cells == 8 * 12 * result.neurons
    assert list(tmp_path.iterdir()) == [tmp_path / "net.nir"]
    assert set(nir.read(tmp_path / "net.nir").nodes) == set(result.graph.nodes)
    assert read_graph(tmp_path / "net.nir").dt == 1e-4


def test_recurrent_and_graded(tmp_path):
    net = nn.Sequential(
        nn.Linear(6, 5), snn.RLeaky(beta=0.7, linear_features=5, init_hidden=True), lif(graded_spikes_factor=2.0)
    )
    assert export_model(open_module(lively(net)), tmp_path / "net.nir").proof.equal


def test_normalisation_is_folded_and_noted(tmp_path):
    result = export_model(open_module(lively(Hidden()), shape=(2, 6, 6), steps=5), tmp_path / "net.nir")
    assert "batch normalisation folded: norm" in result.notes
    assert "norm" not in result.graph.nodes


def test_without_folding_nir_has_no_word_for_it(tmp_path):
    with pytest.raises(Unsupported, match="norm"):
        export_model(open_module(Hidden(), shape=(2, 6, 6)), tmp_path / "net.nir", fold=False)
    assert not list(tmp_path.iterdir())


def test_maximum_pools_and_pools_over_one_axis_are_written_in_words_of_nir(tmp_path):
    """Their spikes are proved; the neurons of an OR stand for no neuron of the model."""
    layers = (
        nn.Conv1d(1, 4, 3),
        lif(),
        nn.MaxPool1d(3, 2, 1),
        nn.Conv1d(4, 3, 2),
        lif(),
        nn.AvgPool1d(2),
        nn.Flatten(),
    )
    net = lively(nn.Sequential(*layers, nn.Linear(6, 3), lif()))
    result = export_model(open_module(net, shape=(1, 12), steps=20), tmp_path / "net.nir")
    assert "2: the maximum over spikes is an OR, one population and one step more on a chip" in result.notes
    assert result.graph.of_type(Neuron) == ["1", "2_or", "4", "8"]
    assert result.proof.equal


def test_the_maximum_of_currents_is_refused_by_name(tmp_path):
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8, 3), lif())
    with pytest.raises(Unsupported, match=r"^1: takes the maximum of 0"):
        export_model(open_module(net, shape=(1, 6, 6)), tmp_path / "net.nir")
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_not_equal_is_not_left_and_the_old_one_stays(tmp_path):
    live = open_module(lively(nn.Sequential(nn.Linear(6, 5), lif())))
    export_model(live, tmp_path / "net.nir")
    before = (tmp_path / "net.nir").read_bytes()
    neuron = replace(live.graph.nodes["1"], threshold=frozen_array(0.8))
    wrong = replace(live, graph=replace(live.graph, nodes={**live.graph.nodes, "1": neuron}))
    with pytest.raises(NotEqual, match="layer '1'"):
        export_model(wrong, tmp_path / "net.nir", force=True)
    assert [path.name for path in tmp_path.iterdir()] == ["net.nir"]
    assert (tmp_path / "net.nir").read_bytes() == before


def test_a_defect_of_the_nir_package_is_noted(tmp_path):
    net = nn.Sequential(nn.Conv2d(1, 2, (3, 5)), lif())
    result = export_model(open_module(lively(net), shape=(1, 6, 7), steps=5), tmp_path / "net.nir")
    assert result.proof.equal
    assert any("non-square convolution 0: the nir package" in note for note in result.notes)


def test_samples_of_a_file(tmp_path):
    spikes = np.random.default_rng(0).integers(0, 2, (70, 9, 6), np.uint8)
    write_npz(tmp_path / "data.npz", {"spikes": spikes})
    live = open_module(lively(nn.Sequential(nn.Linear(6, 5), lif())))
    result = export_model(live, tmp_path / "net.nir", samples=tmp_path / "data.npz")
    assert result.proof.cells == 64 * 9 * 5
    assert "proved on the first 64 of 70 samples" in result.notes


def test_samples_of_another_shape(tmp_path):
    write_npz(tmp_path / "data.npz", {"spikes": np.zeros((2, 3, 4), np.uint8)})
    live = open_module(nn.Sequential(nn.Linear(6, 5), lif()))
    with pytest.raises(UsageError, match=r"data\.npz: holds samples of shape \(4,\), the network takes \(6,\)"):
        export_model(live, tmp_path / "net.nir", samples=tmp_path / "data.npz")


def test_existing_files_and_suffixes(tmp_path):
    live = open_module(nn.Sequential(nn.Linear(6, 5), lif()))
    (tmp_path / "net.nir").write_text("precious")
    with pytest.raises(UsageError, match="already exists"):
        export_model(live, tmp_path / "net.nir")
    with pytest.raises(UsageError, match=r"ends in \.nir"):
        export_model(live, tmp_path / "net.onnx")
    assert (tmp_path / "net.nir").read_text() == "precious"


def test_the_same_module_gives_the_same_bytes(tmp_path):
    for name in ("a.nir", "b.nir"):
        torch.manual_seed(0)
        export_model(open_module(lively(Hidden()), shape=(2, 6, 6), steps=3), tmp_path / name)
    assert (tmp_path / "a.nir").read_bytes() == (tmp_path / "b.nir").read_bytes()

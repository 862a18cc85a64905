"""Networks with several inputs and outputs, and with branches that are joined."""

import json

import numpy as np
import pytest
import snntorch as snn
import torch
from torch import nn

from neurodeploy.cli import main
from neurodeploy.errors import Unsupported, UsageError
from neurodeploy.export.framework import open_module
from neurodeploy.nir_export import export_model
from neurodeploy.nirfile import read_graph
from neurodeploy.npz import write_npz
from tests.export.nets import lif

torch.set_num_threads(1)


class TwoSenses(nn.Module):
    """Two inputs with a branch each, joined; the joint answer and that of one branch leave the network."""

    def __init__(self):
        super().__init__()
        self.see, self.hear = nn.Conv2d(1, 2, 3), nn.Linear(7, 5)
        self.seen, self.heard = lif(threshold=0.3), lif(threshold=0.2)
        self.join, self.out = nn.Linear(2 * 4 * 4 + 5, 6), lif(threshold=0.15)

    def forward(self, image, sound):
        seen = self.seen(self.see(image)).flatten(1)
        heard = self.heard(self.hear(sound))
        return self.out(self.join(torch.cat([seen, heard], dim=1))), heard


SHAPES = {"sound": (7,), "image": (1, 6, 6)}


def build():
    torch.manual_seed(3)
    return TwoSenses()


@pytest.fixture
def live():
    return open_module(build(), shape=SHAPES, steps=30)


def test_inputs_have_the_names_of_the_arguments(live, tmp_path):
    assert live.graph.inputs == ["image", "sound"]
    assert live.graph.outputs == ["output", "output_2"]
    assert live.graph.sources("output_2") == ["heard"]
    inputs = live.draw(2, 0)
    assert {name: values.shape for name, values in inputs.items()} == {
        "image": (2, 30, 1, 6, 6),
        "sound": (2, 30, 7),
    }
    assert all(0 < values.sum() < values.size for values in live.record(inputs).values())
    result = export_model(live, tmp_path / "net.nir")
    assert result.proof.equal
    assert result.graph.inputs == ["image", "sound"]


def events(path, **spikes):
    write_npz(path, {f"spikes/{name}": values.astype(np.uint8) for name, values in spikes.items()})
    return path


def test_a_proof_on_samples_of_every_input(live, tmp_path):
    drawn = np.random.default_rng(0).random((70, 5, 7)) < 0.4
    images = np.random.default_rng(1).random((70, 5, 1, 6, 6)) < 0.4
    both = events(tmp_path / "both.npz", image=images, sound=drawn)
    result = export_model(live, tmp_path / "net.nir", samples=both)
    assert result.proof.cells == 64 * 5 * (32 + 5 + 6)
    assert "proved on the first 64 of 70 samples" in result.notes
    for given, message in (
        ({"image": images}, r"has the ports image; give the spikes of image, sound"),
        ({"image": images, "sound": images}, r"holds samples of shape \(1, 6, 6\), the network takes \(7,\)"),
    ):
        with pytest.raises(UsageError, match=message):
            export_model(live, tmp_path / "no.nir", samples=events(tmp_path / "other.npz", **given))


def test_the_command_line_names_inputs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    torch.save(build().state_dict(), "net.pt")
    call = ["export", "net.pt", "-o", "net.nir", "--factory", "tests.export.test_ports:build", "--json"]
    with pytest.raises(SystemExit) as done:
        main([*call, "--input-shape", "image=1,6,6", "--input-shape", "sound=7"])
    assert not done.value.code
    assert json.loads(capsys.readouterr().out)["proof"]["equal"]
    assert read_graph(tmp_path / "net.nir").inputs == ["image", "sound"]
    for shapes in (["1,6,6", "7"], ["sound=7", "sound=7"]):
        with pytest.raises(SystemExit) as failed:
            main([*call, "--force", *(word for shape in shapes for word in ("--input-shape", shape))])
        assert failed.value.code == 2
        assert "name each of several inputs" in capsys.readouterr().err


def test_names_that_forward_does_not_have():
    message = r"names the inputs image, taste, forward takes image, sound first"
    with pytest.raises(UsageError, match=message):
        open_module(build(), shape={"image": (1, 6, 6), "taste": (7,)})


class Explicit(nn.Module):
    """Two inputs before its states, two answers before them."""

    def __init__(self):
        super().__init__()
        self.a, self.b = snn.Leaky(beta=0.7, threshold=0.6), snn.Leaky(beta=0.8, threshold=0.8)

    def forward(self, left, right, first=None, second=None):
        spikes, first = self.a(left, first if first is not None else self.a.init_leaky())
        both, second = self.b(spikes + right, second if second is not None else self.b.init_leaky())
        return both, spikes, first, second


def test_states_come_after_the_inputs_and_the_answers(tmp_path):
    live = open_module(Explicit(), shape={"left": (4,), "right": (4,)}, steps=20)
    assert live.graph.outputs == ["output", "output_2"]
    assert export_model(live, tmp_path / "net.nir").proof.equal


class Answers(nn.Module):
    def __init__(self, answer):
        super().__init__()
        self.a, self.b, self.answer = lif(init_hidden=True, output=True), lif(threshold=0.4), answer

    def forward(self, x):
        spikes, membrane = self.a(x)
        return self.answer(spikes, membrane, self.b(spikes))


@pytest.mark.parametrize(
    ("answer", "outputs"),
    [
        (lambda s, m, b: (b, m), ["output"]),
        (lambda s, m, b: (b, b), ["output"]),
        (lambda s, m, b: {"fine": b, "coarse": s}, ["fine", "coarse"]),
        (lambda s, m, b: {"only": b, "loss": m}, ["output"]),
        (lambda s, m, b: [b, [s, b], None], ["output", "output_2"]),
    ],
)
def test_what_of_the_answers_is_an_output(answer, outputs):
    assert open_module(Answers(answer), shape=(3,)).graph.outputs == outputs


def test_the_membrane_of_a_neuron_that_fires_is_no_first_answer():
    with pytest.raises(Unsupported, match="its membrane is returned, but it also fires"):
        open_module(Answers(lambda s, m, b: (m, b)), shape=(3,))

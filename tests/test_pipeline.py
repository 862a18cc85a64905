"""The whole line: its figures are those of the steps done one by one, and it writes everything or nothing."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from neurodeploy.errors import BackendMissing, DoesNotFit, InputError, NotEqual, Unsupported, UsageError
from neurodeploy.loading import load
from neurodeploy.mapping import map_network
from neurodeploy.netfile import read_network, write_network
from neurodeploy.network import Network
from neurodeploy.nirfile import read_graph, write_graph
from neurodeploy.npz import read_events
from neurodeploy.pipeline import STEPS, deploy
from neurodeploy.quantization import quantize
from neurodeploy.semantics import Semantics
from neurodeploy.simulation import BACKENDS, simulate
from neurodeploy.targets import chip as chips
from neurodeploy.targets.chip import load_chip
from neurodeploy.targets.emulator import golden
from tests.test_quantization import CHIP, convolutional, spikes

FILES = ["net.loihi2.nir", "net.nir", "placement.json", "report.html", "report.json"]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    write_graph(convolutional(np.random.default_rng(7)), folder / "float.nir")
    np.savez(folder / "data.npz", spikes=spikes(10, 12, 2, 8, 8), labels=np.arange(10) % 5)
    np.savez(folder / "other.npz", spikes=spikes(4, 12, 2, 8, 8, seed=1))
    return folder


@pytest.fixture
def go(inputs, tmp_path):
    """Return a function that deploys the small network into ``out``, without Lava unless told."""

    def call(source="float.nir", chip="loihi2", data="data.npz", out="out", **options):
        return deploy(inputs / source, chip, inputs / data, tmp_path / out, **({"lava": "off"} | options))

    return call


@pytest.fixture(scope="module")
def done(inputs, tmp_path_factory):
    steps: list[str] = []
    folder = tmp_path_factory.mktemp("outputs") / "deep" / "out"
    options = {"lava": "off", "parity_samples": 3, "progress": steps.append}
    return deploy(inputs / "float.nir", "loihi2", inputs / "data.npz", folder, **options), steps


def entries(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def as_lava(monkeypatch, run):
    monkeypatch.setitem(BACKENDS, "lava", (lambda: run, Network))


def pretend(change=lambda recording: recording):
    """Return a witness that answers as the golden model does, after ``change``."""

    def run(network, given, record):
        recording = golden.run(network, given, record)
        return replace(change(recording), backend="lava", versions={"lava-nc": "0.10.0"})

    return run


def test_every_file_is_there_and_can_be_read(done):
    result, steps = done
    assert entries(result.directory) == FILES
    assert sorted(path.name for path in result.files) == FILES
    assert tuple(steps) == STEPS == tuple(result.seconds)
    assert json.loads((result.directory / "report.json").read_text()) == result.report
    assert json.loads((result.directory / "placement.json").read_text())["fits"] is True
    assert entries(result.directory.parent) == ["out"]
    assert result.directory.stat().st_mode & 0o055, "an ordinary folder, not a private one"


def test_figures_are_those_of_the_steps_done_one_by_one(done, inputs):
    result, _ = done
    report, events = result.report, read_events(inputs / "data.npz")
    graph, network = read_graph(result.directory / "net.nir"), read_network(result.directory / "net.loihi2.nir")
    integer, real = simulate(network, events.spikes), simulate(graph, events.spikes, "float")
    assert report["accuracy"] == {
        "float": real.accuracy(events.labels),
        "integer": integer.accuracy(events.labels),
        "samples": 10,
    }
    assert report["agreement"]["equal_answers"] == np.sum(real.predictions() == integer.predictions())
    for layer in report["layers"]:
        assert layer["spikes"] == pytest.approx(integer.spikes[layer["name"]].sum() / 10)
        assert layer["rate"] == pytest.approx(integer.spikes[layer["name"]].mean())
    assert report["placement"]["cores_used"] == map_network(network, CHIP).cores_used == len(report["cores"])
    for name in ("spikes", "synaptic_operations"):
        assert sum(layer[name] for layer in report["layers"]) == pytest.approx(report["estimate"][name])


def test_parity_covers_u_v_and_s_of_every_neuron_and_step(done):
    (row,) = done[0].report["parity"]
    assert (row["equal"], row["differing"], row["quantities"]) == (True, 0, ["s", "u", "v"])
    assert row["backends"] == ["emulator", "golden"]
    assert row["cells"] == 3 * 3 * 12 * (4 * 8 * 8 + 5)


def test_same_inputs_same_bytes(done, go):
    again = go(parity_samples=3)
    for name in FILES:
        assert (again.directory / name).read_bytes() == (done[0].directory / name).read_bytes(), name


def test_calibration_is_the_first_half_and_says_so(go, inputs):
    report = go().report
    assert report["calibration"]["samples"] == 5
    assert report["calibration"]["chosen"] == "the first 5 of the 10 data samples, which are measured as well"
    graph = load(inputs / "float.nir")
    peaks = quantize(graph, CHIP, read_events(inputs / "data.npz").first(5).spikes).provenance["quantization"]
    assert report["quantization"] == peaks


def test_calibration_from_a_file_of_its_own(go, inputs):
    report = go(calibration=inputs / "other.npz").report
    assert (report["calibration"]["file"], report["calibration"]["samples"]) == ("other.npz", 4)


def test_without_labels_there_is_no_accuracy(go):
    result = go(data="other.npz")
    assert result.report["accuracy"] is None
    assert "no labels" in (result.directory / "report.html").read_text()


def test_fewer_samples_than_are_there(go):
    report = go(samples=4).report
    assert (report["samples"], report["accuracy"]["samples"], report["parity"][0]["samples"]) == (4, 4, 4)


@pytest.mark.parametrize(
    "choices",
    [{"share": True}, {"optimize": "latency"}, {"margin": 0.5, "partition": "given"}],
    ids=["share", "latency", "margin"],
)
def test_the_mapping_is_the_one_asked_for(go, inputs, choices):
    result = go(chip="loihi1", **choices)
    events = read_events(inputs / "data.npz")
    rates = simulate(result.network, events.spikes).rates() if "optimize" in choices else None
    expected = map_network(result.network, load_chip("loihi1"), rates=rates, **choices)
    assert result.report["placement"]["cores_used"] == expected.cores_used
    placement = json.loads((result.directory / "placement.json").read_text())
    assert placement == json.loads(json.dumps(expected.as_dict(cores=True)))
    plain = map_network(result.network, load_chip("loihi1"))
    assert placement != json.loads(json.dumps(plain.as_dict(cores=True)))
    if "share" in choices:
        assert expected.cores_used < plain.cores_used


def test_a_quantized_source_is_taken_as_it_is(go, inputs):
    network = quantize(load(inputs / "float.nir"), CHIP)
    write_network(network, inputs / "quantized.nir", force=True)
    report = go("quantized.nir").report
    assert report["source"]["kind"] == "quantized network"
    assert report["calibration"] is None
    assert any("is quantized" in note for note in report["notes"])


def test_a_network_quantized_for_another_chip_is_refused(go, inputs):
    write_network(quantize(load(inputs / "float.nir"), chips.load_chip("loihi1")), inputs / "one.nir", force=True)
    with pytest.raises(UsageError, match="is quantized for loihi1, not for loihi2; give the float network"):
        go("one.nir")


def test_a_checkpoint_is_exported_proved_and_deployed(inputs, tmp_path):
    import torch

    from neurodeploy.models.checkpoint import Checkpoint, save_checkpoint
    from neurodeploy.models.convnet import build_model
    from neurodeploy.models.recipe import load_recipe

    torch.manual_seed(0)
    recipe = load_recipe("digits", ("layers.0.channels=4", "layers.4.channels=4"))
    model = build_model(recipe)
    save_checkpoint(tmp_path / "model.safetensors", Checkpoint(recipe, 1, model.state_dict()))
    np.savez(tmp_path / "data.npz", spikes=spikes(3, 16, 1, 8, 8, density=0.6))
    result = deploy(tmp_path / "model.safetensors", "loihi2", tmp_path / "data.npz", tmp_path / "out", lava="off")
    assert result.report["proof"]["cells"] == 3 * 16 * (4 * 64 + 4 * 16 + 10)
    assert result.report["source"]["kind"] == "checkpoint"
    assert any("batch normalisation folded" in note for note in result.report["notes"])


def test_a_reset_that_the_chip_lacks_is_taken_as_the_nearest_only_on_request(go, inputs, tmp_path):
    graph = convolutional(np.random.default_rng(7))
    own = {name: graph.nodes[name] for name in ("n1", "n2")}
    delayed = {
        n: replace(node, semantics=Semantics(reset="subtract", reset_when="next-step")) for n, node in own.items()
    }
    write_graph(replace(graph, nodes={**graph.nodes, **delayed}), inputs / "delayed.nir")
    with pytest.raises(Unsupported, match="--approximate-reset"):
        go("delayed.nir")
    assert entries(tmp_path) == []
    report = go("delayed.nir", approximate_reset=True).report
    assert [row["name"] for row in report["approximation"]] == ["n1", "n2"]
    assert all(row["cells"] and row["spikes_before"] for row in report["approximation"])
    assert any("n1: approximated" in note and "spikes became" in note for note in report["notes"])


def test_lava_is_consulted_where_it_is_there(go, monkeypatch):
    as_lava(monkeypatch, pretend())
    report = go(lava="auto").report
    assert report["lava"] == {"consulted": True, "versions": {"lava-nc": "0.10.0"}}
    assert [row["backends"] for row in report["parity"]] == [["emulator", "golden"], ["emulator", "lava"]]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (
            BackendMissing("Lava", "is not installed at /somewhere", "run `neurodeploy lava install`"),
            "it is missing here",
        ),
        (Unsupported("c1", "has weights that Lava does not hold", "use the emulator"), "c1: has weights"),
    ],
)
def test_lava_that_cannot_answer_is_stated_or_an_error(go, monkeypatch, tmp_path, error, reason):
    def run(*_):
        raise error

    as_lava(monkeypatch, run)
    with pytest.raises(type(error)):
        go(lava="require")
    assert entries(tmp_path) == []
    result = go(lava="auto")
    assert result.report["lava"]["consulted"] is False
    assert result.report["lava"]["reason"].startswith(reason)
    page = (result.directory / "report.html").read_text()
    assert "Lava was not consulted" in page
    assert "/somewhere" not in page


def test_a_witness_that_differs_ends_it_with_nothing_written(go, monkeypatch, tmp_path):
    def flip(recording):
        v = {name: values.copy() for name, values in recording.v.items()}
        v["n2"][1, 2, 3] += 1
        return replace(recording, v=v)

    as_lava(monkeypatch, pretend(flip))
    with pytest.raises(NotEqual, match=r"sample 1, step 2, population n2, neuron \[3\]: v is"):
        go(lava="auto")
    assert entries(tmp_path) == []


def test_a_network_that_does_not_fit_writes_nothing_and_keeps_what_was_there(go, tmp_path):
    before = go().directory.joinpath("report.json").read_bytes()
    text = (Path(chips.__file__).parent / "loihi2.toml").read_text()
    text = re.sub(
        r"^usable_cores = .*$",
        'usable_cores = { value = 1, unit = "core", class = "assumed", source = "tool" }',
        text,
        flags=re.M,
    )
    text = re.sub(
        r"^chips_max = .*$",
        'chips_max = { value = 1, unit = "chip", class = "assumed", source = "tool" }',
        text,
        flags=re.M,
    )
    (tmp_path / "tiny.toml").write_text(text)
    with pytest.raises(DoesNotFit, match="cores"):
        go(chip=tmp_path / "tiny.toml", force=True)
    assert entries(tmp_path) == ["out", "tiny.toml"]
    assert (tmp_path / "out" / "report.json").read_bytes() == before


def test_an_earlier_output_is_replaced_only_with_force(go, tmp_path):
    go(samples=4)
    with pytest.raises(UsageError, match=r"already exists; .* --force"):
        go()
    assert go(force=True).report["samples"] == 10
    assert json.loads((tmp_path / "out" / "report.json").read_text())["samples"] == 10
    assert entries(tmp_path) == ["out"]


def test_bad_data_leave_nothing(go, inputs, tmp_path):
    np.savez(inputs / "wrong.npz", spikes=spikes(2, 5, 7))
    with pytest.raises(InputError, match="the network takes"):
        go(data="wrong.npz")
    assert entries(tmp_path) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lava": "perhaps"}, "'perhaps' is none; one of auto, require, off"),
        ({"parity_samples": 0}, "parity_samples: is 0"),
        ({"samples": 0}, "samples: is 0"),
        ({"chip": "loihi3"}, "did you mean 'loihi"),
        ({"factory": "net:build"}, r"is for checkpoints, float.nir is a .nir file"),
        ({"optimize": "speed"}, "'speed' is no objective"),
        ({"partition": "metis"}, "'metis' is no way to order neurons"),
        ({"margin": 1.0}, "margin: is 1.0"),
        ({"share": True, "chip": "dynapcnn"}, "has one population to a core"),
        ({"share": True, "optimize": "latency", "chip": "loihi1"}, "is for the fewest cores, not for latency"),
    ],
)
def test_wrong_use_is_told_before_anything_runs(go, tmp_path, options, message):
    with pytest.raises(UsageError, match=message):
        go(**options)
    assert entries(tmp_path) == []


def test_a_source_of_another_kind_is_refused(go):
    with pytest.raises(InputError, match=r"has the suffix '.npz'; give a .nir or .net file, or a checkpoint"):
        go("data.npz")

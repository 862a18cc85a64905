"""A trained digits network without spikes becomes a spiking one: accuracy, report, and the way on to a chip."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest

from neurodeploy.errors import InputError, UsageError
from neurodeploy.export.onnx.coding import Coding, choose_coding
from neurodeploy.loading import load
from neurodeploy.npz import read_events
from neurodeploy.quantization import quantize
from neurodeploy.rate_conversion import Settings, convert_ann
from neurodeploy.simulation import simulate
from neurodeploy.targets.chip import load_chip
from tests.cli.conftest import run  # noqa: F401  # a fixture
from tests.export.onnx.files import Model, save_data


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """Return a folder with net.onnx, 64-48-32-10, train.npz (1,200 samples) and test.npz (300)."""
    from sklearn.datasets import load_digits
    from sklearn.neural_network import MLPClassifier

    folder = tmp_path_factory.mktemp("digits")
    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.data))
    inputs, labels = data.data[order].astype(np.float32), data.target[order].astype(np.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it stops before it has converged
        trained = MLPClassifier((48, 32), max_iter=30, random_state=0).fit(inputs[:1200], labels[:1200])
    model = Model("n", 64)
    for i, (weight, bias) in enumerate(zip(trained.coefs_, trained.intercepts_, strict=True)):
        model.add("Gemm", weight, bias, name=f"/fc{i}/Gemm")
        if i < 2:
            model.add("Relu", name=f"/relu{i}/Relu")
    model.add("Softmax", axis=1)
    model.save(folder / "net.onnx")
    save_data(folder / "train.npz", inputs[:1200], labels[:1200])
    save_data(folder / "test.npz", inputs[1200:1500], labels[1200:1500])
    return folder


def converted(digits, tmp_path, **settings):
    files = (digits / "net.onnx", tmp_path / "net.nir", digits / "train.npz")
    return convert_ann(*files, Settings(**{"levels": 16, **settings}), test=digits / "test.npz")


@pytest.mark.parametrize("settings", [{}, {"coding": "rate"}, {"readout": "membrane"}])
def test_accuracy_stays_within_two_points_at_32_steps(settings, digits, tmp_path):
    outcome = converted(digits, tmp_path, **settings)
    assert outcome.accuracy["float"] > 0.93
    assert outcome.accuracy["32"] > outcome.accuracy["float"] - 0.02
    assert outcome.agreement[32] > outcome.agreement[8] > outcome.agreement[4]
    assert list(outcome.agreement) == [4, 8, 16, 32]


def test_reset_to_zero_costs_and_says_so(digits, tmp_path):
    outcome = converted(digits, tmp_path, reset="zero")
    assert outcome.agreement[32] < 0.95
    assert any("reset to zero" in note for note in outcome.graph.notes)


def test_levels_are_reported_and_written(digits, tmp_path):
    outcome = converted(digits, tmp_path)
    assert set(outcome.levels) == {"relu0.Relu", "relu1.Relu"}
    assert min(outcome.levels.values()) > 0
    assert outcome.coding == Coding("payload", 1.0)
    read = load(tmp_path / "net.nir")
    assert read.metadata["rate_coding"] == "payload, one unit is 1.0"
    assert read.notes == outcome.graph.notes
    assert any("Softmax" in note for note in read.notes)


def test_converted_network_runs_in_a_chips_integers(digits, tmp_path):
    files = (digits / "net.onnx", tmp_path / "net.nir", digits / "train.npz")
    outcome = convert_ann(*files, Settings(levels=16), test=digits / "test.npz", encoded=tmp_path / "events.npz")
    events = read_events(tmp_path / "events.npz").first(100)
    network = quantize(load(tmp_path / "net.nir"), load_chip("loihi2"), events.spikes)
    recording = simulate(network, events.spikes)
    assert recording.accuracy(events.labels) > outcome.accuracy["float"] - 0.04


def test_command_line_reports_accuracy_against_length(run, digits, tmp_path):  # noqa: F811
    arguments = ("convert", digits / "net.onnx", "-o", tmp_path / "net.nir", "--calibrate", digits / "test.npz")
    outcome = run(*arguments, "--steps", "12", "--levels", "16", "--encoded", tmp_path / "events.npz")
    assert outcome.code == 0, outcome.err
    assert "accuracy of the float network: 9" in outcome.out
    assert "   12 steps: same answer" in outcome.out
    assert read_events(tmp_path / "events.npz").steps == 12
    document = json.loads(run(*arguments, "--steps", "8", "--coding", "rate", "--force", "--json").out)
    assert set(document["accuracy"]) == {"float", "4", "8"}
    assert document["coding"] == {"kind": "rate", "unit": 16.0}


def test_command_line_asks_for_what_it_needs(run, digits, tmp_path):  # noqa: F811
    wrong = run("convert", digits / "net.onnx", "-o", tmp_path / "net.nir")
    assert (wrong.code, "--calibrate: is missing" in wrong.err) == (2, True)
    wrong = run("convert", digits / "net.onnx", "-o", tmp_path / "net.nir", "--target", "loihi2")
    assert (wrong.code, "--target: is not for an .onnx file" in wrong.err) == (2, True)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.ones((2, 64))}, "but no 'inputs'"),
        ({"inputs": np.ones(64)}, "give numbers"),
        ({"inputs": np.full((2, 64), np.nan)}, "NaN or infinity"),
        ({"inputs": np.ones((2, 64)), "labels": np.ones(3, int)}, r"labels are int64 \[3\] for 2 samples"),
        ({"inputs": np.ones((2, 63))}, r"hold the shape \[2, 63\], the network takes \[samples, 64\]"),
        ({"inputs": np.zeros((2, 64))}, "are 0 throughout"),
    ],
)
def test_data_that_cannot_be_used_are_refused(arrays, message, digits, tmp_path):
    np.savez(tmp_path / "data.npz", **arrays)
    with pytest.raises((InputError, UsageError), match=message):
        convert_ann(digits / "net.onnx", tmp_path / "net.nir", tmp_path / "data.npz")
    assert not (tmp_path / "net.nir").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 0}, "--steps: is 0"),
        ({"percentile": 0.0}, "--percentile: is 0"),
        ({"levels": 0}, "--levels: is 0"),
        ({"coding": "morse"}, "'morse' is none; one of payload, rate"),
        ({"reset": "late"}, "'late' is none; one of subtract, zero"),
        ({"readout": "loud"}, "'loud' is none; one of spikes, membrane"),
        ({"max_pool": "yes"}, "'yes' is none"),
    ],
)
def test_settings_out_of_range_are_wrong_use(settings, message, digits, tmp_path):
    with pytest.raises(UsageError, match=message):
        convert_ann(digits / "net.onnx", tmp_path / "net.nir", digits / "test.npz", Settings(**settings))


def test_rates_are_spread_evenly_and_end_exactly():
    rates = np.linspace(0, 1, 41)[None]
    spikes = Coding("rate", 2.0).encode(rates * 2, 40)
    assert spikes.dtype == np.uint8
    counts = spikes.cumsum(axis=1)
    assert np.abs(counts - np.arange(1, 41)[:, None] * rates[:, None]).max() <= 0.5
    assert np.array_equal(counts[0, -1], np.arange(41))


def test_payloads_are_the_inputs_in_whole_units():
    inputs = np.array([[-3.0, 0.0, 1.2]])
    coding = choose_coding("payload", inputs, 30)
    assert coding.unit == pytest.approx(0.1)
    assert coding.encode(inputs, 2).tolist() == [[[-30, 0, 12]] * 2]
    with pytest.raises(UsageError, match="hold negative numbers; use --coding payload"):
        choose_coding("rate", inputs, 30)


def test_a_file_that_fixes_its_batch_is_fed_so(tmp_path):
    model = Model(4, 6)
    model.gemm(5, 6)
    model.add("Relu")
    model.gemm(3, 5)
    inputs = np.random.default_rng(0).random((10, 6))
    outcome = convert_ann(
        model.save(tmp_path / "net.onnx"), tmp_path / "net.nir", save_data(tmp_path / "d.npz", inputs), Settings(64)
    )
    assert outcome.samples == 10
    assert outcome.accuracy == {}
    assert outcome.agreement[64] >= 0.8

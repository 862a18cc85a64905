"""The verbs of the spine on a small network: what they print, write and answer."""

from __future__ import annotations

import csv
import json

import numpy as np

from neurodeploy.netfile import read_network
from neurodeploy.npz import read_npz


def test_help_lists_the_verbs(run):
    outcome = run("--help")
    assert outcome.code == 0
    for verb in (
        "train",
        "export",
        "convert",
        "quantize",
        "map",
        "simulate",
        "estimate",
        "deploy",
        "targets",
        "lava",
        "doctor",
    ):
        assert verb in outcome.out
        assert run(verb, "--help").code == 0


def test_quantize_writes_and_explains(run, files):
    arguments = ("quantize", files / "float.nir", "--target", "loihi1", "--calibrate", files / "data.npz")
    outcome = run(*arguments, "-o", files / "out.nir", "--values", files / "values.csv")
    assert outcome.code == 0
    assert "peak |u|" in outcome.out
    assert read_network(files / "out.nir").target == "loihi1"
    with (files / "values.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    weights = [row for row in rows if row["parameter"] == "weight fc"]
    assert len(weights) == 5 * 256
    assert all(abs(float(row["restored"]) - float(row["float"]) - float(row["error"])) < 1e-12 for row in weights)


def test_quantize_json(run, files):
    arguments = ("quantize", files / "float.nir", "--target", "loihi2", "--calibrate", files / "data.npz")
    document = json.loads(run(*arguments, "-o", files / "out.nir", "--json").out)
    assert document["schema"] == 1
    assert [row["name"] for row in document["populations"]] == ["n1", "n2"]
    assert {"weight_bits", "threshold", "calibration"} <= set(document["populations"][0])
    assert set(document["accuracy"]) == {"float", "integer"}


def test_simulate_counts_wraps_and_saturations_or_says_that_it_does_not(run, files):
    given = ("simulate", "--input", files / "data.npz")
    counted = {}
    for backend in ("emulator", "golden", "onnx"):
        document = json.loads(run(*given, files / "net.nir", "--backend", backend, "--json").out)
        assert document["uncounted"] is None
        counted[backend] = [(row["wraps"], row["clips"]) for row in document["populations"]]
    assert counted["emulator"] == counted["golden"] == counted["onnx"]
    document = json.loads(run(*given, files / "float.nir", "--backend", "float", "--json").out)
    assert document["uncounted"] == "the backend float has no registers that could wrap or saturate"
    assert {row["wraps"] for row in document["populations"]} == {None}
    outcome = run(*given, files / "float.nir", "--backend", "float")
    assert "wraps and saturations are not counted: the backend float has no registers" in outcome.out


def test_simulate_records_what_is_asked(run, files):
    outcome = run(
        "simulate", files / "net.nir", "--input", files / "data.npz", "--record", "s,v", "-o", files / "r.npz"
    )
    assert outcome.code == 0
    assert "accuracy" in outcome.out
    arrays = read_npz(files / "r.npz")
    assert set(arrays) == {"output", "s/n1", "s/n2", "v/n1", "v/n2"}
    assert arrays["s/n1"].shape == (6, 12, 4, 8, 8)
    assert arrays["v/n1"].dtype == np.int32
    assert np.array_equal(arrays["output"], arrays["s/n2"])


def test_simulate_compares(run, files):
    arguments = ("simulate", files / "net.nir", "--input", files / "data.npz", "--compare", "golden")
    outcome = run(*arguments)
    assert outcome.code == 0
    assert "equal over" in outcome.out
    document = json.loads(run(*arguments, "--json").out)
    assert document["equal"] is True
    assert document["cells"] == 3 * 6 * 12 * (256 + 5)
    assert document["first_difference"] is None
    alone = json.loads(run(*arguments[:-2], "--json").out)
    assert document["populations"] == alone["populations"]
    assert [row["name"] for row in document["populations"]] == ["n1", "n2"]


def test_a_difference_exits_1_and_names_the_cell(run, files):
    outcome = run(
        "simulate",
        files / "float.nir",
        "--input",
        files / "data.npz",
        "--target",
        "loihi2",
        "--compare",
        "float",
        "--json",
    )
    document = json.loads(outcome.out)
    assert outcome.code == (0 if document["equal"] else 1)
    if not document["equal"]:
        assert set(document["first_difference"]) == {"sample", "step", "population", "neuron", "quantity", "values"}


def test_float_backend_runs_the_graph(run, files):
    outcome = run("simulate", files / "float.nir", "--input", files / "data.npz", "--backend", "float", "--json")
    assert outcome.code == 0
    assert json.loads(outcome.out)["backend"] == "float"


def test_inspect_tells_float_from_integer(run, files):
    assert "float graph" in run("inspect", files / "float.nir").out
    document = json.loads(run("inspect", files / "net.nir", "--json").out)
    assert document["kind"] == "integer network"
    assert [row["latency"] for row in document["rows"]] == [1, 2]

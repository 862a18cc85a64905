"""Integer networks as .onnx files, from Python and on the command line."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest

from neurodeploy.errors import InputError, UsageError
from neurodeploy.export.onnx.writing import write_onnx
from neurodeploy.network import Projection
from neurodeploy.npz import read_npz
from neurodeploy.onnxgraph import require_onnxruntime
from tests.cli.conftest import files, run  # noqa: F401  # fixtures
from tests.random_networks import random_network


def test_same_network_same_bytes(tmp_path):
    for form in ("scan", "step"):
        paths = [tmp_path / f"{form}{i}.onnx" for i in range(2)]
        for path in paths:
            write_onnx(random_network(1), path, form=form)
        assert paths[0].read_bytes() == paths[1].read_bytes()
        onnx.checker.check_model(onnx.load(paths[0]), full_check=True)


def test_wrong_use_leaves_no_file(tmp_path):
    network = random_network(0)
    with pytest.raises(UsageError, match=r"ends in \.onnx"):
        write_onnx(network, tmp_path / "net.nir")
    with pytest.raises(UsageError, match="'loop' is none; one of scan, step"):
        write_onnx(network, tmp_path / "net.onnx", form="loop")
    with pytest.raises(UsageError, match=r"\['w'\] cannot be recorded"):
        write_onnx(network, tmp_path / "net.onnx", record=("w",))
    broken = type(network)(network.ports, network.populations, (Projection("p", "a", "z", None),), ("c",))
    with pytest.raises(InputError, match="ends at 'z'"):
        write_onnx(broken, tmp_path / "net.onnx")
    (tmp_path / "old.onnx").write_bytes(b"old")
    with pytest.raises(UsageError, match="already exists"):
        write_onnx(network, tmp_path / "old.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["old.onnx"]


def test_convert_writes_what_onnxruntime_runs(run, files):  # noqa: F811
    arguments = (
        "convert",
        files / "net.nir",
        "-o",
        files / "net.onnx",
        "--record",
        "v",
        "--payload",
        "uint8",
        "--json",
    )
    document = json.loads(run(*arguments).out)
    assert document["output"] == str(files / "net.onnx")
    assert (
        run("simulate", files / "net.nir", "--input", files / "data.npz", "--record", "v", "-o", files / "r.npz").code
        == 0
    )
    session = require_onnxruntime().InferenceSession(str(files / "net.onnx"))
    (port,) = session.get_inputs()
    found = session.run(["s/n2", "v/n1"], {port.name: read_npz(files / "data.npz")["spikes"].astype(np.uint8)})
    kept = read_npz(files / "r.npz")
    assert np.array_equal(found[0], kept["output"])
    assert np.array_equal(found[1], kept["v/n1"])


def test_convert_says_what_is_missing_or_too_much(run, files):  # noqa: F811
    float_network = run("convert", files / "float.nir", "-o", files / "net.onnx")
    assert (float_network.code, "give --target CHIP to quantize it" in float_network.err) == (2, True)
    assert (
        run("convert", files / "float.nir", "-o", files / "net.onnx", "--target", "loihi2", "--form", "step").code == 0
    )
    wrong = run("convert", files / "net.nir", "-o", files / "net.net", "--form", "step")
    assert (wrong.code, "--form: is for a .onnx; leave it out" in wrong.err) == (2, True)
    wrong = run("convert", files / "net.nir", "-o", files / "b.onnx", "--steps", "3")
    assert (wrong.code, "--steps: is for an .onnx file" in wrong.err) == (2, True)
    assert not (files / "net.net").exists()


def test_simulate_runs_on_onnx(run, files):  # noqa: F811
    arguments = ("simulate", files / "net.nir", "--input", files / "data.npz", "--backend", "onnx")
    document = json.loads(run(*arguments, "--compare", "golden", "--json").out)
    assert document["equal"] is True
    assert document["backend"] == "onnx"
    assert set(document["versions"]) == {"onnx", "onnxruntime"}
    assert "accuracy" in run(*arguments).out

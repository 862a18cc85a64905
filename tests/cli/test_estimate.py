import json

import numpy as np
import pytest

from neurodeploy.cli import main
from neurodeploy.npz import write_npz
from tests.chains import chain, conv, dense
from tests.test_activity import record

NETWORK = chain((2, 6, 6), conv(4, 2, 3), dense(5, 64))


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Run ``neurodeploy estimate`` on a network with a recording in place of a simulation."""
    path = tmp_path / "data.npz"
    write_npz(path, {"spikes": np.ones((3, 5, 2, 6, 6), dtype=np.uint8)})

    def call(network, *arguments):
        seen = {}

        def simulate(_network, spikes, backend, record_quantities=(), **_options):
            seen["backend"] = backend
            samples = next(iter(spikes.values())).shape[0]
            return record(network, samples=samples, steps=5)

        monkeypatch.setattr("neurodeploy.cli.estimate.open_network", lambda *_, **__: network)
        monkeypatch.setattr("neurodeploy.simulation.simulate", simulate)
        with pytest.raises(SystemExit) as ended:
            main(["estimate", "net.nir", "--input", str(path), *arguments])
        captured = capsys.readouterr()
        return ended.value.code, captured.out, captured.err, seen

    return call


def test_json_has_the_promised_keys(run):
    code, out, _, seen = run(NETWORK, "--target", "loihi2", "--json", "--samples", "2")
    document = json.loads(out)
    assert (code, seen["backend"]) == (0, "emulator")
    assert (document["samples"], document["steps"], document["source_class"]) == (2, 5, "extrapolated")
    assert document["energy_joule"]["dynamic"]["low"] < document["energy_joule"]["dynamic"]["high"]
    assert document["latency_second"]["nominal"] > 0
    assert [part["name"] for part in document["populations"]] == ["l1", "l2"]


def test_extrapolated_figures_are_shown_to_one_digit(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    code, out, _, _ = run(NETWORK, "--target", "loihi2")
    assert code == 0
    (line,) = [line for line in out.splitlines() if "dynamic energy" in line]
    figures = [cell.split()[0] for cell in line.strip("│┃| ").split("│")[1:]]
    assert len(figures) == 3
    assert all(len(figure.strip("0.")) == 1 for figure in figures)
    assert "loihi2: extrapolated" in out
    assert "arithmetic only, not this chip's energy" in out
    assert "left out: spike input and output" in out


def test_network_that_does_not_fit_is_not_simulated(run):
    code, out, err, seen = run(chain((2, 60, 60), dense(5, 7200)), "--target", "loihi1", "--json")
    assert (code, out, seen) == (1, "", {})
    assert "l1: needs 7,200 in_axons" in err


def test_neurobench_figures_stand_beside(files, capsys):
    arguments = ["estimate", str(files / "net.nir"), "--input", str(files / "data.npz"), "--target", "loihi2"]
    outputs = []
    for extra in (["--neurobench", "--json"], ["--neurobench"], ["--optimize", "latency", "--json"]):
        with pytest.raises(SystemExit) as ended:
            main([*arguments, *extra])
        assert not ended.value.code
        outputs.append(capsys.readouterr().out)
    document = json.loads(outputs[0])
    figures = document["neurobench"]
    assert figures["synops_hw"] == pytest.approx(document["synaptic_operations"])
    assert figures["synaptic_operations"].keys() == {"dense", "effective_macs", "effective_acs"}
    assert figures["membrane_updates"] > 0
    assert "membrane updates" in outputs[1]
    fast = json.loads(outputs[2])
    assert "neurobench" not in fast
    assert fast["step_second"]["nominal"] <= document["step_second"]["nominal"]


def test_conventions_of_others_and_measured_times(run):
    code, out, _, _ = run(NETWORK, "--target", "loihi2", "--json", "--measured", "10")
    document = json.loads(out)
    assert (code, document["host_bound"]) == (0, True)
    assert document["conventions"].keys() == {"operations_45nm_joule", "keras_spiking_joule", "ndns_proxy_operations"}
    assert not json.loads(run(NETWORK, "--target", "loihi2", "--json", "--measured", "1e-6")[1])["host_bound"]
    _, out, _, _ = run(NETWORK, "--target", "loihi2", "--measured", "10")
    text = " ".join(out.split())
    for phrase in (
        "order of magnitude",
        "keras-spiking's devices",
        "N-DNS proxy",
        "the host or its link sets the pace",
    ):
        assert phrase in text

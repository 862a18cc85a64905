"""``neurodeploy deploy`` from the outside: stdout, stderr, exit codes."""

from __future__ import annotations

import json
import re

import pytest

from neurodeploy.network import Network
from neurodeploy.simulation import BACKENDS
from neurodeploy.targets.emulator import golden


@pytest.fixture
def deploy(run, files):
    """Return a function that deploys the small network, without Lava unless told."""

    def call(*more, source="float.nir", out="out"):
        base = ("deploy", files / source, "--target", "loihi2", "--data", files / "data.npz", "-o", files / out)
        return run(*base, *(more if "--lava" in more else ("--lava", "off", *more)))

    return call


def test_the_table_and_the_summary_are_the_report(deploy, files):
    outcome = deploy("--parity-samples", "2")
    report = json.loads((files / "out" / "report.json").read_text())
    assert outcome.code == 0
    for layer in report["layers"]:
        assert re.search(rf"{layer['name']} .*{layer['spikes']:,.1f}", outcome.out)
    accuracy = report["accuracy"]
    assert f"{accuracy['float']:.2%}".replace("%", " %") + " in float" in outcome.out
    assert f"emulator = golden over {2 * 3 * 12 * 261:,} cells" in outcome.out
    assert "Lava was not consulted: it was switched off" in outcome.out
    assert "extrapolated" in outcome.out
    for name in ("net.nir", "net.loihi2.nir", "placement.json", "report.json", "report.html"):
        assert name in outcome.out


def test_json_is_the_report_and_nothing_else(deploy, files):
    outcome = deploy("--json")
    assert outcome.out == (files / "out" / "report.json").read_text()
    assert json.loads(outcome.out)["schema"] == 1


def test_the_options_of_map_are_those_of_deploy(deploy, files):
    assert deploy("--quiet", "--share", "--margin", "0.1", "--partition", "given").code == 0
    placement = json.loads((files / "out" / "placement.json").read_text())
    assert (placement["share"], placement["margin"], placement["optimize"]) == (True, 0.1, "cores")
    assert deploy("--quiet", "--force", "--optimize", "energy").code == 0
    assert json.loads((files / "out" / "placement.json").read_text())["optimize"] == "energy"
    refused = deploy("--force", "--optimize", "energy", "--share")
    assert (refused.code, "--share: is for the fewest cores, not for energy" in refused.err) == (2, True)


def test_quiet_says_nothing(deploy):
    outcome = deploy("--quiet")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")


def test_an_output_that_exists_needs_force(deploy):
    assert deploy("--quiet").code == 0
    again = deploy("--quiet")
    assert again.code == 2
    assert "--force" in again.err
    assert deploy("--quiet", "--force").code == 0


def test_a_difference_ends_with_one_and_no_folder(deploy, files, monkeypatch):
    def wrong(network, given, record):
        recording = golden.run(network, given, record)
        recording.u["n1"][0, 0, 0, 0, 0] += 1
        return recording

    monkeypatch.setitem(BACKENDS, "lava", (lambda: wrong, Network))
    outcome = deploy("--lava", "auto", "--quiet")
    assert outcome.code == 1
    assert "population n1, neuron [0, 0, 0]: u is" in outcome.err
    assert not (files / "out").exists()


def test_a_network_that_does_not_fit_ends_with_one(run, files, monkeypatch):
    from neurodeploy.targets import chip

    text = (chip._PACKAGED / "loihi2.toml").read_text()
    for key, unit in (("usable_cores", "core"), ("chips_max", "chip")):
        number = f'{key} = {{ value = 1, unit = "{unit}", class = "assumed", source = "tool" }}'
        text = re.sub(rf"^{key} = .*$", number, text, flags=re.M)
    (files / "tiny.toml").write_text(text)
    arguments = ("--target", files / "tiny.toml", "--data", files / "data.npz", "-o", files / "out", "--quiet")
    outcome = run("deploy", files / "float.nir", *arguments)
    assert outcome.code == 1
    assert "allows 1" in outcome.err
    assert not (files / "out").exists()


def test_a_missing_source_is_named(deploy):
    outcome = deploy(source="none.nir")
    assert outcome.code == 3
    assert "none.nir: no such file" in outcome.err

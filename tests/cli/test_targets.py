import json

import pytest

from neurodeploy.cli import main


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(["targets", *arguments])
    captured = capsys.readouterr()
    return ended.value.code, captured.out, captured.err


def test_list(capsys):
    code, out, _ = run(capsys)
    assert code == 0
    assert "loihi1" in out
    assert "loihi2" in out
    code, out, _ = run(capsys, "--json")
    assert {"loihi1", "loihi2", "hala-point"} <= {row["name"] for row in json.loads(out)["targets"]}


def test_show_gives_unit_class_and_source(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    code, out, _ = run(capsys, "show", "loihi1")
    assert code == 0
    assert "energy.neuron_active" in out
    assert "simulated" in out
    assert "Davies et al." in out
    code, out, _ = run(capsys, "show", "loihi2", "--json")
    document = json.loads(out)
    assert document["numbers"]["limits.neurons"]["value"] == 4095
    assert document["numbers"]["energy.hop_x"]["class"] == "extrapolated"


def test_show_of_an_unknown_chip(capsys):
    code, out, err = run(capsys, "show", "truenorth")
    assert (code, out) == (2, "")
    assert "truenorth: is neither a chip" in err


def test_template_is_written_once_and_can_be_shown(capsys, tmp_path):
    path = tmp_path / "my_chip.toml"
    assert run(capsys, "template", "-o", str(path))[0] == 0
    code, _, err = run(capsys, "template", "-o", str(path))
    assert (code, "already exists" in err) == (2, True)
    assert run(capsys, "template", "-o", str(path), "--force")[0] == 0
    code, out, _ = run(capsys, "template")
    assert (code, out) == (0, path.read_text())
    code, out, _ = run(capsys, "show", str(path), "--json")
    assert (code, json.loads(out)["name"]) == (0, "my-chip")


def test_list_says_which_chips_have_energies(capsys):
    _, out, _ = run(capsys)
    assert "no energies known" in next(line for line in out.splitlines() if "dynapcnn" in line)

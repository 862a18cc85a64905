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
    assert [row["name"] for row in json.loads(out)["targets"]] == ["loihi1", "loihi2"]


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

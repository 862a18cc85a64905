import json
import subprocess
import sys

import nir
import pytest
import torch

from neurodeploy.cli import main

FACTORY = """
import snntorch as snn
from torch import nn
print("this must not reach stdout")
def build():
    return nn.Sequential(nn.Linear(6, 5), snn.Leaky(beta=0.8, init_hidden=True))
def convolution():
    return nn.Sequential(nn.Conv2d(2, 3, 3), snn.Leaky(beta=0.8, init_hidden=True))
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cli_net.py").write_text(FACTORY)
    monkeypatch.syspath_prepend(str(tmp_path))
    import cli_net

    for name in ("build", "convolution"):
        torch.manual_seed(0)
        net = getattr(cli_net, name)()
        with torch.no_grad():
            net[0].weight.mul_(3)
        torch.save(net.state_dict(), tmp_path / f"{name}.pt")
    yield tmp_path
    sys.modules.pop("cli_net", None)


def call(capsys, *arguments):
    """Return exit code, stdout and stderr of one call in this process."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as exit_:
        main(["export", *map(str, arguments)])
    captured = capsys.readouterr()
    return exit_.value.code or 0, captured.out, captured.err


def test_a_network_of_the_user(folder, capsys):
    code, out, err = call(capsys, "build.pt", "-o", "net.nir", "--factory", "cli_net:build")
    assert code == 0, err
    assert "proved against the trained model over 2,000 cells: all equal" in out
    assert "must not reach" not in out
    assert set(nir.read("net.nir").nodes) == {"input", "0", "1", "output"}


def test_json(folder, capsys):
    code, out, _ = call(
        capsys, "build.pt", "-o", "net.nir", "--factory", "cli_net:build", "--json", "--steps", 7, "--dt", 1e-3
    )
    document = json.loads(out)
    assert code == 0
    assert document["proof"] == {"cells": 8 * 7 * 5, "equal": True, "ties": 0}
    assert (document["nodes"], document["neurons"], document["parameters"], document["dt"]) == (4, 5, 35, 1e-3)
    assert document["semantics"]["1"]["reset_when"] == "next-step"
    assert document["notes"] == []


def test_quiet(folder, capsys):
    assert call(capsys, "build.pt", "-o", "net.nir", "--factory", "cli_net:build", "--quiet")[:2] == (0, "")


def test_the_shape_of_a_convolution_must_be_given(folder, capsys):
    given = ("convolution.pt", "-o", "net.nir", "--factory", "cli_net:convolution")
    code, _, err = call(capsys, *given)
    assert code == 2
    assert "--input-shape" in err
    assert "2,N,N" in err
    assert call(capsys, *given, "--input-shape", "2,5,5")[0] == 0
    assert call(capsys, *given, "--input-shape", "2,5,x", "--force")[0] == 2
    assert call(capsys, *given, "--input-shape", "3,5,5", "--force")[0] == 3


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["build.pt", "-o", "net.nir"], 3, "build.pt"),
        (["none.pt", "-o", "net.nir", "--factory", "cli_net:build"], 3, "no such file"),
        (["build.pt", "-o", "net.nir", "--factory", "cli_net:nothing"], 2, "no function 'nothing'"),
        (["build.pt", "-o", "net.nir", "--from", "snntorch"], 2, "add --factory"),
        (["build.pt", "-o", "net.nir", "--from", "ours", "--factory", "cli_net:build"], 2, "leave --factory out"),
        (["build.pt", "-o", "net.nir", "--from", "ours", "--input-shape", "6"], 2, "leave --input-shape out"),
        (["convolution.pt", "-o", "net.nir", "--factory", "cli_net:build"], 3, "'0.weight' has the shape"),
        (["build.pt", "-o", "no/such/net.nir", "--factory", "cli_net:build"], 2, "cannot be written"),
        (["build.pt", "-o", "net.nir", "--factory", "cli_net:build", "--dt", "0"], 2, "--dt"),
    ],
)
def test_wrong_use_has_its_exit_code_and_leaves_nothing(folder, capsys, arguments, code, message):
    found, out, err = call(capsys, *arguments)
    assert (found, out) == (code, "")
    assert message in err
    assert not (folder / "net.nir").exists()


def test_help_loads_no_framework():
    code = (
        "import sys; from neurodeploy.cli import main\n"
        "try: main(['export', '--help'])\n"
        "except SystemExit: pass\n"
        "assert not {'torch', 'numba', 'snntorch', 'nir'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--factory" in done.stdout

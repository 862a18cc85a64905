"""The README is true: its commands exist with these options, and its Python runs."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import numpy as np
import pytest

from neurodeploy.cli import VERBS, main, program
from neurodeploy.nirfile import write_graph
from tests.test_quantization import convolutional, spikes

README = (Path(__file__).resolve().parents[2] / "README.md").read_text()
COMMANDS = re.findall(r"^    (neurodeploy .*)$", README, re.MULTILINE)


def test_readme_opens_with_the_two_commands():
    assert README.index("make demo") < README.index("make test") < README.index("## The verbs")


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_are_accepted(line):
    _, verb, *arguments = shlex.split(line)
    command = program.get_command(click.Context(program), verb)
    assert command is not None
    command.make_context(verb, arguments)


def test_every_verb_is_told():
    assert COMMANDS
    for verb in VERBS:
        assert re.search(rf"`{verb}\b", README), f"README.md says nothing of {verb}"


def test_verbs_run_in_the_order_of_the_readme(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs/digits").mkdir(parents=True)
    data = spikes(6, 12, 2, 8, 8)
    for name in ("test", "calibration"):
        np.savez(tmp_path / f"runs/digits/{name}.npz", spikes=data, labels=np.arange(6) % 5)
    write_graph(convolutional(np.random.default_rng(8)), tmp_path / "digits.nir")
    for line in COMMANDS:
        arguments = shlex.split(line)[1:]
        if arguments[0] in ("train", "export"):
            continue  # they make the files that stand here already; tests of their own run them
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 0, capsys.readouterr().err
    code = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert code is not None
    exec(code.group(1), {})
    assert "equal=True" not in capsys.readouterr().err
    assert (tmp_path / "out/report.html").exists()

"""The script for one GPU runs on a processor, on small networks: our half here, the whole where SpikingJelly is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.benchmarks import environments, gpu_systems
from tests.benchmarks.gpu_systems import goals, main

INSTALLED = (environments.location(environments.SPIKINGJELLY) / "complete.json").is_file()


def test_without_a_gpu_it_says_so_and_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(gpu_systems.torch.cuda, "is_available", lambda: False)
    done = CliRunner().invoke(main, ["-o", str(tmp_path / "report.json")])
    assert (done.exit_code, done.stdout) == (2, "not run: no GPU\n")
    assert not list(tmp_path.iterdir())


def test_our_half_runs_without_spikingjelly(tmp_path):
    done = CliRunner().invoke(main, ["--device", "cpu", "--tiny", "--no-peer", "-o", str(tmp_path / "report.json")])
    assert done.exit_code == 0, done.output
    report = json.loads((tmp_path / "report.json").read_text())
    assert len(report["systems"]) == 3
    for found in [*report["systems"].values(), report["local"]]:
        for row in found["contestants"]:
            assert row["samples_per_second"]["median"] > 0, row
            assert row["peak_bytes"] > 0
    assert report["local"]["share_of_memory"] < 0.6  # of four steps one is kept, and of the units one group's
    assert [goal["met"] for goal in report["goals"][:3]] == [None] * 3
    assert "speed, spikingjelly = 1, goal >= 1.3: void" in done.stdout


@pytest.mark.skipif(not INSTALLED, reason="the environment of SpikingJelly is made by the benchmarks")
def test_the_same_networks_on_spikingjelly_fire_and_learn_alike(tmp_path):
    command = [sys.executable, "-m", "tests.benchmarks.gpu_systems", "--device", "cpu", "--tiny", "-o", "report.json"]
    paths = {"PYTHONPATH": os.pathsep.join([str(Path.cwd()), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env={**os.environ, **paths})
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["versions"]["spikingjelly"]
    for found in report["systems"].values():
        agreement = found["agreement"]
        assert agreement["spikes_differing"] == 0
        assert agreement["answers_difference"] == 0
        assert agreement["gradient_difference"] < 1e-4
        assert agreement["spikes"] > 0.01
        assert found["times_as_fast"]["median"] > 0
        ours, theirs = found["contestants"]
        assert (ours["name"], theirs["name"]) == ("neurodeploy", "spikingjelly")
        assert theirs["layout"] in ("channels_last", "contiguous")


def test_goals_are_met_missed_or_not_measured():
    systems = {"A": {"times_as_fast": {"median": 1.31}}, "B": {"times_as_fast": {"median": 1.29}}, "C": {}}
    found = goals(systems, {"share_of_memory": 0.26})
    assert [goal["met"] for goal in found] == [True, False, None, False]
    assert goals({}, {"share_of_memory": 0.25})[0]["met"]
    assert goals({}, {})[0]["met"] is None

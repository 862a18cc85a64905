"""The script for one GPU measures the trained systems beside the same networks on SpikingJelly's layers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path


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

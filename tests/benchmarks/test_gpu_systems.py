"""The script for one GPU runs on a processor, on small networks: our half here, the whole in ``tests/doors``."""

from __future__ import annotations

import json

from click.testing import CliRunner

from tests.benchmarks import gpu_systems
from tests.benchmarks.gpu_systems import goals, main


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


def test_goals_are_met_missed_or_not_measured():
    systems = {"A": {"times_as_fast": {"median": 1.31}}, "B": {"times_as_fast": {"median": 1.29}}, "C": {}}
    found = goals(systems, {"share_of_memory": 0.26})
    assert [goal["met"] for goal in found] == [True, False, None, False]
    assert goals({}, {"share_of_memory": 0.25})[0]["met"]
    assert goals({}, {})[0]["met"] is None

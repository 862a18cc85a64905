"""What is made of a run: ratios to ours, shares of the floor, goals, and the page that shows them."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from neurodeploy.errors import BackendMissing
from tests.benchmarks import contestants, emulator
from tests.benchmarks.contestants import KINDS, Contestant, Kind, find_pythons
from tests.benchmarks.page import write_page
from tests.benchmarks.summary import disturbed, summarise, verdicts

RATES = {
    "clock": {"1": 3e9, "2": 6e9},
    "additions": {"1": 1.2e10, "2": 2.4e10},
    "updates": {"1": 1e9, "2": 2e9},
    "multiplications": {"1": 1e9, "2": 2e9},
}
FACTS = {"events": 24e6, "updates": 1e6, "multiplications": 5e6}


def ran(name, batch, seconds, *, notes=(), **facts):
    kind = next(kind for kind in KINDS if kind.name == name)
    shown = {"shapes": [[2], [1]], "spikes": [3.0, 1.0], "first": 1.0, "peak_mib": 12.4, **facts}
    return Contestant(kind, batch, None, {}, list(seconds), shown, list(notes))


@pytest.fixture
def result():
    lava = [{"start_seconds": 0.5, "stop_seconds": 0.1}] * 3
    everyone = [
        ran("neurodeploy", 1, [1.0, 2.0, 4.0], **FACTS),
        ran("neurodeploy, 1 thread", 1, [0.004, 0.002, 0.008], **FACTS),
        ran("Lava", 1, [500.0, 900.0, 2000.0], notes=lava, versions={"lava-nc": "0.10.0"}),
        ran("Norse LIFCell", 1, [30.0, 20.0, 400.0]),
        ran("sinabs LIF", 1, [20.0, 60.0, 36.0]),
    ]
    failed = ran("SpikingJelly LIFNode", 1, [1.0])
    failed.problem = "it ended"
    return summarise([*everyone, failed], [RATES] * 3)


def report(result, **more):
    about = {"date": "2001-02-03T04:05:06+00:00", "processor": "a processor", "processors": 2, "system": "Linux"}
    run = {"rounds": 3, "turn_seconds": 0.25, "command": "python -m x", "versions": {"numpy": "9"}}
    return {**about, **run, "results": {"W1": result}, "notes": [], **more}


def test_ratios_are_medians_of_those_within_a_round(result):
    found = {row["name"]: row["ratio"]["median"] for row in result["contestants"]}
    assert found["Lava"] == 500.0
    assert found["Norse LIFCell"] == 30.0
    assert found["sinabs LIF"] == 20.0
    assert "SpikingJelly LIFNode" not in found


def test_the_floor_is_eight_additions_a_cycle_and_the_updates(result):
    row = next(row for row in result["contestants"] if row["name"] == "neurodeploy, 1 thread")
    assert row["floor"]["seconds"] == pytest.approx(24e6 / (8 * 3e9) + 1e6 / 1e9)
    assert row["floor"]["share"] == pytest.approx(0.002 / 0.004)
    assert row["floor"]["strict_share"] == pytest.approx(0.003 / 0.004)
    assert row["floor"]["dense_seconds"] == pytest.approx(5e-3)


def test_rounds_in_which_processors_share_their_cycles_are_named(result):
    half = {**RATES, "clock": {"1": 3e9, "2": 3.1e9}}
    alone = {**RATES, "clock": {"1": 3e9}}
    assert disturbed([RATES, half, RATES, half]) == [2, 4]
    assert disturbed([alone]) == []
    result["disturbed"] = [2, 4]
    assert "disturbed the machine** in round 2, 4." in write_page(report(result))


def test_every_goal_says_whether_it_is_met_or_was_not_measured(result):
    found = {(v.what, v.batch): (v.found, v.met, v.who) for v in verdicts({"W1": result})}
    assert found["Lava", 1] == (500.0, True, "Lava")
    assert found["best float library", 1] == (20.0, True, "sinabs LIF")
    assert found["best float library", 64] == (None, None, "")
    assert found["nengo-loihi", 1] == (None, None, "")
    assert found["share of the floor, one thread", 1][1] is True
    slower = json.loads(json.dumps(result))
    next(row for row in slower["contestants"] if row["name"] == "Lava")["ratio"]["median"] = 399.9
    assert {v.what: v.met for v in verdicts({"W1": slower})}["Lava"] is False


def test_the_page_puts_goals_beside_what_was_measured(result):
    page = write_page(report(result, notes=["nengo-loihi: left out, no Python 3.10"]))
    assert "| W1 | 1 | Lava | 400x | 500x | met |" in page
    assert "| W1 | 1 | best float library (sinabs LIF) | 20x | 20x | met |" in page
    assert "| W1 | 1 | nengo-loihi | 400x | - | not measured |" in page
    assert "| W1 | 1 | share of the floor, one thread | 50% | 50.0% | met |" in page
    assert "Lava took 0.50 s to start, 0.10 s to stop." in page
    assert "* nengo-loihi: left out, no Python 3.10" in page
    assert "2001-02-03" in page
    assert "lava-nc 0.10.0" in page


def test_a_page_is_rendered_from_the_json_alone(result, tmp_path):
    (tmp_path / "bench.json").write_text(json.dumps(report(result)))
    arguments = ["--render", str(tmp_path / "bench.json"), "--page", str(tmp_path / "page.md")]
    done = CliRunner().invoke(emulator.main, arguments)
    assert done.exit_code == 0, done.output
    assert "W1 batch 1 Lava: 500, goal 400: met" in done.output
    assert (tmp_path / "page.md").read_text() == write_page(json.loads(json.dumps(report(result))))


def test_a_peer_without_an_environment_is_left_out_with_one_line(monkeypatch):
    def missing(say):
        raise BackendMissing("Python 3.10", "was not found", "install one")

    def other(say):
        raise AssertionError("nobody asked for it")

    kinds = (Kind("nengo-loihi", "nengo", missing, (), lambda *_: {}), Kind("x", "x", other, (), lambda *_: {}))
    monkeypatch.setattr(contestants, "KINDS", kinds)
    said = []
    assert find_pythons({"nengo"}, said.append) == {}
    assert said == ["nengo-loihi: left out, Python 3.10: was not found"]


def test_who_computes_another_network_is_left_out():
    ours = ran("neurodeploy", 1, [])
    other_spikes, other_sizes = ran("Lava", 1, [], spikes=[3.0, 2.0]), ran("sinabs LIF", 1, [], shapes=[[2], [2]])
    flat, more = ran("Norse LIFCell", 1, [], shapes=[[2, 1], [1]], spikes=[9.0, 9.0]), ran("neurodeploy, events", 1, [])
    emulator.hold_together([ours, other_spikes, other_sizes, flat, more])
    assert other_spikes.problem == "fires [3.0, 2.0] times, ours [3.0, 1.0]"
    assert other_sizes.problem == "has populations of [2, 2] neurons"
    assert (ours.problem, flat.problem, more.problem) == ("", "", "")

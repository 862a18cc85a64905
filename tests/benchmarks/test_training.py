"""The benchmark of training: what its rounds say, and that ours takes part as the same network as others."""

from __future__ import annotations

from types import SimpleNamespace

from tests.benchmarks import waiting
from tests.benchmarks.training_results import summarise, training_page, verdicts


def entrant(name, seconds, kept, problem=""):
    facts = {"kept_mib": kept, "peak_mib": 10.0, "layout": "contiguous", "version": "1.0", "first": 1.0}
    return SimpleNamespace(name=name, seconds=seconds, facts=facts, problem=problem)


def report(ours=(1.0, 2.0, 3.0), kept=30.0):
    everyone = [
        entrant("ours", list(ours), kept),
        entrant("spikingjelly", [2.0, 4.4, 6.0], 50.0),
        entrant("norse", [4.0, 2.0, 9.0], 60.0),
        entrant("relu", [0.5, 0.5, 0.5], 20.0),
        entrant("sinabs", [], 0.0, "its process ended"),
    ]
    results = {"W2": summarise(everyone), "alone": summarise(everyone[:2])}
    head = {"date": "2026-11-21T00:00:00", "processors": 2, "processor": "P", "load": 2.5, "rounds": 3, "command": "c"}
    return {**head, "results": results}


def test_ratios_are_taken_within_rounds_and_the_best_peer_is_the_one_to_beat():
    speed, memory, alone, _ = verdicts(report()["results"])
    assert (speed.what, speed.found, speed.met) == ("W2, spikingjelly / ours", 2.0, True)
    assert (memory.found, memory.met) == (0.6, True)
    assert alone.found == 2.0
    assert alone.met is False


def test_a_missed_goal_is_said():
    speed, memory, *_ = verdicts(report(ours=(2.0, 4.0, 6.0), kept=45.0)["results"])
    assert "NOT MET" in speed.line()
    assert "NOT MET" in memory.line()


def test_a_loop_that_waits_says_how_long():
    overrides = (
        "test_samples=1600",
        "calibration_samples=20",
        "layers=[{kind='flatten'}, {kind='linear', features=10}, {kind='lif'}]",
    )
    found = waiting.measure("digits", 1, 3, overrides)
    assert found["steps"] == 3
    assert 0 <= found["waited"] < found["seconds"]
    busy = {**found, "seconds": 2.0, "waited": 0.05, "share": 0.025}
    assert waiting.verdict(busy).met
    assert waiting.verdict({**busy, "share": 0.06}).met is False
    assert "3 steps at 1.50 a second, each of which waited 16.67 ms, 2.50% of" in waiting.section(busy)


def test_the_page_names_who_was_left_out():
    page = training_page(report())
    assert "sinabs was left out: its process ended." in page
    assert "load average was 2.5 when it began" in page
    assert "| norse 1.0 | 4000.0 | 3.00 (2.00 to 3.50) | 60.0 | 10 | contiguous |" in page

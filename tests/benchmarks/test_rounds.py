"""Contestants take turns, and what is made of their times."""

from __future__ import annotations

import pytest

from tests.benchmarks.rounds import Spread, interleave, ratios


class Runner:
    def __init__(self, name, turns):
        self.name, self.batch, self.problem, self.seconds = name, 1, "", []
        self.turns = iter(turns)

    def run(self, least):
        taken = next(self.turns)
        self.problem = "" if taken else "it ended"
        return taken


def test_every_round_has_everyone_once_and_begins_with_another():
    everyone, heard = [Runner(name, [[1.0]] * 3) for name in "abc"], []
    interleave(everyone, 3, 0.1, lambda nth, one: heard.append((nth, one.name)))
    assert ["".join(name for nth, name in heard if nth == each) for each in range(3)] == ["abc", "bca", "cab"]


def test_a_turn_counts_as_the_median_of_its_runs():
    (one,) = everyone = [Runner("a", [[5.0, 1.0, 2.0], [4.0]])]
    interleave(everyone, 2, 0.1)
    assert one.seconds == [2.0, 4.0]


def test_who_fails_takes_no_further_part_and_others_go_on():
    failing, other = Runner("a", [[1.0], []]), Runner("b", [[1.0]] * 4)
    interleave([failing, other], 4, 0.1)
    assert (failing.seconds, failing.problem) == ([1.0], "it ended")
    assert len(other.seconds) == 4


def test_ratios_are_within_a_round_and_spread_over_rounds():
    found = ratios([10.0, 20.0, 30.0, 40.0, 500.0], [1.0, 1.0, 2.0, 2.0, 100.0])
    assert found == [10.0, 20.0, 15.0, 20.0, 5.0]
    assert Spread.of(found) == Spread(15.0, 10.0, 20.0)
    assert Spread.of([3.0]) == Spread(3.0, 3.0, 3.0)


def test_ratios_of_different_rounds_are_refused():
    with pytest.raises(ValueError):
        ratios([1.0], [1.0, 2.0])

"""simulate --stream: the same answers and arrays, by itself where memory is short, and no file after Ctrl-C."""

from __future__ import annotations

import json

import numpy as np
import pytest

from neurodeploy import streaming

SIMULATE = ("simulate", "net.nir", "--input", "data.npz", "--record", "s,v")


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch, files):
    monkeypatch.setattr(streaming, "PIECE_BYTES", 20_000)
    monkeypatch.chdir(files)


def document(outcome):
    assert outcome.code == 0, outcome
    found = json.loads(outcome.out)
    assert found.pop("peak_memory_byte") > 1 << 20
    return found


def test_streamed_and_plain_runs_say_and_write_the_same(run, files):
    plain = document(run(*SIMULATE, "-o", "plain.npz", "--json"))
    found = document(run(*SIMULATE, "-o", "stream.npz", "--stream", "--json"))
    assert {**plain, "file": "stream.npz"} == found
    assert plain["accuracy"] == found["accuracy"]
    with np.load("plain.npz") as one, np.load("stream.npz") as other:
        assert set(one.files) == set(other.files)
        assert all(np.array_equal(one[name], other[name]) for name in one.files)
    nothing = document(run(*SIMULATE, "--stream", "--json"))
    assert {**found, "file": None} == nothing


def test_comparison_goes_piece_by_piece(run):
    found = document(run(*SIMULATE, "--stream", "--compare", "golden", "--json"))
    assert found["equal"] is True
    plain = document(run(*SIMULATE, "--compare", "golden", "--json"))
    assert found == plain


def test_a_recording_beyond_half_of_the_memory_is_streamed(run, monkeypatch):
    monkeypatch.setattr("neurodeploy.room.free_memory", lambda: 50_000)
    outcome = run(*SIMULATE, "-o", "run.npz")
    assert outcome.code == 0
    assert "peak memory: " in outcome.out
    with np.load("run.npz") as loaded:
        assert loaded["output"].shape[:2] == (6, 12)


def test_interrupted(run, files, monkeypatch):
    before = sorted(p.name for p in files.iterdir())

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("neurodeploy.tally.Tally.add", interrupt)
    outcome = run(*SIMULATE, "--stream", "-o", "run.npz")
    assert (outcome.code, outcome.err.strip()) == (130, "interrupted")
    assert sorted(p.name for p in files.iterdir()) == before


def test_estimate_counts_a_recording(run):
    verb = ("estimate", "net.nir", "--input", "data.npz", "--target", "loihi2", "--json")
    assert run(*SIMULATE, "--stream", "-o", "run.npz").code == 0
    assert json.loads(run(*verb).out) == json.loads(run(*verb, "--recording", "run.npz").out)
    outcome = run(*verb, "--recording", "run.npz", "--samples", "2")
    assert outcome.code == 3
    assert "6 samples of 12 steps, the input has 2 of 12" in outcome.err

"""Recordings written while they grow: the same numbers as in memory, whole files or none, and read from the disk."""

from __future__ import annotations

import zipfile
from dataclasses import replace

import numpy as np
import pytest

from neurodeploy import headroom
from neurodeploy.activity import count_activity
from neurodeploy.comparison import compare
from neurodeploy.energy import estimate
from neurodeploy.errors import InputError, UsageError
from neurodeploy.events import EventInput
from neurodeploy.mapping import map_network
from neurodeploy.npzstream import NpzWriter, map_stored
from neurodeploy.recording import read_recording
from neurodeploy.simulation import simulate
from neurodeploy.streaming import recorded, stream
from neurodeploy.targets.chip import load_chip
from tests.random_networks import mixed_network, random_network, random_spikes

EVERYTHING = ("s", "u", "v")
NETWORK = random_network(3)
SPIKES = random_spikes(NETWORK, 3)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.npz"


@pytest.fixture
def scarce(monkeypatch):
    """Return a function that says how much memory is free."""

    def leave(size):
        monkeypatch.setattr(headroom, "ALWAYS", 0)
        for module in ("headroom", "streaming", "room", "npz"):
            monkeypatch.setattr(f"neurodeploy.{module}.free_memory", lambda: size)

    return leave


@pytest.mark.parametrize("backend", ["emulator", "golden"])
@pytest.mark.parametrize("make", [random_network, mixed_network])
@pytest.mark.parametrize("piece", [1, 4000, 1 << 20])
def test_a_streamed_file_holds_what_a_run_in_memory_does(path, make, backend, piece):
    network = make(3)
    spikes = random_spikes(network, 3)
    whole, steps = simulate(network, spikes, backend, EVERYTHING), []
    found = stream(
        network, spikes, path, backend, EVERYTHING, piece_bytes=piece, on_progress=steps.append, against="golden"
    )
    assert found.comparison.equal
    assert found.comparison.cells == compare(whole, whole).cells
    assert sum(steps) == whole.samples * whole.steps
    assert (len(steps) == 1) == (piece == 1 << 20)
    with np.load(path) as loaded:
        assert set(loaded.files) == set(whole.arrays())
        for name, values in whole.arrays().items():
            assert loaded[name].dtype == values.dtype
            assert np.array_equal(loaded[name], values), name
    kept = read_recording(path)
    assert (dict(kept.wraps), dict(kept.clips)) == (whole.wraps, whole.clips)
    assert (kept.outputs, kept.readouts, kept.backend) == (whole.outputs, whole.readouts, backend)
    assert all(isinstance(values, np.memmap) for values in kept.spikes.values())
    assert compare(whole, kept).equal
    assert np.array_equal(whole.predictions(), kept.predictions())
    assert found.tally.accuracy(whole.predictions()) == 1.0
    assert {row["name"]: row["wraps"] for row in found.tally.populations()} == whole.wraps


def test_compressed_and_streamed_files_read_alike(path, tmp_path):
    whole = simulate(NETWORK, SPIKES, record=("s", "u"))
    whole.save(path)
    stream(NETWORK, SPIKES, tmp_path / "stream.npz", record=("s", "u"), piece_bytes=500)
    one, other = read_recording(path), read_recording(tmp_path / "stream.npz")
    assert compare(one, other).equal
    assert one.about() == other.about()


def test_counting_from_the_disk_in_small_blocks(path, monkeypatch):
    chip, network = load_chip("loihi2"), random_network(4)
    spikes = random_spikes(network, 4, samples=2, steps=40)
    placement = map_network(network, chip)
    whole = count_activity(network, simulate(network, spikes), placement)
    stream(network, spikes, path, piece_bytes=100)
    for limit in (1, 300, 5000):
        monkeypatch.setattr("neurodeploy.blocks.blocks.__defaults__", (limit,))
        kept = recorded(network, path, spikes)
        counted = count_activity(network, kept, placement)
        assert counted.as_dict() == whole.as_dict()
        assert estimate(counted, placement, chip).as_dict() == estimate(whole, placement, chip).as_dict()
        assert kept.rates() == simulate(network, spikes).rates()


def test_first_difference_is_found_in_later_blocks(monkeypatch):
    one = simulate(NETWORK, SPIKES, record=EVERYTHING)
    other = simulate(NETWORK, SPIKES, record=EVERYTHING)
    at = (2, 7, *(0,) * (one.u["b"].ndim - 2))
    other.u["b"][at] += 1
    other.u["b"][(2, 9, *at[2:])] += 1
    whole = compare(one, other)
    assert (whole.differing, whole.first_difference.sample, whole.first_difference.step) == (2, 2, 7)
    for limit in (1, 100, 700):
        monkeypatch.setattr("neurodeploy.blocks.blocks.__defaults__", (limit,))
        assert compare(one, other) == whole


def test_events_and_sums_without_a_file():
    values = SPIKES["input"]
    sample, t, *cell = np.nonzero(values)
    events = EventInput(*values.shape[:2], t, np.ravel_multi_index(cell, values.shape[2:]), sample)
    found = stream(NETWORK, events, piece_bytes=1)
    plain = simulate(NETWORK, SPIKES)
    assert found.recording is None
    assert dict(found.tally.spikes) == {name: int(s.sum()) for name, s in plain.spikes.items()}


class Stop(KeyboardInterrupt):
    """Someone pressed Ctrl-C."""


@pytest.mark.parametrize("existing", [False, True])
def test_an_interruption_leaves_no_half_file(path, existing):
    if existing:
        path.write_bytes(b"before")

    def stop(_):
        raise Stop

    with pytest.raises(Stop):
        stream(NETWORK, SPIKES, path, piece_bytes=1, on_progress=stop)
    assert [p.name for p in path.parent.iterdir()] == ["run.npz"] * existing
    assert not existing or path.read_bytes() == b"before"


def test_what_does_not_fit_is_refused_before_anything_runs(path, scarce, monkeypatch):
    scarce(2000)
    with pytest.raises(InputError, match=r"network: needs .* of memory, 2\.0 KiB are free; split it"):
        simulate(NETWORK, SPIKES)
    monkeypatch.setattr("neurodeploy.room.working_bytes", lambda _: 100)
    message = (
        r"recording of 3 samples of 12 steps \(s, u, v\): needs .*, 2\.0 KiB are free; write it to disk .*--stream"
    )
    with pytest.raises(InputError, match=message):
        simulate(NETWORK, SPIKES, record=EVERYTHING)
    scarce(10)
    monkeypatch.setattr("neurodeploy.streaming.working_bytes", lambda _: 10)
    with pytest.raises(InputError, match="recording of one step: needs"):
        stream(NETWORK, SPIKES, path)
    values = SPIKES["input"]
    events = EventInput(*values.shape[:2], np.zeros(0, int), np.zeros(0, int), np.zeros(0, int))
    scarce(900)
    with pytest.raises(InputError, match="events as arrays of 3 samples of 12 steps: needs"):
        simulate(NETWORK, events, "golden")
    monkeypatch.setattr(headroom, "free_disk", lambda _: 99)
    with pytest.raises(InputError, match=r"run\.npz: takes .*, its disk has 99 bytes left"):
        stream(NETWORK, SPIKES, path, piece_bytes=1 << 20)
    assert not path.exists()


def test_a_backend_that_cannot_go_on_runs_whole_samples_only(path):
    with pytest.raises(UsageError, match="'onnx': keeps no state between runs; one of emulator, golden"):
        stream(NETWORK, SPIKES, path, "onnx", piece_bytes=1)
    assert not list(path.parent.iterdir())


def renamed():
    """Return a network of other populations that takes the same input."""
    lone = replace(NETWORK.populations[0], name="x")
    first = replace(NETWORK.projections[0], target="x")
    return replace(NETWORK, populations=(lone,), projections=(first,), outputs=("x",))


def test_recordings_that_are_none(path):
    np.savez(path, output=np.zeros((1, 1)))
    with pytest.raises(InputError, match="says nothing of a recording in its comment"):
        read_recording(path)
    stream(NETWORK, SPIKES, path)
    with pytest.raises(InputError, match="3 samples of 12 steps, the input has 2 of 12"):
        recorded(NETWORK, path, SPIKES["input"][:2])
    with pytest.raises(InputError, match=r"holds the populations \['a', 'b', 'c'\], the network has \['x'\]"):
        recorded(renamed(), path, SPIKES)
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(InputError, match=r"run\.npz"):
        read_recording(path)


def test_stored_archives(path):
    wide, flags = np.arange(24, dtype=np.int32).reshape(2, 3, 4), np.arange(10, dtype=np.uint8).reshape(2, 5) % 2
    with NpzWriter(path) as file:
        file.reserve("s/ä b", wide.shape, wide.dtype)
        file.reserve("s/c", flags.shape, flags.dtype)
        for i in range(2):
            file.append("s/ä b", wide[i])
            file.append("s/c", flags[i])
        file.comment = b"so it is"
        file.add("x", np.array(["a", "b"]))
        file.add("none", np.zeros((0, 3)))
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.comment == b"so it is"
    with np.load(path) as loaded:
        assert np.array_equal(loaded["s/ä b"], wide)
        assert np.array_equal(loaded["s/c"], flags)
        assert loaded["none"].shape == (0, 3)
    mapped = map_stored(path)
    assert np.array_equal(mapped["s/ä b"], wide)
    assert mapped["s/c"].ctypes.data % 64 == 0
    assert set(map_stored(path, 200)) == {"s/ä b"}
    np.savez(path, x=wide)
    assert np.array_equal(map_stored(path)["x"], wide)
    np.savez_compressed(path, x=wide)
    assert map_stored(path) == {}


def test_an_array_shorter_than_reserved_is_no_file(path):
    def write():
        with NpzWriter(path) as file:
            file.reserve("x", (2, 3), np.uint8)
            file.append("x", np.zeros(3, np.uint8))

    with pytest.raises(AssertionError, match="x ends after"):
        write()


def test_thousands_of_populations_are_spared_their_counts_in_the_comment(path):
    whole = simulate(NETWORK, SPIKES)
    many = replace(whole, wraps={f"population {i}": i for i in range(5000)})
    many.save(path)
    kept = read_recording(path)
    assert (kept.wraps, kept.outputs) == ({}, ("c",))

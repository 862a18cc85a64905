"""Event files: what is read, what is refused, and that bytes depend on the arrays alone."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest

from neurodeploy.errors import InputError
from neurodeploy.npz import read_events, read_npz, write_npz


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data.npz"


def test_round_trip_and_same_bytes(path, tmp_path):
    arrays = {
        "spikes": np.arange(24).reshape(2, 3, 4) % 2,
        "s/a": np.ones((2, 3), np.uint8),
        "f": np.asfortranarray([[1.5, 2], [3, 4]]),
    }
    write_npz(path, arrays)
    write_npz(tmp_path / "again.npz", arrays)
    assert path.read_bytes() == (tmp_path / "again.npz").read_bytes()
    back = read_npz(path)
    assert all(np.array_equal(back[name], arrays[name]) for name in arrays)
    with np.load(path) as loaded:
        assert np.array_equal(loaded["s/a"], arrays["s/a"])


def test_events_with_labels_and_ports(path):
    np.savez(path, spikes=np.ones((3, 2, 4), bool), labels=np.array([1, 2, 3]))
    events = read_events(path)
    assert (events.samples, events.steps, events.labels.tolist()) == (3, 2, [1, 2, 3])
    assert events.first(2).samples == 2
    np.savez(path, **{"spikes/a": np.ones((3, 2, 4)), "spikes/b": np.ones((3, 2, 1))})
    assert set(read_events(path).spikes) == {"a", "b"}


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.ones(3)}, "no 'spikes'"),
        ({"spikes": np.ones((2, 3))}, r"spikes has shape \[2, 3\]"),
        ({"spikes": np.ones((0, 3, 4))}, r"spikes has shape \[0, 3, 4\]"),
        ({"spikes": np.full((1, 1, 1), 0.5)}, "holds fractions, such as 0.5"),
        ({"spikes": np.full((1, 1, 1), np.nan)}, "NaN or infinity"),
        ({"spikes": np.full((1, 1, 1), "a")}, "is of type"),
        ({"spikes": np.ones((2, 1, 1)), "labels": np.ones(3)}, r"labels \[3\] for 2 samples"),
        ({"spikes/a": np.ones((2, 1, 1)), "spikes/b": np.ones((3, 1, 1))}, "ports differ"),
        ({"spikes": np.array([[[{}]]])}, "Python objects"),
    ],
)
def test_bad_events(path, arrays, message):
    np.savez(path, **arrays)
    with pytest.raises(InputError, match=message):
        read_events(path)


def test_files_that_are_no_npz(path, tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_npz(path)
    with pytest.raises(InputError, match="is not a file"):
        read_npz(tmp_path)
    path.write_bytes(b"not a zip archive")
    with pytest.raises(InputError, match=r"no readable \.npz file"):
        read_npz(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(InputError, match="no array"):
        read_npz(path)


def test_truncation_and_absurd_declarations(path):
    np.savez(path, spikes=np.ones((50, 20, 30)))
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(InputError, match=r"data\.npz"):
        read_npz(path)
    np.savez(path, spikes=np.ones((50, 20, 30)))
    with pytest.raises(InputError, match=r"declares 240,000 bytes, the limit is 1,000"):
        read_npz(path, limit=1000)
    header = np.lib.format.magic(1, 0)
    text = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000), }".ljust(117) + b"\n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("spikes.npy", header + len(text).to_bytes(2, "little") + text)
    with pytest.raises(InputError, match="declares 8,000,000,000,000 bytes"):
        read_npz(path)

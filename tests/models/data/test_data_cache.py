from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from neurodeploy.errors import UsageError
from neurodeploy.models.data.cache import CACHE_VARIABLE, LabelledCounts, cache_folder, cached
from neurodeploy.models.data.clips import Clips, Counts, gather, sparse

SHAPE = (2, 1, 2, 3)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "data"))
    return tmp_path / "data"


class Maker:
    def __init__(self, frames: list[np.ndarray], fail: bool = False) -> None:
        self.frames, self.fail, self.calls = frames, fail, 0

    def __call__(self) -> Iterator[LabelledCounts]:
        self.calls += 1
        for label, each in enumerate(self.frames):
            yield LabelledCounts(sparse(each), label)
        if self.fail:
            raise UsageError("a file", "is damaged")


def frames(number: int = 3) -> list[np.ndarray]:
    random = np.random.RandomState(0)
    return [random.poisson(0.5, SHAPE) for _ in range(number)]


def get(make: Maker, **key: object) -> Clips:
    return cached("some", key, SHAPE, make)


def test_clips_are_made_once_for_a_key_and_read_back_equal(home: Path) -> None:
    make = Maker([*frames(), np.zeros(SHAPE, int)])
    for _ in range(2):
        found = get(make, steps=2)
        assert np.array_equal(found.take(np.array([3, 1, 0])).spikes, [make.frames[i] for i in (3, 1, 0)])
        assert found.labels.tolist() == [0, 1, 2, 3]
    assert make.calls == 1
    get(make, steps=3)
    assert make.calls == 2
    assert cache_folder() == home


def test_clips_without_any_event_are_clips(home: Path) -> None:
    found = get(Maker([np.zeros(SHAPE, int)] * 2))
    assert found.take(np.array([0, 1])).spikes.sum() == 0
    assert len(found.spikes.t) == 0


def test_a_failure_leaves_nothing_behind(home: Path) -> None:
    with pytest.raises(UsageError, match="a file: is damaged"):
        get(Maker(frames(), fail=True))
    assert list(home.iterdir()) == []
    assert len(get(Maker(frames()))) == 3


@pytest.mark.parametrize("file", ["cells.i4", "counts.u1", "index.npz"])
def test_a_cache_cut_short_is_made_again(home: Path, file: str) -> None:
    make = Maker(frames())
    get(make)
    (path,) = home.glob(f"*/{file}")
    path.write_bytes(path.read_bytes()[:-5])
    assert np.array_equal(get(make).take(np.arange(3)).spikes, make.frames)
    assert make.calls == 2
    assert len(list(home.iterdir())) == 1


def test_a_cache_that_cannot_be_written_says_which_variable_helps(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_VARIABLE, str(tmp_path / "file"))
        with pytest.raises(UsageError, match=r"cannot be written .* NEURODEPLOY_DATA_CACHE"):
            get(Maker(frames()))


def test_counts_beyond_a_byte_are_the_largest_byte() -> None:
    assert sparse(np.array([0, 255, 256, 70000])).counts.tolist() == [255, 255, 255]


def test_a_fingerprint_tells_clips_from_others(home: Path) -> None:
    clips = get(Maker([*frames(), np.zeros(SHAPE, int)]))
    order = np.array([0, 1, 2, 3])
    assert clips.select(order).fingerprint() == clips.fingerprint()
    others = [
        clips.select(order[::-1]),
        clips.select(order[:3]),
        clips.relabelled(order + 1),
        gather(list(clips), (1, 2, 2, 3), clips.labels),
        gather([Counts(clip.cells, clip.counts + np.uint8(1)) for clip in clips], SHAPE, clips.labels),
        gather([clips[3], *list(clips)[:3]], SHAPE, clips.labels),
    ]
    assert len({clips.fingerprint(), *(other.fingerprint() for other in others)}) == 1 + len(others)

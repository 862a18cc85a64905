from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from sklearn import datasets

from neurodeploy.errors import UsageError
from neurodeploy.models.data import moving
from neurodeploy.models.data.cache import CACHE_VARIABLE
from neurodeploy.models.data.camera import events, render
from neurodeploy.models.data.clips import Clips, gather
from neurodeploy.models.dataset import dataset_kind
from neurodeploy.models.recipe import DataSettings
from neurodeploy.npz import read_events

STEPS, IMAGES = 8, 20


def small(seed: int = 0) -> Clips:
    bunch = datasets.load_digits()
    images, digits = bunch.images[:IMAGES].astype(np.int64), bunch.target[:IMAGES].astype(np.int64)
    made = list(moving.simulated(images, digits, STEPS, seed))
    return gather([each.clip for each in made], (STEPS, *moving.INPUT_SHAPE), np.array([each.label for each in made]))


@pytest.fixture(scope="module")
def clips() -> Clips:
    return small()


@pytest.fixture(scope="module")
def frames(clips: Clips) -> npt.NDArray[np.uint8]:
    return clips.take(np.arange(len(clips))).spikes


def test_every_direction_of_every_digit_is_there_twice(clips: Clips) -> None:
    assert len(clips) == IMAGES * 16
    assert np.bincount(clips.labels % 8).tolist() == [IMAGES * 2] * 8


def test_opposite_directions_have_the_same_frames_equally_often(clips: Clips, frames: npt.NDArray[np.uint8]) -> None:
    seen = [Counter(f.tobytes() for clip in frames[clips.labels % 8 == d] for f in clip) for d in range(8)]
    for direction in range(4):
        assert seen[direction] == seen[direction + 4]
        assert seen[direction] != seen[(direction + 1) % 8]


def test_a_network_without_memory_is_at_chance_between_opposite_directions(
    clips: Clips, frames: npt.NDArray[np.uint8]
) -> None:
    random = np.random.RandomState(1)
    hidden = np.maximum(frames.reshape(*frames.shape[:2], -1) @ random.randn(1152, 64), 0)
    answers = (hidden @ random.randn(64, 8)).sum(axis=1)
    axis_only = np.round(answers, 6).argmax(axis=1)
    opposite = (clips.labels % 8 + 4) % 8
    right, mirrored = (axis_only == clips.labels % 8).sum(), (axis_only == opposite).sum()
    assert right == mirrored
    assert right > 0


def test_one_step_of_memory_tells_opposite_directions_apart(clips: Clips, frames: npt.NDArray[np.uint8]) -> None:
    """The mean position of all events moves with the digit."""
    weight = frames.sum(axis=2).astype(float)
    total = np.maximum(weight.sum(axis=(2, 3)), 1)
    x = (weight.sum(axis=2) * np.arange(24)).sum(axis=2) / total
    y = (weight.sum(axis=3) * np.arange(24)).sum(axis=2) / total
    right, up = x[:, -2:].mean(1) - x[:, :2].mean(1), y[:, :2].mean(1) - y[:, -2:].mean(1)
    found = np.round(np.arctan2(up, right) / (np.pi / 4)).astype(int) % 8
    assert (found == clips.labels % 8).mean() > 0.95


def test_the_simulation_follows_from_its_seed(clips: Clips) -> None:
    again, other = small(), small(seed=1)
    assert np.array_equal(again.cells, clips.cells)
    assert np.array_equal(again.ends, clips.ends)
    assert not np.array_equal(other.ends, clips.ends)


def test_an_image_in_the_centre_is_seen_whole_and_moves_by_parts_of_a_pixel() -> None:
    image = np.zeros((8, 8), np.int64)
    image[3, 4] = 16
    centred, shifted = render(image, 24, np.array([0, 64]), np.array([0, 0]))
    assert centred.sum() == 16 * 4096 * 4  # one pixel of the image covers four of the sensor
    assert np.array_equal(np.roll(centred, 2, axis=1), shifted)
    (half,) = render(image, 24, np.array([16]), np.array([0]))
    assert half.sum() == centred.sum()
    assert not np.array_equal(half, centred)


def test_a_pixel_sends_events_for_changes_of_a_quarter_only() -> None:
    brightness = np.array([100, 124, 125, 150, 157, 126, 125]).reshape(-1, 1, 1)
    off, on = events(brightness, dark=0)[:, :, 0, 0].T
    assert on.tolist() == [False, True, False, True, False, False]
    assert off.tolist() == [False, False, False, False, False, True]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    return tmp_path


def settings(label: str = "digit", test_samples: int = 160) -> DataSettings:
    return DataSettings("moving-digits", steps=1, test_samples=test_samples, calibration_samples=80, label=label)


def test_images_and_not_clips_are_split_and_the_labels_are_of_the_same_clips(home: Path) -> None:
    parts = {label: moving.load_moving_digits(settings(label)) for label in moving.CLASSES}
    assert len(list(home.iterdir())) == 1  # one cache, whatever is asked
    both = parts["both"]
    assert (len(both.train), len(both.test), len(both.calibration)) == (1787 * 16, 160, 80)
    for side in ("train", "test", "calibration"):
        labels = {name: getattr(data, side).labels for name, data in parts.items()}
        if side != "calibration":
            assert np.array_equal(labels["digit"] * 8 + labels["direction"], labels["both"])
    assert np.bincount(both.test.labels).tolist() == [2] * 80
    assert isinstance(both.test, Clips)
    assert isinstance(both.train, Clips)
    assert not set(both.test.starts) & set(both.train.starts)
    classes = {label: dataset_kind(settings(label)).classes for label in moving.CLASSES}
    assert classes == {"digit": 10, "direction": 8, "both": 80}


def test_saved_clips_are_an_event_file_of_the_same_cells(home: Path, clips: Clips) -> None:
    some = clips.select(np.arange(0, 320, 40))
    for name in ("a.npz", "b.npz"):
        some.save(home / name)
    assert (home / "a.npz").read_bytes() == (home / "b.npz").read_bytes()
    found = read_events(home / "a.npz")
    assert found.labels is not None
    assert found.labels.tolist() == some.labels.tolist()
    dense = found.spikes[""].dense(moving.INPUT_SHAPE)  # type: ignore[union-attr]
    assert np.array_equal(dense, some.take(np.arange(len(some))).spikes)


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (100, "is no multiple of 16, the clips of one image; .* give for example 96"),
        (16 * 1797, "leave none for train"),
    ],
)
def test_a_cut_through_an_image_is_refused(home: Path, number: int, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        moving.load_moving_digits(settings(test_samples=number))
    assert not list(home.iterdir())

import os
from pathlib import Path

import numpy as np
import pytest

from neurodeploy.errors import InputError, UsageError
from neurodeploy.models.data import decoding, framecounts
from neurodeploy.models.data.cache import CACHE_VARIABLE
from neurodeploy.models.data.decoding import THREADS_VARIABLE, in_threads
from neurodeploy.models.data.ondisk import OnDisk
from neurodeploy.models.data.pictures import load_pictures
from neurodeploy.models.dataset import dataset_kind, load_dataset
from neurodeploy.models.recipe import DataSettings
from neurodeploy.models.spikes import SpikeDataset
from neurodeploy.npz import read_events
from tests.models.data.published import write_image, write_imagenet, write_ssv2, write_ucf101
from tests.models.data.videos import STEP, cut, write_video


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path_factory.mktemp("cache")))


def load(dataset: str, folder: Path, **more: object) -> SpikeDataset:
    given = {"steps": 4, "calibration_samples": 2, "size": 16, **more}
    return load_dataset(DataSettings(dataset, folder=str(folder), **given))  # type: ignore[arg-type]


def generators(*seeds: int) -> list[np.random.Generator]:
    return [np.random.default_rng(seed) for seed in seeds]


def on_disk(samples: object) -> OnDisk:
    assert isinstance(samples, OnDisk)
    return samples


def test_a_video_is_seen_as_the_centre_of_each_segment(tmp_path: Path) -> None:
    test = load("ssv2", write_ssv2(tmp_path)).test
    samples = test.take(np.array([0]))
    assert samples.spikes.shape == (1, 4, 3, 16, 16)
    levels = samples.spikes[0].mean(axis=(1, 2, 3))
    assert np.abs(levels - STEP * np.array([1, 3, 6, 8])).max() < STEP / 2  # of ten frames
    assert samples.labels.tolist() == [0]


def test_a_stride_makes_clips_of_neighbouring_frames(tmp_path: Path) -> None:
    test = load("ssv2", write_ssv2(tmp_path), stride=2).test
    levels = test.take(np.array([0])).spikes[0].mean(axis=(1, 2, 3))
    assert np.abs(levels - STEP * np.array([1, 3, 5, 7])).max() < STEP / 2


@pytest.mark.parametrize("sorted_val", [True, False])
def test_imagenet_is_read_sorted_or_as_it_is_downloaded(tmp_path: Path, sorted_val: bool) -> None:
    data = load("imagenet", write_imagenet(tmp_path, sorted_val=sorted_val))
    assert data.train.labels.tolist() == [0, 0, 1, 1]
    for side in (data.train, data.test):
        samples = side.take(np.arange(len(side)))
        seen = samples.spikes.mean(axis=(1, 3, 4))
        assert (np.argmax(seen, axis=1) == np.where(samples.labels == 0, 0, 2)).all()  # red and blue
        assert (samples.spikes == samples.spikes[:, :1]).all()  # one image in every step
    assert sorted(data.test.labels.tolist()) == [0, 1, 1]


def test_photographs_in_grey_and_cmyk_become_rgb(tmp_path: Path) -> None:
    from PIL import Image

    root = write_imagenet(tmp_path)
    for path, mode in zip(sorted((root / "train").rglob("*.JPEG")), ("L", "CMYK", "RGB", "L"), strict=True):
        Image.open(path).convert(mode).save(path, "JPEG")
    assert load("imagenet", root).train.take(np.arange(4)).spikes.shape == (4, 4, 3, 16, 16)


def test_damaged_images_are_named_when_they_are_met(tmp_path: Path) -> None:
    root = write_imagenet(tmp_path)
    bad = cut(root / "train" / "n02119789" / "n02119789_9.JPEG", 0.6)
    train = load("imagenet", root).train
    assert len(train.take(np.arange(3))) == 3
    with pytest.raises(InputError, match=rf"{bad.name}: cannot be decoded .*[Tt]runcated"):
        train.take(np.arange(4))


def test_what_training_sees_follows_from_the_generator_of_each_sample_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    augment = ("time-jitter", "scaled-crop", "flip", "colour:0.4", "erase:1", "randaugment:9")
    data = load("ucf101", write_ucf101(tmp_path), augment=augment)
    train = on_disk(data.train)
    together = train.draw(np.arange(8), generators(*range(8))).spikes
    monkeypatch.setenv(THREADS_VARIABLE, "1")
    alone = [train.draw(np.array([i]), generators(i)).spikes[0] for i in reversed(range(8))]
    assert np.array_equal(together, alone[::-1])
    assert not np.array_equal(together, train.draw(np.arange(8), generators(*range(1, 9))).spikes)
    assert np.array_equal(train.take(np.arange(8)).spikes, train.take(np.arange(8)).spikes)


def test_without_names_training_sees_what_tests_see(tmp_path: Path) -> None:
    train = on_disk(load("ucf101", write_ucf101(tmp_path)).train)
    assert np.array_equal(train.draw(np.arange(3), generators(1, 2, 3)).spikes, train.take(np.arange(3)).spikes)


def test_mixing_is_left_to_the_batch_and_the_rest_is_done_once(tmp_path: Path) -> None:
    root = write_ucf101(tmp_path)
    data = load("ucf101", root, augment=("flip:1", "mixup"))
    assert data.augment is not None
    samples = on_disk(data.train).draw(np.arange(4), generators(*range(4)))
    plain = data.train.take(np.arange(4)).spikes
    assert np.array_equal(samples.spikes, plain[..., ::-1])
    mixed = data.augment(samples, generators(*range(4)))
    assert mixed.targets is not None
    assert mixed.targets.shape == (4, 101)
    unmixed = load("ucf101", root, augment=("flip:1",)).augment
    assert unmixed is not None
    assert unmixed(samples, generators(*range(4))) is samples


def test_videos_that_are_cut_short_are_left_out_up_to_a_limit(tmp_path: Path) -> None:
    root = write_ucf101(tmp_path, frames=40)
    bad = sorted((root / "UCF-101" / "ApplyEyeMakeup").iterdir())
    cut(bad[0], 0.8)
    cut(bad[4], 0.8)
    with pytest.raises(InputError, match=r"2 of 12 files are damaged, 1 may be: .*g05.* is cut short.*_g01") as caught:
        load("ucf101", root, damaged_files=1)
    assert "data.damaged_files = 2" in caught.value.advice
    with pytest.warns(RuntimeWarning, match=r"2 of 12 files are left out, they are damaged: .*g05.* is cut short"):
        data = load("ucf101", root, damaged_files=2)
    assert (len(data.train), len(data.test)) == (7, 3)
    assert data.test.labels.tolist() == [0, 1, 1]
    assert len(data.train.take(np.arange(7))) == 7


def test_frames_are_counted_once_and_again_where_a_file_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, counted = write_ucf101(tmp_path), []
    count = framecounts.count_frames
    monkeypatch.setattr(framecounts, "count_frames", lambda path: counted.append(path) or count(path))
    before = on_disk(load("ucf101", root).train)
    assert len(counted) == 12
    assert np.array_equal(on_disk(load("ucf101", root).train).files.frames, before.files.frames)
    assert len(counted) == 12
    changed = write_video(before.files.path(2), 30)
    os.utime(changed, ns=(1, 1))
    again = on_disk(load("ucf101", root).train)
    assert counted[12:] == [changed]
    assert again.files.frames.tolist() == [12, 12, 30, 12, 12, 12, 12, 12]
    assert again.fingerprint() != before.fingerprint()


def test_the_fingerprint_is_of_the_files_and_of_what_is_seen_of_them(tmp_path: Path) -> None:
    root = write_ucf101(tmp_path)
    first = on_disk(load("ucf101", root).train).fingerprint()
    assert on_disk(load("ucf101", root).train).fingerprint() == first
    others = [load("ucf101", root, **more).train for more in ({"size": 24}, {"steps": 5}, {"stride": 1}, {"split": 2})]
    assert len({first, *(on_disk(other).fingerprint() for other in others)}) == 5


def test_a_part_of_the_test_side_is_written_and_all_of_it_tested(tmp_path: Path) -> None:
    data = load("ucf101", write_ucf101(tmp_path / "data"), test_samples=2)
    assert len(data.test) == 4
    for name in ("a.npz", "b.npz"):
        data.test.save(tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    events = read_events(tmp_path / "a.npz")
    assert events.labels is not None
    assert events.labels.tolist() == [0, 1]
    saved = on_disk(data.test).saved
    assert saved is not None
    assert np.array_equal(events.spikes[""], data.test.take(saved).spikes)  # type: ignore[arg-type]
    data.calibration.save(tmp_path / "c.npz")
    assert read_events(tmp_path / "c.npz").samples == 2


def test_pixels_are_scaled_and_the_side_is_the_recipes(tmp_path: Path) -> None:
    kind = dataset_kind(DataSettings("imagenet"))
    assert (kind.input_shape, kind.classes) == ((3, 224, 224), 1000)
    assert kind.scaling is not None
    assert kind.scaling.mean == (0.485, 0.456, 0.406)
    assert dataset_kind(DataSettings("hmdb51", size=112)).input_shape == (3, 112, 112)


def test_what_says_what_to_read_of_files_is_refused_without_any() -> None:
    with pytest.raises(UsageError, match=r"data\.augment: 'resized-crop' says what to read of files"):
        load_dataset(DataSettings("digits", augment=("resized-crop",)))
    with pytest.raises(UsageError, match=r"data\.augment: 'colour' is for red, green and blue, .* have 1 channels"):
        load_dataset(DataSettings("digits", augment=("colour:0.4",)))


def test_the_first_failure_in_order_comes_out_of_the_threads() -> None:
    def fail_from_three(number: int) -> int:
        if number >= 3:
            raise InputError(f"file {number}", "is damaged")
        return number

    assert in_threads(fail_from_three, range(3)) == [0, 1, 2]
    assert in_threads(str, range(9000)) == [str(number) for number in range(9000)]
    for _ in range(20):
        with pytest.raises(InputError, match=r"file 3:"):
            in_threads(fail_from_three, range(30))


def test_the_number_of_threads_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(THREADS_VARIABLE, "many")
    with pytest.raises(UsageError, match=r"NEURODEPLOY_DATA_THREADS: 'many' is no number of threads"):
        decoding.threads()
    monkeypatch.delenv(THREADS_VARIABLE)
    assert decoding.threads() >= 1


def test_a_missing_class_or_a_wrong_devkit_is_named(tmp_path: Path) -> None:
    root = write_imagenet(tmp_path, sorted_val=False)
    truth = root / "ILSVRC2012_devkit_t12" / "data" / "ILSVRC2012_validation_ground_truth.txt"
    truth.write_text("1\n3\n1\n")
    with pytest.raises(InputError, match=r"ground_truth\.txt:2: '3' is no class of the training side"):
        load_pictures(DataSettings("imagenet", folder=str(root)))
    truth.write_text("1\n2\n")
    with pytest.raises(InputError, match=r"has 2 lines for the 3 images of"):
        load_pictures(DataSettings("imagenet", folder=str(root)))
    (root / "ILSVRC2012_devkit_t12" / "data" / "meta.mat").write_bytes(b"MATLAB")
    with pytest.raises(InputError, match=r"meta\.mat: is no table of classes"):
        load_pictures(DataSettings("imagenet", folder=str(root)))
    write_image(root / "val" / "n99999999" / "x.JPEG", (1, 2, 3))
    with pytest.raises(InputError, match=r"n99999999: is no class of the training side"):
        load_pictures(DataSettings("imagenet", folder=str(root)))

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from neurodeploy.errors import InputError, UsageError
from neurodeploy.models.data import layouts, recorded
from neurodeploy.models.data.cache import CACHE_VARIABLE
from neurodeploy.models.data.clips import Clips
from neurodeploy.models.data.framing import Events, frames
from neurodeploy.models.data.making import telling
from neurodeploy.models.dataset import dataset_kind
from neurodeploy.models.recipe import DataSettings
from neurodeploy.models.spikes import SpikeDataset
from neurodeploy.npz import read_events
from tests.models.data import eventfiles
from tests.models.data.eventfiles import Event, aedat2_bytes, bin_bytes, blob

WRITE: dict[str, Callable[[Path], Path]] = {
    "nmnist": eventfiles.n_mnist,
    "cifar10-dvs": eventfiles.cifar10_dvs,
    "ncaltech101": lambda root: eventfiles.n_caltech101(root, number=2),
    "dvs128-gesture": lambda root: eventfiles.gestures(root, train=["user01_led", "user02_lab"], test=["user24_led"]),
}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    return tmp_path


def settings(dataset: str, folder: Path | str, **others: object) -> DataSettings:
    plain = DataSettings(dataset, steps=4, calibration_samples=5, folder=str(folder))
    return replace(plain, **others)  # type: ignore[arg-type]


def load(some: DataSettings) -> SpikeDataset:
    return dataset_kind(some).load(some)


def parts(data: SpikeDataset) -> tuple[Clips, Clips]:
    assert isinstance(data.train, Clips)
    assert isinstance(data.test, Clips)
    return data.train, data.test


def seen(events: list[Event], sensor: tuple[int, int], size: tuple[int, int] | None = None) -> set[tuple[int, int]]:
    """Return the cells of 4 frames, and their counts, that ``events`` make."""
    columns = np.array(events, np.int64).T
    counts = frames(Events(*columns), sensor, (4, 2, *(size or sensor)), "count")
    return set(zip(counts.cells.tolist(), counts.counts.tolist(), strict=True))


def cells(clips: Clips, index: int) -> set[tuple[int, int]]:
    clip = clips[index]
    return set(zip(clip.cells.tolist(), clip.counts.tolist(), strict=True))


def test_n_mnist_is_split_as_its_folders_are(home: Path) -> None:
    some = settings("nmnist", eventfiles.n_mnist(home / "N-MNIST"))
    train, test = parts(load(some))
    assert train.labels.tolist() == [label for label in range(10) for _ in range(2)]
    assert test.labels.tolist() == list(range(10))
    assert train.shape == (4, *dataset_kind(some).input_shape) == (4, 2, 34, 34)
    for label in range(10):
        assert cells(train, 2 * label) == cells(test, label) == seen(blob(label, 34, 34), (34, 34))


def test_cifar10_dvs_gives_one_recording_in_ten_of_each_class_to_the_test(home: Path) -> None:
    some = settings("cifar10-dvs", eventfiles.cifar10_dvs(home / "data"))
    train, test = parts(load(some))
    assert np.bincount(train.labels).tolist() == [9] * 10
    assert test.labels.tolist() == list(range(10))
    found = {frozenset(cells(train, index)) for index in np.flatnonzero(train.labels == 3)} | {
        frozenset(cells(test, 3))
    }
    upright = [[Event(e.t, 127 - e.y, 127 - e.x, 1 - e.p) for e in blob(300 + i, 128, 128)] for i in range(10)]
    assert found == {frozenset(seen(each, (128, 128))) for each in upright}
    assert parts(load(replace(some, split_seed=1)))[1].starts.tolist() != test.starts.tolist()


def test_n_caltech101_leaves_out_the_second_folder_of_faces(home: Path) -> None:
    root = eventfiles.n_caltech101(home / "Caltech101", number=2)
    eventfiles.n_caltech101(root, classes=["Faces"])
    some = settings("ncaltech101", root)
    train, test = parts(load(some))
    assert len(train) + len(test) == 202
    assert len(test) == 20
    assert train.shape == (4, 2, 180, 240)
    assert set(train.labels.tolist()) | set(test.labels.tolist()) == set(range(101))


def test_gestures_are_cut_by_their_table_and_split_by_the_lists(home: Path) -> None:
    data = load(settings("dvs128-gesture", WRITE["dvs128-gesture"](home / "DvsGesture")))
    train, test = parts(data)
    classes = [0, 1, 2, 3, 4, 5, 6, 7, 7, 8, 9, 10]
    assert train.labels.tolist() == classes * 2
    assert test.labels.tolist() == classes
    for index, label in enumerate(classes):
        begin = 2000 * index + 500
        inside = [e for e in blob(label + 1, 128, 128, start=begin) if e.t < begin + 1000]
        assert cells(test, index) == seen(inside, (128, 128))


@pytest.mark.parametrize("dataset", list(WRITE))
def test_a_smaller_size_sums_and_the_other_framing_cuts_by_time(home: Path, dataset: str) -> None:
    some = settings(dataset, WRITE[dataset](home / "data"))
    full = parts(load(some))[0]
    small = parts(load(replace(some, size=17)))[0]
    assert small.shape == (4, *dataset_kind(replace(some, size=17)).input_shape) == (4, 2, 17, 17)
    take = np.arange(len(full))
    by_step = full.take(take).spikes.sum(axis=(2, 3, 4))
    assert np.array_equal(small.take(take).spikes.sum(axis=(2, 3, 4)), by_step)
    by_time = parts(load(replace(some, framing="time")))[0].take(take).spikes.sum(axis=(2, 3, 4))
    assert np.array_equal(by_time.sum(axis=1), by_step.sum(axis=1))
    assert not np.array_equal(by_time, by_step)


def test_the_folder_that_holds_the_unpacked_one_is_as_good(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    eventfiles.gestures(home / "DvsGesture")
    assert len(load(settings("dvs128-gesture", home)).test) == 12
    monkeypatch.setenv("HOME", str(home))
    assert len(load(settings("dvs128-gesture", "~/DvsGesture")).test) == 12


def test_files_are_read_once_until_one_changes(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = eventfiles.n_mnist(home / "data")
    read: list[Path] = []
    plain = layouts.RECORDED["nmnist"]
    noted = replace(plain, read=lambda path: read.append(path) or plain.read(path))  # type: ignore[func-returns-value]
    monkeypatch.setitem(recorded.RECORDED, "nmnist", noted)
    some = settings("nmnist", root)
    for _ in range(2):
        load(some)
        assert len(read) == 30
    changed = root / "Test" / "3" / "00001.bin"
    changed.write_bytes(bin_bytes(blob(77, 34, 34, number=50)))
    assert cells(parts(load(some))[1], 3) == seen(blob(77, 34, 34, number=50), (34, 34))
    assert len(read) == 60


def test_the_making_is_told_clip_by_clip(home: Path) -> None:
    some = settings("dvs128-gesture", WRITE["dvs128-gesture"](home / "data"))
    heard: list[tuple[str, int, int]] = []
    with telling(lambda *made: heard.append(made)):
        load(some)
        load(some)
    assert heard == [("dvs128-gesture", done, 36) for done in range(1, 37)]


def test_equal_files_make_equal_caches_whatever_the_threads(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = eventfiles.cifar10_dvs(home / "data")
    made = []
    for cores in (1, 5):
        monkeypatch.setenv(CACHE_VARIABLE, str(home / str(cores)))
        monkeypatch.setattr(os, "cpu_count", lambda cores=cores: cores)
        load(settings("cifar10-dvs", root))
        made.append({path.name: path.read_bytes() for path in (home / str(cores)).glob("*/*")})
    assert made[0] == made[1]
    assert len(made[0]) == 3


def damaged(home: Path, number: int) -> Path:
    root = eventfiles.n_mnist(home / "data")
    for label in range(number):
        path = root / "Train" / str(label) / "00001.bin"
        path.write_bytes(path.read_bytes()[:-1])
    return root


def test_damaged_files_are_refused_by_name(home: Path) -> None:
    root = damaged(home, 5)
    with pytest.raises(InputError) as error:
        load(settings("nmnist", root))
    expected = f"1 damaged file: {root}/Train/0/00001.bin: has 199 bytes, no multiple of the 5 of an event; take it"
    assert str(error.value).startswith(expected)
    assert "set data.damaged_files to 1 or more" in str(error.value)
    with pytest.raises(InputError, match=r"5 damaged files: .*0/0.*1/0.*2/0.*and 2 more"):
        load(settings("nmnist", root, damaged_files=4))
    assert not list((home / "cache").iterdir())


def test_as_many_damaged_files_as_are_allowed_are_left_out_and_counted(home: Path) -> None:
    some = settings("nmnist", damaged(home, 5), damaged_files=5)
    with pytest.warns(RuntimeWarning, match=r"5 of 30 samples are left out, their files are damaged \(.*0/00001\.bin"):
        data = load(some)
    assert np.bincount(data.train.labels).tolist() == [1] * 5 + [2] * 5
    with pytest.warns(RuntimeWarning, match="5 of 30 samples are left out"):
        load(some)  # from the cache


def test_a_gesture_without_events_is_left_out_and_its_trial_stays(home: Path) -> None:
    root = eventfiles.gestures(home / "data")
    table = root / "user01_led_labels.csv"
    table.write_text(table.read_text().replace("500,1500", "50,60"))
    with pytest.raises(InputError, match=r"user01_led.aedat: holds no event from \(50, 60\) us"):
        load(settings("dvs128-gesture", root))
    with pytest.warns(RuntimeWarning, match="1 of 24 samples"):
        assert len(load(settings("dvs128-gesture", root, damaged_files=1)).train) == 11


def test_an_event_off_the_sensor_names_its_file(home: Path) -> None:
    root = eventfiles.n_mnist(home / "data")
    (root / "Test" / "9" / "00001.bin").write_bytes(bin_bytes([Event(1, 34, 0, 1)]))
    with pytest.raises(InputError, match=r"Test/9/00001\.bin: has an event at x = 34 on a sensor of 34 x 34"):
        load(settings("nmnist", root))


LAYOUTS = {
    "nmnist": ("Test/4", r"\{Train,Test\}/\{0,...,9\}/\*\.bin", "garrickorchard.com/datasets/n-mnist"),
    "ncaltech101": ("object_003", "<one of 101 classes>/image_", "garrickorchard.com/datasets/n-caltech101"),
    "cifar10-dvs": ("deer", r"\{airplane,.*truck\}/cifar10_", "figshare.com/.*4724671"),
    "dvs128-gesture": ("trials_to_test.txt", r"user\*_\*_labels\.csv", "ibm.ent.box.com"),
}


@pytest.mark.parametrize("dataset", list(WRITE))
def test_a_folder_that_lacks_a_part_is_told_the_layout_and_the_address(home: Path, dataset: str) -> None:
    lost, layout, address = LAYOUTS[dataset]
    name = layouts.RECORDED[dataset].place.name
    root = WRITE[dataset](home / "data")
    if (root / lost).is_dir():
        shutil.rmtree(root / lost)
    else:
        (root / lost).unlink()
    found = "holds 100 folders" if dataset == "ncaltech101" else f"{lost}: is missing"
    wanted = rf"; data\.folder has to hold {name} as(?s:.)*/{layout}(?s:.)* it is had from https://\S*{address}"
    with pytest.raises(InputError, match=found + "[^;]*" + wanted):
        load(settings(dataset, root))
    with pytest.raises(InputError, match="nowhere: does not exist" + wanted):
        load(settings(dataset, home / "nowhere"))
    with pytest.raises(UsageError, match=rf"data\.folder: is empty, and {name} is read from files" + wanted):
        load(settings(dataset, ""))


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("user01_led_labels.csv", "class,startTime_usec,endTime_usec\n1,2\n", r"labels\.csv:2: is no row of class"),
        (
            "user01_led_labels.csv",
            "class,startTime_usec,endTime_usec\n12,2,3\n",
            r"labels\.csv:2: class 12 from 2",
        ),
        (
            "user01_led_labels.csv",
            f"class,startTime_usec,endTime_usec\n1,2,{10**30}\n",
            r"labels\.csv:2: class 1 from 2 ",
        ),
        ("user01_led_labels.csv", "x" * 200_000, r"labels\.csv: is no table \(field larger than"),
        ("trials_to_test.txt", "../other.aedat\n", "names '../other.aedat', which is no file of this folder"),
        (
            "trials_to_test.txt",
            "user29_lab.aedat\n",
            "user29_lab.aedat: is missing, though trials_to_test.txt names it",
        ),
        ("trials_to_test.txt", "x" * (1 << 20 | 1), "trials_to_test.txt: has more than 1048576 bytes"),
    ],
)
def test_a_damaged_table_of_gestures_is_named(home: Path, file: str, text: str, message: str) -> None:
    root = eventfiles.gestures(home / "data")
    (root / file).write_text(text)
    with pytest.raises(InputError, match=message):
        load(settings("dvs128-gesture", root))


def test_a_size_beyond_the_sensor_is_refused() -> None:
    with pytest.raises(
        UsageError, match="is 181, and the sensor of ncaltech101 has 240 x 180 pixels; give at most 180"
    ):
        dataset_kind(settings("ncaltech101", "", size=181))


@pytest.mark.parametrize(
    ("dataset", "name", "why"),
    [
        ("dvs128-gesture", "flip", "its classes tell the left hand from the right"),
        ("nmnist", "flip", "a mirrored digit is another sign"),
        ("moving-digits", "flip", "digits and directions would no longer be what labels say"),
        ("moving-digits", "rotate", "digits and directions would no longer be what labels say"),
    ],
)
def test_what_would_make_labels_wrong_is_refused(home: Path, dataset: str, name: str, why: str) -> None:
    with pytest.raises(UsageError, match=f"data.augment: '{name}': is not for {dataset}: {why}; leave it out"):
        load(settings(dataset, home, augment=("roll:5", f"{name}:0.3")))


def test_the_whole_test_side_is_tested_and_as_much_of_it_written_as_is_asked(home: Path) -> None:
    some = settings("nmnist", eventfiles.n_mnist(home / "data", test=3), test_samples=20)
    test = parts(load(some))[1]
    assert len(test) == 30
    test.save(home / "test.npz")
    written = read_events(home / "test.npz")
    assert written.labels is not None
    assert np.bincount(written.labels).tolist() == [2] * 10
    assert written.spikes[""].shape == (20, 4)


def test_an_aedat2_file_of_another_camera_is_refused_by_name(home: Path) -> None:
    root = eventfiles.cifar10_dvs(home / "data")
    (root / "cat" / "cifar10_cat_4.aedat").write_bytes(aedat2_bytes([], header=b"#!AER-DAT3.1\r\n"))
    with pytest.raises(InputError, match=r"cifar10_cat_4\.aedat: is AEDAT 3\.1, not 2\.0"):
        load(settings("cifar10-dvs", root))

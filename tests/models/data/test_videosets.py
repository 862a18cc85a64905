import json
from collections.abc import Callable
from pathlib import Path

import pytest

from neurodeploy.errors import InputError, UsageError
from neurodeploy.models.data.cache import CACHE_VARIABLE
from neurodeploy.models.data.listing import Side
from neurodeploy.models.data.pictures import load_pictures
from neurodeploy.models.data.videosets import hmdb51, ssv2, ucf101
from neurodeploy.models.recipe import DataSettings
from tests.models.data.published import write_hmdb51, write_ssv2, write_ucf101


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path_factory.mktemp("cache")))


def stems(side: Side) -> list[tuple[str, int]]:
    return [(Path(name).stem, label) for name, label in zip(*side, strict=True)]


def test_ucf101_has_three_splits_and_files_are_found_whatever_their_capitals(tmp_path: Path) -> None:
    root = write_ucf101(tmp_path)
    for split in (1, 2, 3):
        train, test = ucf101(root, split)
        assert (len(train[0]), len(test[0])) == (8, 4)
        assert not set(train[0]) & set(test[0])
        assert all((root / name).is_file() for name in train[0] + test[0])
        groups = {name.split("_g")[1][:2] for name, _ in stems(test)}
        assert groups == {f"{2 * split - 1:02}", f"{2 * split:02}"}
    assert [label for _, label in stems(test)] == [0, 0, 1, 1]
    assert stems(test)[2][0] == "v_HandStandPushups_g05_c01"


def test_hmdb51_takes_what_its_lists_mark(tmp_path: Path) -> None:
    train, test = hmdb51(write_hmdb51(tmp_path), 1)
    assert [(name.split("_")[-1], label) for name, label in stems(train)] == [("1", 0), ("1", 1)]
    assert [(name.split("_")[-1], label) for name, label in stems(test)] == [("2", 0), ("2", 1)]
    assert all((tmp_path / name).is_file() for name in train[0] + test[0])
    assert [len(side[0]) for side in hmdb51(tmp_path, 2)] == [0, 4]


def test_ssv2_takes_its_classes_from_templates(tmp_path: Path) -> None:
    train, test = ssv2(write_ssv2(tmp_path), 1)
    assert stems(train) == [("17", 0), ("4", 1)]
    assert stems(test) == [("9", 0)]
    for name in ("labels", "train", "validation"):  # as the first release had them
        (tmp_path / "labels" / f"{name}.json").rename(tmp_path / f"something-something-v2-{name}.json")
    assert ssv2(tmp_path, 1) == (train, test)


def settings(dataset: str, folder: Path | str, **more: object) -> DataSettings:
    return DataSettings(dataset, steps=4, calibration_samples=1, folder=str(folder), size=16, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("dataset", "write", "lost", "message"),
    [
        ("ucf101", write_ucf101, "ucfTrainTestlist", r"ucfTrainTestlist: is missing"),
        ("ucf101", write_ucf101, "UCF-101", r"UCF-101: is missing"),
        ("hmdb51", write_hmdb51, "hmdb51_org/wave", r"wave/20060723.*\.avi: is missing"),
        ("ssv2", write_ssv2, "labels/train.json", r"train\.json: is missing"),
        ("ssv2", write_ssv2, "20bn-something-something-v2/4.webm", r"4\.webm: is missing"),
    ],
)
def test_what_is_missing_is_named_with_layout_and_source(
    tmp_path: Path, dataset: str, write: Callable[[Path], Path], lost: str, message: str
) -> None:
    root = write(tmp_path / "data")
    (root / lost).rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match=message) as caught:
        load_pictures(settings(dataset, root))
    assert str(root) in caught.value.advice
    assert "it is had from https://" in caught.value.advice


def test_a_folder_that_is_not_there_shows_the_whole_layout(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"data\.folder: is empty, and UCF101 is read from files") as caught:
        load_pictures(settings("ucf101", ""))
    assert "FOLDER/UCF-101/<Class>/v_<Class>_gXX_cYY.avi" in caught.value.advice
    with pytest.raises(InputError, match=r"nowhere: does not exist") as missing:
        load_pictures(settings("hmdb51", tmp_path / "nowhere"))
    assert f"{tmp_path}/nowhere/testTrainMulti_7030_splits" in missing.value.advice


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        (
            "trainlist01.txt",
            "ApplyEyeMakeup/v_ApplyEyeMakeup_g03_c01.avi 2\n",
            r"trainlist01\.txt:1: .* does not agree",
        ),
        ("testlist01.txt", "Juggling/v_Juggling_g01_c01.avi\n", r"testlist01\.txt:1: .* does not agree with classInd"),
        ("testlist01.txt", "ApplyEyeMakeup/v_ApplyEyeMakeup_g99_c01.avi\n", r"g99_c01\.avi: is missing"),
        ("testlist01.txt", "\n", "has no test files of UCF101"),
    ],
)
def test_lists_that_contradict_each_other_are_refused(tmp_path: Path, file: str, text: str, message: str) -> None:
    root = write_ucf101(tmp_path)
    (root / "ucfTrainTestlist" / file).write_text(text)
    with pytest.raises(InputError, match=message):
        load_pictures(settings("ucf101", root))


def test_damaged_tables_of_ssv2_are_named(tmp_path: Path) -> None:
    root = write_ssv2(tmp_path)
    (root / "labels" / "train.json").write_text(json.dumps([{"id": "4", "template": "Never [seen]"}]))
    with pytest.raises(InputError, match=r"train\.json: entry 0: has no id, or no template of labels\.json"):
        ssv2(root, 1)
    (root / "labels" / "labels.json").write_text("{")
    with pytest.raises(InputError, match=r"labels\.json: is not valid JSON"):
        ssv2(root, 1)
    (root / "labels" / "labels.json").write_text('{"Holding something": "174"}')
    (root / "labels" / "train.json").write_text(json.dumps([{"id": "4", "template": "Holding [something]"}]))
    with pytest.raises(InputError, match=r"4\.webm: is of class 174, and Something-Something V2 has 174"):
        load_pictures(settings("ssv2", root))


@pytest.mark.parametrize(
    ("dataset", "more", "message"),
    [
        ("ssv2", {"augment": ("flip",)}, "data.augment: 'flip' makes another class of Something-Something V2"),
        ("ssv2", {"split": 2}, "data.split: 2 of Something-Something V2, which has 1 official split; give 1"),
        ("imagenet", {"stride": 2}, "data.stride: chooses frames of a video"),
        ("imagenet", {"augment": ("time-jitter",)}, "data.augment: chooses frames of a video"),
        ("ucf101", {"augment": ("resized-crop", "scaled-crop")}, "names two crops, 'resized-crop' and 'scaled-crop'"),
    ],
)
def test_settings_that_a_dataset_cannot_have_are_refused(
    tmp_path: Path, dataset: str, more: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        load_pictures(settings(dataset, tmp_path, **more))

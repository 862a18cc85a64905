"""CIFAR from files in the formats of both archives, which the tests write."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from neurodeploy.errors import InputError, UsageError
from neurodeploy.models.convnet import as_input
from neurodeploy.models.data.augmentation import padded_crop
from neurodeploy.models.data.cifar import CIFAR
from neurodeploy.models.dataset import dataset_kind, load_dataset
from neurodeploy.models.recipe import DataSettings
from neurodeploy.npz import read_events


def pictures(number: int, seed: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (number, 3072), np.uint8), rng.permutation(number) % classes


def as_python_2(batch: dict[str, object]) -> bytes:
    """Return a pickle as the archives have it: keys and texts are byte strings, the array has an old module's name."""
    raw = pickle.dumps({key.encode(): value for key, value in batch.items()}, protocol=2)
    return raw.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")


def write(root: Path, dataset: str, form: int, each: int = 20) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Write every file of one form; return what each side holds."""
    kind = CIFAR[dataset]
    archive = kind.archives[form]
    folder = root / archive.folder
    folder.mkdir(parents=True)
    sides: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {"train": [], "test": []}
    for seed, name in enumerate((*archive.train, archive.test)):
        data, labels = pictures(each, seed, kind.classes)
        sides["test" if name == archive.test else "train"].append((data, labels))
        if archive.label_bytes:
            coarse = [np.full((each, 1), 7)] if archive.label_bytes == 2 else []
            records = np.concatenate([*coarse, labels[:, np.newaxis], data], axis=1).astype(np.uint8)
            (folder / name).write_bytes(records.tobytes())
        else:
            content = {
                "data": data,
                kind.key.decode(): labels.tolist(),
                "coarse_labels": [7] * each,
                "batch_label": "x",
            }
            (folder / name).write_bytes(as_python_2(content))
    return {
        side: (np.concatenate([data for data, _ in parts]), np.concatenate([labels for _, labels in parts]))
        for side, parts in sides.items()
    }


def settings(dataset: str, folder: Path, **more: object) -> DataSettings:
    return DataSettings(dataset, 3, 10, 10, folder=str(folder), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("dataset", CIFAR)
@pytest.mark.parametrize("form", [0, 1])
def test_every_form_gives_its_pictures_and_labels(tmp_path, dataset, form):
    written = write(tmp_path, dataset, form)
    data = load_dataset(settings(dataset, tmp_path))
    for name in ("train", "test"):
        side, (pixels, labels) = getattr(data, name), written[name]
        assert side.labels.tolist() == labels.tolist()
        samples = side.take(np.array([3, 1]))
        assert samples.spikes.shape == (2, 3, 3, 32, 32)
        assert (samples.spikes == pixels[[3, 1]].reshape(2, 1, 3, 32, 32)).all()
    assert len(data.calibration) == 10
    inner = tmp_path / CIFAR[dataset].archives[form].folder
    assert load_dataset(settings(dataset, inner)).train.fingerprint() == data.train.fingerprint()
    data.test.save(tmp_path / "test.npz")
    assert read_events(tmp_path / "test.npz").samples == 10


def test_pixels_are_scaled_by_the_statistics_of_each(tmp_path):
    kind = dataset_kind(DataSettings("cifar10"))
    assert (kind.input_shape, kind.classes) == ((3, 32, 32), 10)
    x = as_input(np.full((1, 1, 3, 1, 1), 188, np.uint8), kind.scaling)
    assert x.flatten().tolist() == pytest.approx([(188 - 125.3) / 63, (188 - 123) / 62.1, (188 - 113.9) / 66.7])
    unit = dataset_kind(DataSettings("cifar100", pixels="unit")).scaling
    assert as_input(np.full((1, 1, 3, 1, 1), 255, np.uint8), unit).flatten().tolist() == [1, 1, 1]


class Trap:
    def __reduce__(self):
        return (Path.touch, (Path("trapped"),))


def test_a_pickle_that_would_run_something_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "cifar100", 1)
    (tmp_path / "cifar-100-python" / "train").write_bytes(pickle.dumps({b"data": Trap()}, protocol=2))
    with pytest.raises(InputError, match=r"train: is no batch of pictures .UnpicklingError: it asks for "):
        load_dataset(settings("cifar100", tmp_path))
    assert not Path("trapped").exists()


def test_damaged_and_missing_files_are_named(tmp_path):
    write(tmp_path / "a", "cifar10", 0)
    folder = tmp_path / "a" / "cifar-10-batches-bin"
    path = folder / "data_batch_3.bin"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(InputError, match=r"data_batch_3.bin: has 61459 bytes, no multiple of 3073"):
        load_dataset(settings("cifar10", tmp_path / "a"))
    path.write_bytes(b"\x0a" + whole[1:])
    with pytest.raises(InputError, match=r"data_batch_3.bin: has the label 10 in record 0, and CIFAR-10 has 10"):
        load_dataset(settings("cifar10", tmp_path / "a"))
    path.unlink()
    with pytest.raises(InputError, match=r"data_batch_3.bin: is missing") as caught:
        load_dataset(settings("cifar10", tmp_path / "a"))
    assert "cifar-10-batches-py/{data_batch_1," in caught.value.advice
    (tmp_path / "b").mkdir()
    with pytest.raises(InputError, match=r"test_batch.bin: is missing"):
        load_dataset(settings("cifar10", tmp_path / "b"))
    write(tmp_path / "c", "cifar10", 1)
    batch = tmp_path / "c" / "cifar-10-batches-py" / "data_batch_1"
    for content in (batch.read_bytes()[:-100], as_python_2({"data": np.zeros((2, 3071), np.uint8), "labels": [1, 2]})):
        batch.write_bytes(content)
        with pytest.raises(InputError, match=r"data_batch_1: is no batch of pictures"):
            load_dataset(settings("cifar10", tmp_path / "c"))
    with pytest.raises(UsageError, match=r"data.size: is 48, and CIFAR-10 has 32 x 32 pixels"):
        load_dataset(settings("cifar10", tmp_path / "a", size=48))


def test_a_padded_crop_shows_the_picture_or_its_mirror_everywhere():
    frames = np.arange(2 * 3 * 32 * 32).reshape(2, 3, 32, 32).astype(np.uint8)
    padded = np.pad(frames, [(0, 0), (0, 0), (4, 4), (4, 4)], mode="reflect")
    seen = set()
    for seed in range(40):
        crop = padded_crop(frames, np.random.default_rng(seed), 4)
        place = [
            (i, j) for i in range(9) for j in range(9) if np.array_equal(crop, padded[..., i : i + 32, j : j + 32])
        ]
        assert len(place) == 1
        seen.update(place)
    assert len(seen) > 20
    assert any(i == 0 for i, _ in seen)
    assert any(i == 8 for i, _ in seen)

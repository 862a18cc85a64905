from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from neurodeploy.errors import InputError
from neurodeploy.models.data.mean_iou import class_iou, confusion, mean_iou, pixel_accuracy
from neurodeploy.models.data.segmentation import (
    IGNORED,
    Segmented,
    cut,
    fitted,
    for_training,
    load_ade20k,
    mirrored,
    nearest,
    padded,
    stacked,
)


def write_ade20k(folder: Path, size: tuple[int, int] = (60, 80)) -> Path:
    """Write two images a side; left is "other", the middle class 1, the right class 150, each with its own grey."""
    numbers = np.zeros(size, np.uint8)
    numbers[:, size[1] // 4 :], numbers[:, size[1] // 2 :] = 1, 150
    image = np.repeat(np.select([numbers == 0, numbers == 1], [40, 120], 200)[..., np.newaxis], 3, axis=2)
    root = folder / "ADEChallengeData2016"
    for side, name in (("training", "train"), ("validation", "val")):
        for kind in ("images", "annotations"):
            (root / kind / side).mkdir(parents=True)
        for number in (1, 2):
            stem = f"ADE_{name}_{number:08}"
            Image.fromarray(image.astype(np.uint8)).save(root / "images" / side / f"{stem}.jpg", quality=95)
            Image.fromarray(numbers).save(root / "annotations" / side / f"{stem}.png")
    return folder


def draws(number: int) -> list[np.random.Generator]:
    return [np.random.default_rng(seed) for seed in range(number)]


def sample(height: int = 40, width: int = 60) -> Segmented:
    image = np.broadcast_to(np.arange(width, dtype=np.uint8), (3, height, width)).copy()
    return Segmented(image, image[0] // 20, "x")


def test_classes_count_from_zero_and_other_is_ignored(tmp_path: Path) -> None:
    train, val = load_ade20k(str(write_ade20k(tmp_path)))
    assert (len(train), len(val)) == (2, 2)
    read = val.read(1)
    assert read.name == "ADE_val_00000002"
    assert np.unique(read.classes).tolist() == [0, 149, IGNORED]
    assert (read.classes[0, [0, 30, 79]] == [IGNORED, 0, 149]).all()
    assert np.abs(read.image[:, 5, [5, 30, 70]].astype(int) - [40, 120, 200]).max() < 8


def test_tests_see_the_whole_image_beside_a_map_of_the_files_size(tmp_path: Path) -> None:
    val = load_ade20k(str(write_ade20k(tmp_path)))[1]
    (seen,) = val.take(np.array([0]))
    assert seen.image.shape == (3, 512, 683)
    assert seen.classes.shape == (60, 80)
    assert fitted(100, 1000, 2048, 512) == (205, 2048)


def test_training_sees_crops_whose_map_lies_on_its_image(tmp_path: Path) -> None:
    train = load_ade20k(str(write_ade20k(tmp_path)), size=48)[0]
    seen = train.draw(np.array([0, 1, 0]), draws(3))
    again = train.draw(np.array([0]), draws(1))
    assert np.array_equal(seen[0].image, again[0].image)
    images, classes = stacked(seen)
    assert images.shape == (3, 3, 48, 48)
    assert classes.shape == (3, 48, 48)
    assert not np.array_equal(images[0], images[2])


def test_image_and_map_move_together() -> None:
    found = set()
    for seed in range(40):
        draw = np.random.default_rng(seed)
        part = mirrored(cut(sample(), draw, 24), draw)
        assert part.image.shape == (3, 24, 24)
        assert (part.image[0] // 20 == part.classes).all()
        found.add(int(part.image[0, 0, 0]) < int(part.image[0, 0, -1]))
    assert found == {True, False}


def test_a_part_of_nearly_one_class_is_drawn_again() -> None:
    """Two thirds of the width are one class; parts that hold both evenly are rare and taken nevertheless."""
    wide = Segmented(
        np.zeros((3, 30, 300), np.uint8), (np.arange(300) >= 150).astype(np.uint8) * np.ones((30, 1), np.uint8), "x"
    )
    shares = []
    for seed in range(60):
        counts = np.bincount(cut(wide, np.random.default_rng(seed), 100).classes.ravel(), minlength=2)
        shares.append(counts.max() / counts.sum())
    assert np.mean(np.array(shares) < 0.75) > 0.8  # a quarter of all places
    ignored = Segmented(wide.image, np.where(wide.classes == 1, IGNORED, 0).astype(np.uint8), "x")
    assert cut(ignored, np.random.default_rng(0), 100).classes.shape == (30, 100)


def test_what_is_missing_of_a_crop_is_ignored() -> None:
    filled = padded(sample(10, 60), 64)
    assert filled.image.shape == (3, 64, 64)
    assert (filled.classes[10:] == IGNORED).all()
    assert (filled.classes[:, 60:] == IGNORED).all()
    assert np.array_equal(filled.classes[:10, :60], sample(10, 60).classes)
    assert filled.image[:, 20, 5].tolist() == [124, 116, 104]


def test_a_resized_map_holds_no_class_that_was_not_there() -> None:
    numbers = np.array([[0, 149], [IGNORED, 7]], np.uint8)
    assert set(np.unique(nearest(numbers, 9, 5))) == {0, 7, 149, IGNORED}
    assert for_training(sample(), np.random.default_rng(4), 32).classes.max() in (0, 1, 2, IGNORED)


def test_a_missing_or_unlike_map_is_named(tmp_path: Path) -> None:
    root = write_ade20k(tmp_path) / "ADEChallengeData2016"
    path = root / "annotations" / "validation" / "ADE_val_00000001.png"
    Image.fromarray(np.zeros((5, 5), np.uint8)).save(path)
    with pytest.raises(InputError, match=r"ADE_val_00000001\.png: has 5 x 5 pixels, its image 80 x 60"):
        load_ade20k(str(tmp_path))[1].read(0)
    Image.fromarray(np.full((60, 80), 151, np.uint8)).save(path)
    with pytest.raises(InputError, match=r"holds class 151 of 150"):
        load_ade20k(str(tmp_path))[1].read(0)
    Image.fromarray(np.zeros((60, 80, 3), np.uint8)).save(path)
    with pytest.raises(InputError, match=r"not one byte a pixel"):
        load_ade20k(str(tmp_path))[1].read(0)
    path.unlink()
    with pytest.raises(InputError, match=r"ADE_val_00000001\.png: is missing") as caught:
        load_ade20k(str(tmp_path))
    assert "annotations/{training,validation}/*.png" in caught.value.advice


def test_mean_iou_by_hand() -> None:
    truth = np.array([[0, 0, 1], [1, 2, IGNORED]])
    predicted = np.array([[0, 1, 1], [1, 0, 2]])
    matrix = confusion(predicted, truth, 4)
    assert matrix.tolist() == [[1, 1, 0, 0], [0, 2, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    assert class_iou(matrix)[:3].tolist() == [1 / 3, 2 / 3, 0.0]
    assert np.isnan(class_iou(matrix)[3])
    assert mean_iou(matrix) == pytest.approx(1 / 3)
    assert pixel_accuracy(matrix) == pytest.approx(3 / 5)


def test_tables_of_several_images_add() -> None:
    random = np.random.default_rng(0)
    truth, predicted = random.integers(0, 5, (2, 20, 10)), random.integers(0, 5, (2, 20, 10))
    apart = sum((confusion(p, t, 5) for p, t in zip(predicted, truth, strict=True)), np.zeros((5, 5), np.int64))
    assert np.array_equal(apart, confusion(predicted, truth, 5))
    for each in range(5):
        both = np.sum((truth == each) & (predicted == each))
        assert class_iou(apart)[each] == pytest.approx(both / np.sum((truth == each) | (predicted == each)))


def test_perfect_and_empty_tables() -> None:
    truth = np.array([3, 3, 0])
    assert mean_iou(confusion(truth, truth, 150)) == 1.0
    assert np.isnan(mean_iou(confusion(truth, np.full(3, IGNORED), 150)))
    with pytest.raises(ValueError, match="a class outside 0 to 2"):
        confusion(truth, truth, 3)
    with pytest.raises(ValueError, match="shape"):
        confusion(truth, truth[:2], 4)

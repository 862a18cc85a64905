import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from neurodeploy.errors import InputError
from neurodeploy.models.data.average_precision import FIGURES, Detections, average_precision
from neurodeploy.models.data.coco import DetectionSet, load_coco, mask_of
from neurodeploy.models.data.detection import SCALES, Detected, cut, drawn_crop, for_training, mirrored, resized_to

#: Boxes (left, top, width, height) of the objects of image 7, by COCO's categories; the last one is a crowd.
BOXES = ((4, 6, 20, 10), (30, 2, 8, 30), (0, 0, 50, 40))


def run_lengths(mask: np.ndarray) -> list[int]:
    """Return run lengths down the columns, the first of background."""
    runs, value, length = [], 0, 0
    for cell in mask.T.ravel().tolist():
        if cell != value:
            runs.append(length)
            value, length = cell, 0
        length += 1
    return [*runs, length]


def box_mask(box: tuple[int, int, int, int], height: int = 40, width: int = 50) -> np.ndarray:
    left, top, wide, tall = box
    mask = np.zeros((height, width), np.uint8)
    mask[top : top + tall, left : left + wide] = 1
    return mask


def annotations(image_id: int) -> list[dict[str, Any]]:
    polygon = [4, 6, 24, 6, 24, 16, 4, 16]
    runs = {"size": [40, 50], "counts": run_lengths(box_mask(BOXES[1]))}
    shapes = ([polygon], runs, {"size": [40, 50], "counts": run_lengths(box_mask(BOXES[2]))})
    return [
        {
            "id": 10 * image_id + number,
            "image_id": image_id,
            "category_id": (90, 13, 1)[number],
            "bbox": list(box),
            "area": box[2] * box[3],
            "iscrowd": int(number == 2),
            "segmentation": shape,
        }
        for number, (box, shape) in enumerate(zip(BOXES, shapes, strict=True))
    ]


def write_coco(folder: Path, change: dict[str, Any] | None = None) -> Path:
    """Write one image with objects and one without, on both sides; ``change`` replaces keys of the first annotation."""
    (folder / "annotations").mkdir(parents=True, exist_ok=True)
    for side in ("train2017", "val2017"):
        (folder / side).mkdir(exist_ok=True)
        images = [{"id": i, "file_name": f"{i:012}.jpg", "height": 40, "width": 50} for i in (7, 3)]
        for image in images:
            Image.fromarray(np.full((40, 50, 3), 90, np.uint8)).save(folder / side / str(image["file_name"]))
        objects = annotations(7)
        objects[0] |= change or {}
        categories = [{"id": number, "name": str(number)} for number in (1, 13, 90)]
        table = {"images": images, "annotations": objects, "categories": categories}
        (folder / "annotations" / f"instances_{side}.json").write_text(json.dumps(table))
    return folder


@pytest.fixture
def val(tmp_path: Path) -> DetectionSet:
    return load_coco(str(write_coco(tmp_path)))[1]


def test_objects_are_read_with_boxes_masks_and_classes_without_gaps(val: DetectionSet) -> None:
    found = val.read(0)
    assert (found.image_id, found.size, len(found)) == (7, (40, 50), 2)  # the crowd is left out
    assert found.boxes.tolist() == [[4, 6, 24, 16], [30, 2, 38, 32]]
    assert found.labels.tolist() == [2, 1]
    assert val.categories == (1, 13, 90)
    assert np.array_equal(found.masks, np.stack([box_mask(box) for box in BOXES[:2]]))
    assert found.image.shape == (3, 40, 50)


def test_training_leaves_out_images_without_objects_and_testing_does_not(tmp_path: Path) -> None:
    train, val = load_coco(str(write_coco(tmp_path)))
    assert [each.image_id for each in train.pictures] == [7]
    assert [each.image_id for each in val.pictures] == [7, 3]
    empty = val.take(np.array([1]))[0]
    assert (len(empty), empty.boxes.shape, empty.masks.shape) == (0, (0, 4), (0, 800, 1000))


def test_a_mask_of_several_polygons_and_of_compressed_runs() -> None:
    both = mask_of([[0, 0, 4, 0, 4, 4, 0, 4], [6, 6, 9, 6, 9, 9, 6, 9]], 10, 10)
    assert both.sum() == 16 + 9
    assert both[:4, :4].all()
    from pycocotools.mask import encode

    mask = np.random.default_rng(0).random((9, 11)) < 0.4
    assert np.array_equal(mask_of(encode(np.asfortranarray(mask, np.uint8)), 9, 11), mask)
    with pytest.raises(ValueError, match="run lengths of"):
        mask_of({"size": [2, 2], "counts": [4]}, 9, 11)


def sample(height: int = 40, width: int = 50) -> Detected:
    """Return two objects whose pixels are brighter than the rest, each by its own level."""
    masks = np.stack([box_mask(box, height, width) for box in BOXES[:2]]).astype(bool)
    image = np.repeat((60 * masks[0] + 150 * masks[1]).astype(np.uint8)[np.newaxis], 3, axis=0)
    boxes = np.array([[4, 6, 24, 16], [30, 2, 38, 32]], np.float32)
    return Detected(image, boxes, np.array([2, 1]), masks, 7, (height, width))


def check_together(found: Detected) -> None:
    """Hold boxes, masks and pixels of a sample against each other."""
    assert found.masks.shape[1:] == found.image.shape[1:]
    for box, label, mask in zip(found.boxes, found.labels, found.masks, strict=True):
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        around = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
        assert np.abs(box - around).max() <= 1.0
        inside = found.image[0][mask]
        assert np.median(inside) == {2: 60, 1: 150}[int(label)]


def test_boxes_masks_and_pixels_stay_together() -> None:
    check_together(mirrored(sample(), np.random.default_rng(0), 1.0))
    check_together(resized_to(sample(), 120))
    check_together(cut(sample(), 4, 10, 20, 25))
    for seed in range(6):
        check_together(drawn_crop(resized_to(sample(), 400), np.random.default_rng(seed)))


def test_what_lies_outside_a_part_is_left_out() -> None:
    left = cut(sample(), 0, 0, 40, 26)
    assert left.labels.tolist() == [2]
    assert left.boxes.tolist() == [[4, 6, 24, 16]]
    nothing = cut(sample(), 33, 0, 7, 50)
    assert (len(nothing), nothing.masks.shape) == (0, (0, 7, 50))
    assert cut(sample(), 10, 20, 20, 15).boxes.tolist() == [[0, 0, 4, 6], [10, 0, 15, 20]]


def test_sizes_of_training_and_testing() -> None:
    assert resized_to(sample(), 800).image.shape == (3, 800, 1000)
    assert resized_to(sample(40, 400), 800).image.shape[1:] == (133, 1333)
    assert (SCALES[0], SCALES[-1], len(SCALES)) == (480, 800, 11)
    seen = [for_training(sample(), np.random.default_rng(seed)) for seed in range(4)]
    assert {min(each.image.shape[1:]) for each in seen} <= set(SCALES)
    again = for_training(sample(), np.random.default_rng(3))
    assert np.array_equal(seen[3].image, again.image)


def answer(val: DetectionSet, keep: int = 2, score: float = 0.9) -> Detections:
    truth = val.read(0)
    return Detections(7, truth.boxes[:keep], truth.labels[:keep], np.full(keep, score), truth.masks[:keep])


@pytest.mark.parametrize("masks", [False, True])
def test_the_truth_has_an_average_precision_of_one_and_nothing_has_none(val: DetectionSet, masks: bool) -> None:
    perfect = average_precision([answer(val)], val, masks=masks)
    assert list(perfect) == list(FIGURES)
    assert [perfect[name] for name in ("AP", "AP50", "AR100")] == pytest.approx([1.0, 1.0, 1.0])
    assert perfect["APl"] == -1.0  # there are no large objects
    half = average_precision([answer(val, 1)], val, masks=masks)
    assert half["AP"] == pytest.approx(0.5)  # one of two classes
    assert average_precision([], val, masks=masks)["AP"] == 0.0


def test_a_box_of_some_overlap_counts_at_the_thresholds_that_it_passes(val: DetectionSet) -> None:
    """Half a box more to the right: an overlap of 2/3, above the four thresholds 0.50, 0.55, 0.60, 0.65 of ten."""
    found = answer(val)
    wider = found.boxes.copy()
    wider[:, 2] += (wider[:, 2] - wider[:, 0]) / 2
    shifted = Detections(7, wider, found.labels, found.scores)
    figures = average_precision([shifted], val)
    assert figures["AP"] == pytest.approx(0.4)
    assert (figures["AP50"], figures["AP75"]) == pytest.approx((1.0, 0.0))
    with pytest.raises(ValueError, match="no masks for image 7"):
        average_precision([shifted], val, masks=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"category_id": 2}, r"annotation 70 is of category 2, which is none"),
        ({"bbox": [1, 2]}, r"is no table of instances \(ValueError"),
        ({"area": None}, r"is no table of instances \(TypeError"),
    ],
)
def test_a_damaged_table_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=rf"instances_train2017\.json: .*{message}"):
        load_coco(str(write_coco(tmp_path, change)))


def test_an_object_without_a_shape_and_a_lost_image_are_named(tmp_path: Path) -> None:
    val = load_coco(str(write_coco(tmp_path, {"segmentation": {"size": [3, 3], "counts": [9]}})))[1]
    with pytest.raises(InputError, match=r"annotation 70: makes no mask \(run lengths of \[3, 3\]"):
        val.read(0)
    (val.folder / val.pictures[1].name).unlink()
    with pytest.raises(InputError, match=r"000000000003\.jpg: no such file"):
        val.take(np.array([1]))
    (tmp_path / "annotations" / "instances_val2017.json").unlink()
    with pytest.raises(InputError, match=r"instances_val2017\.json: is missing") as caught:
        load_coco(str(tmp_path))
    assert "cocodataset.org" in caught.value.advice

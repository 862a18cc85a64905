"""What tests tell of networks that know the answers."""

from pathlib import Path

import pytest
import torch
from torch import nn

from neurodeploy.models.data.coco import load_coco
from neurodeploy.models.data.segmentation import load_ade20k
from neurodeploy.models.processes import ALONE
from neurodeploy.models.tasks.detection import Detection
from neurodeploy.models.tasks.segmentation import Segmentation
from tests.models.data.test_detection import BOXES, write_coco
from tests.models.data.test_segmentation import write_ade20k
from tests.models.tasks.test_tasks_training import recipe_for


class BrightnessNet(nn.Module):
    """Class 0 where the fixture's images are grey, 149 where they are bright."""

    def forward(self, x):
        bright = x.mean(2) > 0.64
        answers = torch.zeros(*x.shape[:2], 150, *x.shape[3:])
        answers[:, :, 0], answers[:, :, 149] = (~bright).float(), bright.float()
        return answers


def test_who_reads_the_classes_off_the_pixels_has_a_mean_iou_near_one(tmp_path: Path):
    model, recipe = BrightnessNet().eval(), recipe_for("ade20k", tmp_path, 'pixels="unit"')
    task = Segmentation(recipe, model, model, ALONE)
    figures = task.figures(load_ade20k(str(write_ade20k(tmp_path / "data")), 60)[1])
    assert figures["score"] > 0.95
    assert figures["pixel_accuracy"] > 0.95

    class Wrong(BrightnessNet):
        def forward(self, x):
            return super().forward(1.28 - x)

    model = Wrong().eval()
    assert Segmentation(recipe, model, model, ALONE).figures(load_ade20k(str(tmp_path / "data"), 60)[1])["score"] < 0.05


class Knowing(nn.Module):
    """Finds the fixture's two objects in pixels of the image it is fed, and nothing in an image beside it."""

    def __init__(self, shift: float = 0.0) -> None:
        super().__init__()
        self.shift, self.seen = shift, []

    def forward(self, images):
        (image,) = images
        self.seen.append(tuple(image.shape))
        scale = image.shape[1] / 40
        boxes = torch.tensor([[left, top, left + wide, top + tall] for left, top, wide, tall in BOXES[:2]])
        found = {"boxes": boxes * scale + self.shift * scale, "labels": torch.tensor([3, 2])}
        masks = torch.ones(2, 1, 28, 28)
        number = 2 if len(self.seen) == 1 else 0
        every = {**found, "scores": torch.tensor([0.9, 0.8]), "masks": masks}
        return [{name: value[:number] for name, value in every.items()}]


@pytest.mark.parametrize(("shift", "ap", "ap50"), [(0.0, 1.0, 1.0), (30.0, 0.0, 0.0)])
def test_who_finds_every_object_has_an_average_precision_of_one(tmp_path: Path, shift, ap, ap50):
    """Boxes go from the image that is seen, 80 x 100, to the file's 40 x 50; classes count from 1 behind none."""
    val = load_coco(str(write_coco(tmp_path / "data")), 80)[1]
    model = Knowing(shift).eval()
    figures = Detection(recipe_for("coco", tmp_path), model, model, ALONE).figures(val)
    assert model.seen == [(3, 80, 100)] * 2
    assert figures["score"] == pytest.approx(ap)
    assert figures["box_AP50"] == pytest.approx(ap50)
    assert figures["mask_AP50"] == pytest.approx(ap50)  # at this size, a pixel at the border of a mask is much of it

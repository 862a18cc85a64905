"""Mask R-CNN: its published sizes, its losses in training and what it finds in evaluation."""

import pytest
import torch

from neurodeploy.models.metasdt.detection import MaskRcnn, mask_rcnn
from neurodeploy.models.metasdt.settings import V3_CHANNELS, MetaSdtSettings
from tests.models.metasdt.test_metasdt_invariants import SMALL

FEW = {
    "box_batch_size_per_image": 16,
    "rpn_post_nms_top_n_train": 32,
    "rpn_post_nms_top_n_test": 32,
    "box_score_thresh": 0.0,
    "box_detections_per_img": 5,
}
LOSSES = {"loss_objectness", "loss_rpn_box_reg", "loss_classifier", "loss_box_reg", "loss_mask"}


def detector() -> MaskRcnn:
    torch.manual_seed(0)
    return mask_rcnn(MetaSdtSettings(**SMALL, mixer="srb"), classes=4, width=8, features=16, **FEW)


def target(height: int, width: int) -> dict[str, torch.Tensor]:
    masks = torch.zeros(2, height, width, dtype=torch.uint8)
    masks[0, 4:24, 6:30], masks[1, 20:40, 20:44] = 1, 1
    found = torch.tensor([[6.0, 4, 30, 24], [20, 20, 44, 40]])
    return {"boxes": found, "labels": torch.tensor([1, 3]), "masks": masks}


def none(height: int, width: int) -> dict[str, torch.Tensor]:
    every = target(height, width)
    return {name: value[:0] for name, value in every.items()}


@pytest.mark.parametrize(
    ("size", "mixer", "published", "found"),
    [
        ("t", "conv", 25, 24_930_773),
        ("b", "conv", 39, 38_745_021),
        ("t", "srb", 25, 24_626_261),
        ("b", "srb", 37, 37_529_789),
    ],
)
def test_mask_rcnn_has_the_published_size(size, mixer, published, found):
    with torch.device("meta"):
        model = mask_rcnn(MetaSdtSettings(channels=V3_CHANNELS[size], mixer=mixer))
    total = sum(parameter.numel() for parameter in model.parameters())
    assert total == found
    assert total / 1e6 == pytest.approx(published, abs=0.55)


def test_training_gives_five_losses_and_reaches_every_parameter():
    model, images = detector().train(), [torch.randn(3, 64, 64), torch.randn(3, 48, 70)]
    losses = model(images, [target(64, 64), target(48, 70)])
    assert set(losses) == LOSSES
    assert all(loss.isfinite() and loss > 0 for loss in losses.values())
    torch.stack(list(losses.values())).sum().backward()
    assert [name for name, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()] == []
    for part in (model.backbone.pyramid, model.rpn, model.roi_heads.box_head, model.roi_heads.mask_head):
        assert all(p.grad.abs().sum() > 0 for p in part.parameters())


def test_an_image_without_objects_trains_what_is_no_object():
    model = detector().train()
    losses = model([torch.randn(3, 48, 48)], [none(48, 48)])
    assert losses["loss_objectness"] > 0
    assert losses["loss_box_reg"] == losses["loss_mask"] == 0


def test_evaluation_finds_boxes_on_the_image_and_pastes_their_masks():
    model, images = detector().eval(), [torch.randn(3, 64, 64), torch.randn(3, 48, 70)]
    with torch.no_grad():
        found = model(images)
    assert [len(each["boxes"]) for each in found] == [5, 5]
    for each, (height, width) in zip(found, [(64, 64), (48, 70)], strict=True):
        assert each["boxes"].min() >= 0
        assert (each["boxes"].amax(0) <= torch.tensor([width, height, width, height])).all()
        assert set(each["labels"].tolist()) <= {1, 2, 3}
        assert (each["scores"].diff() <= 0).all()
        assert each["masks"].shape == (5, 1, 28, 28)
    pasted = model.pasted(found[1], (48, 70), (96, 140))
    assert torch.allclose(pasted["boxes"], 2 * found[1]["boxes"])
    assert pasted["masks"].shape == (5, 1, 96, 140)
    left, top, right, bottom = pasted["boxes"][0].round().int().tolist()
    outside = pasted["masks"][0, 0].clone()
    outside[max(top - 6, 0) : bottom + 6, max(left - 6, 0) : right + 6] = 0
    assert not outside.any()


def test_what_one_image_holds_does_not_depend_on_the_others_of_its_batch():
    """Images of one batch are filled up to the largest with zeros, which reach no further than a few pixels."""
    model, image = detector().eval(), torch.randn(3, 64, 64)
    with torch.no_grad():
        alone, beside = model([image])[0], model([image, torch.randn(3, 64, 64)])[0]
    assert torch.allclose(alone["boxes"], beside["boxes"], atol=1e-4)
    assert torch.allclose(alone["masks"], beside["masks"], atol=1e-5)


def test_weights_are_loaded_by_name():
    model = detector().eval()
    other = mask_rcnn(MetaSdtSettings(**SMALL, mixer="srb"), classes=4, width=8, features=16, **FEW).eval()
    names = set(other.state_dict())
    assert {"rpn.head.conv.0.0.weight", "roi_heads.box_head.fc6.weight", "roi_heads.mask_head.3.0.bias"} <= names
    assert "roi_heads.mask_predictor.mask_fcn_logits.weight" in names
    other.load_state_dict(model.state_dict())
    image = [torch.randn(3, 48, 48)]
    with torch.no_grad():
        assert torch.equal(model(image)[0]["boxes"], other(image)[0]["boxes"])

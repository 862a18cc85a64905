"""Segmentation and detection: sizes, losses, metrics, and what happens without torchvision."""

import importlib.util
import math

import pytest
import torch

from neurodeploy.errors import BackendMissing
from neurodeploy.models.data.segmentation import IGNORED
from neurodeploy.models.metasdt.detection import DetectionBackbone, mask_rcnn
from neurodeploy.models.metasdt.segmentation import SemanticFpn, pixel_loss
from neurodeploy.models.metasdt.settings import V3_CHANNELS, MetaSdtSettings
from tests.models.metasdt.test_metasdt_invariants import SMALL


@pytest.mark.parametrize(
    ("size", "mixer", "published", "found"),
    [
        ("t", "conv", 6.5, 6_596_726),
        ("t", "srb", 6.2, 6_292_214),
        ("b", "conv", 20.4, 20_346_462),
        ("b", "srb", 19.2, 19_131_230),
    ],
)
def test_semantic_fpn_has_the_published_size(size, mixer, published, found):
    with torch.device("meta"):
        model = SemanticFpn(MetaSdtSettings(channels=V3_CHANNELS[size], mixer=mixer))
    total = sum(parameter.numel() for parameter in model.parameters())
    assert total == found
    assert total / 1e6 == pytest.approx(published, abs=0.1)


def test_semantic_fpn_answers_at_every_pixel_and_learns():
    torch.manual_seed(0)
    model = SemanticFpn(MetaSdtSettings(**SMALL, mixer="srb"), classes=3, width=4).train()
    x, labels = 2 * torch.randn(1, 2, 3, 20, 12), torch.randint(0, 3, (2, 20, 12))
    answers = model(x)
    assert answers.shape == (1, 2, 3, 20, 12)
    pixel_loss(answers, labels).backward()
    silent = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert silent == []
    assert model.pyramid.laterals[0].conv.weight.grad.abs().sum() > 0


def test_pixels_of_no_class_count_nowhere():
    labels = torch.tensor([[[IGNORED, 0], [149, IGNORED]]])
    answers = torch.zeros(1, 1, 150, 2, 2)
    changed = answers.clone()
    changed[..., 0, 0] = torch.arange(150.0)
    assert torch.equal(pixel_loss(changed, labels), pixel_loss(answers, labels))
    assert pixel_loss(answers, labels) == pytest.approx(math.log(150))
    assert pixel_loss(answers, torch.full((1, 2, 2), IGNORED)) == 0


def test_the_detector_s_backbone_has_five_maps():
    torch.manual_seed(0)
    backbone = DetectionBackbone(MetaSdtSettings(**SMALL), width=4)
    maps = backbone(torch.randn(1, 3, 32, 32))
    assert {name: tuple(level.shape[1:]) for name, level in maps.items()} == {
        "0": (4, 8, 8),
        "1": (4, 4, 4),
        "2": (4, 2, 2),
        "3": (4, 2, 2),
        "pool": (4, 1, 1),
    }
    assert backbone.strides == (4, 8, 16, 16)


def test_without_torchvision_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        BackendMissing, match=r'torchvision: is not installed here; run: pip install "neurodeploy.detec'
    ):
        mask_rcnn(MetaSdtSettings(**SMALL))

"""Parameter counts to the unit (D9): modules, networks for event cameras, networks for images."""

import pytest
import torch

from neurodeploy.models.architectures import ModelContext
from neurodeploy.models.sma.attention import MultiscaleAttention
from neurodeploy.models.sma.networks import SmaResNet, SmaVgg
from neurodeploy.models.sma.settings import SmaResNetSettings, SmaVggSettings


def count(model: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize(
    ("channels", "steps", "kept", "expected"),
    [
        (16, 16, 4, 22_472),
        (128, 16, 4, 1_399_204),
        (256, 16, 4, 5_591_492),
        (128, 10, 2, 1_398_958),
        (256, 10, 2, 5_591_246),
        (128, 14, 3, 1_399_085),
        (256, 14, 3, 5_591_373),
        (64, 6, 4, 350_372),
        (128, 6, 4, 1_398_964),
        (256, 6, 4, 5_591_252),
        (512, 6, 4, 22_356_244),
    ],
)
def test_d9_modules(channels, steps, kept, expected):
    with torch.device("meta"):
        module = MultiscaleAttention(channels, steps, (1, 3, 5, 7), (channels // 4, kept), torch.nn.ReLU)
    assert count(module) == expected


@pytest.mark.parametrize(
    ("classes", "steps", "size", "expected"),
    [(11, 16, (128, 128), 22_452_531), (10, 10, (128, 128), 22_451_014), (101, 14, (180, 240), 22_544_543)],
)
def test_d9_vgg8(classes, steps, size, expected):
    with torch.device("meta"):
        model = SmaVgg(SmaVggSettings(), ModelContext((2, *size), classes, steps))
        plain = SmaVgg(SmaVggSettings(attention="none"), ModelContext((2, *size), classes, steps))
    assert count(model) == expected
    if classes == 11:
        assert count(plain) == 15_461_835
        parts = [count(part) for part in model.stages.values()]
        assert parts == [1_344, 1_473_316, 5_887_172, 1_181_184, 2_360_832, 11_548_683]


@pytest.mark.parametrize(
    ("depth", "plain", "attended", "first_alone"),
    [
        (18, 11_693_736, 71_087_400, 41_390_568),
        (34, 21_801_896, 81_195_560, 51_498_728),
        (104, 77_350_504, 136_744_168, 107_047_336),
    ],
)
def test_d9_resnets(depth, plain, attended, first_alone):
    context = ModelContext((3, 224, 224), 1000, 6)
    options = ({"attention": "none"}, {}, {"attended_blocks": 1})
    with torch.device("meta"):
        counts = [count(SmaResNet(SmaResNetSettings(depth=depth, **one), context)) for one in options]
    assert counts == [plain, attended, first_alone]

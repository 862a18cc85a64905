"""Parameter counts to the unit (B3): totals of every published size, and the parts of T and B."""

import pytest
import torch

from neurodeploy.models.architectures import ModelContext
from neurodeploy.models.convnet import build_model
from neurodeploy.models.metasdt.network import MetaSdt
from neurodeploy.models.metasdt.settings import V2_CHANNELS, V3_CHANNELS, MetaSdtSettings, MetaSdtV2Settings
from neurodeploy.models.recipe import load_recipe
from neurodeploy.models.recipefiles import packaged_recipes

IMAGENET = ModelContext((3, 224, 224), 1000, 1)


def meta(settings: MetaSdtSettings | MetaSdtV2Settings) -> MetaSdt:
    with torch.device("meta"):
        return MetaSdt(settings, IMAGENET)


def count(model: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ("t", [5_105_608, 4_497_640, 5_230_568, 4_801_096, 5_685_576]),
        ("s", [10_023_112, 8_656_504, 10_097_080, 9_339_016, 11_120_584]),
        ("b", [18_987_504, 16_559_152, 19_333_904, 17_772_272, 21_153_232]),
    ],
)
def test_b3_totals_of_v3(size, expected):
    mixers = (("conv", 4), ("mlpixer", 4), ("mlpixer", 6), ("srb", 4), ("srb", 6))
    settings = [MetaSdtSettings(channels=V3_CHANNELS[size], mixer=mixer, expansion=e) for mixer, e in mixers]
    assert [count(meta(one)) for one in settings] == expected


@pytest.mark.parametrize("name", [name for name in packaged_recipes() if "sdt" in name and "smoke" not in name])
def test_a_recipe_names_its_size(name):
    with torch.device("meta"):
        model = build_model(load_recipe(name))
    assert f" {count(model):,} parameters" in packaged_recipes()[name].read_text()


def test_every_published_setting_has_a_recipe():
    mixers = ("conv", "mlpixer", "mlpixer-e6", "srb", "srb-e6")
    expected = {f"meta-sdt-{size}-{mixer}" for size in "tsb" for mixer in mixers}
    expected |= {f"ade20k-meta-sdt-{size}-{mixer}" for size in "tb" for mixer in ("conv", "mlpixer", "srb")}
    expected |= {f"coco-meta-sdt-{size}-{mixer}" for size in "tb" for mixer in ("conv", "srb")}
    assert expected <= set(packaged_recipes())


def test_b3_the_smallest_and_what_layout_and_order_change():
    assert count(meta(MetaSdtSettings(channels=V3_CHANNELS["nano"]))) == 2_702_048
    for layout in ("reference", "pointwise"):
        assert count(meta(MetaSdtSettings(mixer="srb", layout=layout))) == 4_801_096
    # The norm stands behind the convolution: with e C channels where that comes first.
    assert count(meta(MetaSdtSettings(mixer="srb", order="conv-mlp"))) == 4_801_096 + 2 * 3 * (16 + 32 + 2 * 64)


@pytest.mark.parametrize(("size", "expected"), [("8-384", 31_333_864), ("8-512", 55_350_248), ("8-768", 123_741_160)])
def test_b3_totals_of_v2(size, expected):
    assert count(meta(MetaSdtV2Settings(channels=V2_CHANNELS[size]))) == expected


@pytest.mark.parametrize(
    ("size", "conv", "srb", "downs", "rest"),
    [
        (
            "t",
            [21_344, 81_600, 318_848, 318_848],
            [13_024, 48_576, 187_264, 187_264],
            [2_400, 18_624, 74_112, 221_760],
            [2_206_464, 1_643_904, 193_000],
        ),
        (
            "b",
            [81_600, 318_848, 1_260_288, 1_260_288],
            [48_576, 187_264, 734_976, 734_976],
            [4_800, 74_112, 295_680, 830_520],
            [8_738_304, 5_743_440, 361_000],
        ),
    ],
)
def test_b3_parts(size, conv, srb, downs, rest):
    for mixer, expected in (("conv", conv), ("srb", srb)):
        model = meta(MetaSdtSettings(channels=V3_CHANNELS[size], mixer=mixer))
        sections = model.backbone.sections
        assert [count(block) for name in ("1a", "1b", "2") for block in sections[name][1:]] == expected
        assert [count(sections[name][0]) for name in ("1a", "2", "3", "4")] == downs
        assert [count(sections[name][1:]) for name in ("3", "4")] + [count(model.head)] == rest


def test_b3_shapes_at_224_pixels():
    model = meta(MetaSdtSettings())
    with torch.device("meta"):
        maps = model.backbone(torch.empty(1, 1, 3, 224, 224))
        answers = model.head(maps[-1])
    assert [tuple(y.shape[2:]) for y in maps] == [
        (16, 112, 112),
        (32, 56, 56),
        (64, 28, 28),
        (128, 14, 14),
        (192, 14, 14),
    ]
    assert answers.shape == (1, 1, 1000)

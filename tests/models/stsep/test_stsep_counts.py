"""Parameter counts to the unit, and keys that no choice of stateless stages changes (A9)."""

import pytest
import torch

from neurodeploy.models.architectures import ModelContext
from neurodeploy.models.spiking.layer import set_stateful
from neurodeploy.models.stsep.network import StsepNetwork
from neurodeploy.models.stsep.settings import StsepSettings


def meta(classes: int = 101, **options: object) -> StsepNetwork:
    with torch.device("meta"):
        return StsepNetwork(StsepSettings(**options), ModelContext((3, 112, 112), classes, 8))


def count(model: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize(("classes", "expected"), [(101, 11_228_325), (51, 11_202_675), (174, 11_265_774)])
@pytest.mark.parametrize("stateless", [(), ("1",), ("4", "3"), ("stem", "1", "2", "3", "4")])
def test_a9_every_ns_network_has_the_parameters_of_resnet_18(classes, expected, stateless):
    assert count(meta(classes, block="plain", stateless=stateless)) == expected


@pytest.mark.parametrize(
    ("options", "trunk"),
    [
        ({"block": "plain"}, 11_176_512),
        ({"block": "plain", "depth": 34}, 21_284_672),
        ({"block": "plain", "depth": 50}, 23_508_032),
        ({}, 22_169_664),
        ({"separated": ("1",)}, 11_176_512 + 4 * (64 * 64 * 9 + 128)),
        ({"width": "shared"}, 11_176_512),
        ({"fusion": "learned"}, 22_169_664 + 8),
    ],
)
def test_a9_trunks(options, trunk):
    model = meta(**options)
    assert count(model) - count(model.head) == trunk


def test_a9_keys_are_the_same_whatever_is_stateless():
    model = meta(block="plain")
    keys = list(model.state_dict())
    assert list(meta(block="plain", stateless=("stem", "1", "2", "3", "4")).state_dict()) == keys
    set_stateful(model, ["2"], flag=False)
    assert list(model.state_dict()) == keys

"""Number formats that contradict each other are refused with the two sides of the contradiction."""

from __future__ import annotations

from dataclasses import replace

import pytest

from neurodeploy.errors import InputError
from neurodeploy.targets.chip import TEMPLATE, chip_names, load_chip
from neurodeploy.targets.chipformats import require_coherent

FORMATS = load_chip("loihi2").formats


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weight_bits": 0}, "weight_bits is 0"),
        ({"signed_step": 0}, "signed_step is 0"),
        ({"unsigned_step": -1}, "unsigned_step is -1"),
        ({"signed_minimum": 2}, "signed_minimum is 2 and signed_maximum 254"),
        ({"signed_step": 4}, "signed_step 4 does not lead from -256 to 254"),
        ({"weight_bits": 7}, "the signed weights -256 to 254 in steps of 2 are more than weight_bits 7"),
        ({"unsigned_maximum": 256}, "the weights 0 to 256 of one sign are not what weight_bits 8"),
        ({"weight_exponent_minimum": 1}, "weight_exponent_minimum is 1"),
        ({"bias_exponent_minimum": 9}, "bias_exponent_minimum is 9, bias_exponent_maximum 7"),
        ({"bias_maximum": -1}, "and bias_maximum -1"),
        ({"state_bits": 25}, "state_bits is 25"),
        ({"state_bits": 16}, "threshold_maximum 131071 is beyond what a membrane of state_bits 16 reaches"),
        ({"threshold_maximum": 0}, "threshold_maximum 0"),
        ({"decay_one": 128}, "decay_one is 128"),
        ({"delay_maximum": -1}, "delay_maximum is -1"),
    ],
)
def test_contradictions_are_named(changes, message):
    with pytest.raises(InputError, match=f"chip.toml: formats contradict each other: .*{message}"):
        require_coherent("chip.toml", replace(FORMATS, **changes), (8,))


def test_the_memory_stores_the_weights_that_the_formats_have():
    with pytest.raises(InputError, match=r"formats.weight_bits is 8, encoding.weight_bits ends at 4; make them agree"):
        require_coherent("chip.toml", FORMATS, (2, 4))


def test_a_chip_file_is_held_to_it(tmp_path):
    text = TEMPLATE.read_text(encoding="utf-8").replace(
        "threshold_maximum = { value = 131071", "threshold_maximum = { value = 131072"
    )
    (tmp_path / "chip.toml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"chip\.toml: formats contradict each other: threshold_maximum 131072"):
        load_chip(tmp_path / "chip.toml")


def test_packaged_chips_agree_with_themselves():
    for name in chip_names():
        chip = load_chip(name)
        require_coherent(name, chip.formats, chip.weight_bits)
    assert load_chip("dynapcnn").formats.state_bits == 16

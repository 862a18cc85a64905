"""A chip file whose counts cannot be, or whose encodings contradict themselves, is refused by key."""

import re
from pathlib import Path

import pytest

from neurodeploy.errors import InputError
from neurodeploy.targets import chip as chip_module
from neurodeploy.targets.chip import load_chip

LOIHI1 = (Path(chip_module.__file__).parent / "loihi1.toml").read_text()


def with_value(section, key, value):
    """Return the text with another value under a key, without bounds, or without the key where it is None."""
    start = LOIHI1.index(f"[{section}]")
    number = "" if value is None else rf"\g<1>{value}\g<2>"
    line = re.compile(rf"^({key} = {{ value = )[^,]+(, unit = [^,]+, class = [^,]+, source = \"[^\"]+\")[^\n]*\n", re.M)
    replacement = number and number + " }\n"
    changed, count = line.subn(replacement, LOIHI1[start:], count=1)
    assert count == 1
    return LOIHI1[:start] + changed


@pytest.mark.parametrize(
    ("section", "key", "value", "message"),
    [
        ("chip", "tiles_x", 0, r"chip\.tiles_x is 0; a number of at least 1"),
        ("chip", "usable_cores", 0, r"chip\.usable_cores is 0; a number of at least 1"),
        ("chip", "chips_max", 0, r"chip\.chips_max is 0"),
        ("chip", "usable_cores", 129, r"chip\.usable_cores exceeds the cores of the mesh"),
        (
            "chip",
            "tiles_x",
            10**12,
            r"cores_per_tile 4 make 16,000,000,000,000 cores; at most 1,048,576",
        ),
        ("limits", "neurons", 0, r"limits\.neurons is 0"),
        ("limits", "neurons", -3, r"limits\.neurons is -3; a number of at least 0"),
        ("encoding", "word", 0, r"encoding\.word is 0"),
        ("encoding.dense", "entry_synapses", None, r'encoding\.dense\.packing is "entry", entry_synapses 0'),
        ("encoding.convolution", "entry_synapses", 0, r'encoding\.convolution\.packing is "entry", entry_synapses 0'),
        ("encoding.convolution", "index_least", 13, r"encoding\.convolution\.index_least is 13, index_most 12"),
    ],
)
def test_impossible_counts_are_refused(tmp_path, section, key, value, message):
    path = tmp_path / "chip.toml"
    path.write_text(with_value(section, key, value))
    with pytest.raises(InputError, match=message):
        load_chip(path)


def test_runs_need_entries(tmp_path):
    path = tmp_path / "chip.toml"
    path.write_text(
        'schema = 1\nbase = "loihi2"\nname = "a"\ntitle = "A"\n[encoding.convolution]\nruns = true\n',
    )
    with pytest.raises(InputError, match=r'encoding\.convolution\.runs is true, packing "row"; only entries name'):
        load_chip(path)


def test_profile_of_nxtf_differs_in_axons_entries_and_margin():
    chip, nxtf = load_chip("loihi1"), load_chip("loihi1-nxtf")
    assert {key for key in chip.numbers if chip.numbers[key] != nxtf.numbers[key]} == {
        "limits.margin",
        "encoding.dense.entry_synapses",
        "encoding.convolution.entry_synapses",
        "encoding.convolution.out_slots_per_axon",
    }
    assert [each.encodings["convolution"].runs for each in (chip, nxtf)] == [True, False]
    assert (nxtf.margin, nxtf.encodings["convolution"].out_slots_per_axon) == (0.0, 1)

import re
from pathlib import Path

import pytest

from neurodeploy.errors import InputError, UsageError
from neurodeploy.targets import chip as chip_module
from neurodeploy.targets.chip import Formats, chip_names, load_chip
from neurodeploy.targets.chipfile import CLASSES

LOIHI2 = (Path(chip_module.__file__).parent / "loihi2.toml").read_text()


def test_packaged_chips():
    assert chip_names() == ("loihi1", "loihi2")


def test_formats_are_those_of_the_golden_model():
    assert load_chip("loihi2").formats == Formats(
        weight_bits=8,
        signed_minimum=-256,
        signed_maximum=254,
        signed_step=2,
        unsigned_maximum=255,
        weight_exponent_minimum=-8,
        weight_exponent_maximum=7,
        threshold_maximum=131071,
        decay_one=4096,
        bias_maximum=4095,
        bias_exponent_minimum=0,
        bias_exponent_maximum=7,
        delay_maximum=62,
        resets=("zero", "subtract"),
        graded_spikes=True,
    )
    assert not load_chip("loihi1").formats.graded_spikes


@pytest.mark.parametrize("name", ["loihi1", "loihi2"])
def test_every_number_says_where_it_comes_from(name):
    numbers = load_chip(name).numbers
    assert len(numbers) > 50
    for key, number in numbers.items():
        assert number.source_class in CLASSES, key
        assert len(number.source) > 15, key
        assert number.low <= number.value <= number.high, key


def test_limits_and_pools():
    one, two = load_chip("loihi1"), load_chip("loihi2")
    assert one.limits == {
        "neurons": 1024,
        "in_axons": 4096,
        "out_slots": 4096,
        "neuron_groups": 8,
        "words_per_axon": 256,
    }
    assert two.limits == {"neurons": 4095, "neuron_groups": 8}
    assert {pool.name: pool.words for pool in one.pools} == {"synapse": 16384}
    assert {pool.name: pool.words for pool in two.pools}["total"] == 20000
    assert (one.usable_cores, one.cores_max) == (128, 4096)
    assert (two.usable_cores, two.cores_max) == (122, 976)


def test_loihi2_energy_is_half_of_loihi1_and_says_extrapolated():
    one, two = load_chip("loihi1").energy, load_chip("loihi2").energy
    for event, number in two.items():
        assert number.value == pytest.approx(one[event].value / 2)
        assert number.source_class == "extrapolated"
    assert one["synaptic_operation_dense"].value == 23.6e-12


def test_unknown_name_offers_the_nearest():
    with pytest.raises(UsageError, match=r"loihi3: is neither a chip \(loihi1, loihi2\).*did you mean 'loihi[12]'"):
        load_chip("loihi3")


def test_missing_file():
    with pytest.raises(InputError, match=r"my\.toml: no such file"):
        load_chip("my.toml")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("neurons = {", "neuron = {", "unknown key 'limits.neuron'; the nearest valid key is 'limits.neurons'"),
        ("[limits]\nneurons", "[limits]\nin_axons", "key 'limits.neurons' is missing"),
        ("low = 4095, high = 8192", "low = 5000, high = 8192", "limits.neurons has low 5000, value 4095, high 8192"),
        ('class = "measured"', 'class = "guessed"', "power.static.class is 'guessed'; one of measured, published"),
        ('unit = "W"', 'unit = "mW"', "power.static.unit is 'mW'; give the value in 'W'"),
        ('source = "oheo-gulch"', 'source = "rumour"', "power.static.source is 'rumour', which .sources. does not"),
        ('uses = ["synapse"]', 'uses = ["synapses"]', "pools.synapse.uses is 'synapses'; one of axon_in, neuron"),
        ('value = 4095, unit = "neuron"', 'value = 4095.5, unit = "neuron"', "neurons.value is 4095.5; a whole"),
        ("value = 122", "value = 129", r"chip.usable_cores has low 120, value 129, high 128"),
        ("[power]", "[powers]", "unknown key 'powers'; the nearest valid key is 'power'"),
        ("schema = 1", "schema = 9", "schema is 9; this version reads schema 1"),
        ("schema = 1", "schema =", "is no TOML"),
        ("graded_spikes = true", 'graded_spikes = "yes"', "formats.graded_spikes is 'yes'; true or false"),
        ('tiling = "columns"', 'tiling = "rows"', "encoding.tiling is 'rows'; one of columns, cheapest"),
        ("[barrier.4]", "[barrier.four]", r"\[barrier.four\] does not name a number of tiles"),
        ('weight_bits = ["1"', 'weight_bits = ["one"', "encoding.weight_bits is"),
        ('value = 0.05, unit = "1"', 'value = 1.0, unit = "1"', "limits.margin is 1.0"),
    ],
)
def test_faulty_file_is_refused_by_key(tmp_path, old, new, message):
    assert old in LOIHI2
    path = tmp_path / "chip.toml"
    path.write_text(LOIHI2.replace(old, new, 1))
    with pytest.raises(InputError, match=message) as caught:
        load_chip(path)
    assert str(path) in str(caught.value)


def test_number_without_source_is_refused(tmp_path):
    path = tmp_path / "chip.toml"
    path.write_text(re.sub(r"static = \{.*\}", "static = 0.2", LOIHI2))
    with pytest.raises(InputError, match=r"power\.static is 0\.2, without unit and source"):
        load_chip(path)


def test_chip_of_ones_own(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        LOIHI2.replace('name = "loihi2"', 'name = "mine"').replace(
            'value = 8, unit = "chip"', 'value = 4, unit = "chip"'
        )
    )
    chip = load_chip(path)
    assert (chip.name, chip.chips_max) == ("mine", 4)


def test_document_holds_every_number():
    document = load_chip("loihi1").as_dict()
    assert document["schema"] == 1
    assert document["numbers"]["energy.neuron_active"]["unit"] == "J"
    assert document["formats"]["resets"] == ["zero"]

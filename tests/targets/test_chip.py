import re
from pathlib import Path

import pytest

from neurodeploy.errors import InputError, UsageError
from neurodeploy.targets import chip as chip_module
from neurodeploy.targets.chip import TEMPLATE, Formats, chip_names, load_chip
from neurodeploy.targets.chipschema import CLASSES

LOIHI2 = (Path(chip_module.__file__).parent / "loihi2.toml").read_text()


def test_packaged_chips():
    assert chip_names() == (
        "dynapcnn",
        "hala-point",
        "kapoho-point",
        "loihi1",
        "loihi1-nxtf",
        "loihi2",
        "loihi2-2023-01",
        "loihi2-headline",
    )


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
        resets=("zero", "subtract", "burst"),
        graded_spikes=True,
    )
    assert not load_chip("loihi1").formats.graded_spikes


@pytest.mark.parametrize("name", chip_names())
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
    with pytest.raises(UsageError, match=r"loihi3: is neither a chip \(dynapcnn, .* did you mean 'loihi[12]'"):
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


def test_board_is_its_chip_but_for_what_it_says():
    board, chip = load_chip("hala-point"), load_chip("loihi2")
    assert (board.chips_max, board.cores_max) == (1152, 140_544)
    assert board.numbers["board.power_maximum"].value == 2600
    own = {"chip.usable_cores", "chip.chips_max", "board.power_maximum"}
    for key in set(board.numbers) - own:
        assert board.numbers[key] == chip.numbers[key], key
    assert board.formats == chip.formats


def test_compiler_profiles_differ_in_their_limits_only():
    chip, early, headline = load_chip("loihi2"), load_chip("loihi2-2023-01"), load_chip("loihi2-headline")
    assert [{p.name: p.words for p in c.pools}["synapse"] for c in (early, chip, headline)] == [12_000, 16_000, 24_576]
    assert headline.limits["neurons"] == 8192
    assert {key for key in chip.numbers if early.numbers[key] != chip.numbers[key]} == {"pools.synapse.words"}


def test_base_may_be_a_file_beside(tmp_path):
    (tmp_path / "board.toml").write_text('schema = 1\nbase = "kapoho-point"\nname = "one"\ntitle = "One"\n')
    mine = tmp_path / "mine.toml"
    mine.write_text(
        'schema = 1\nbase = "board.toml"\nname = "two"\ntitle = "Two"\n[sources]\nours = "our own measurement"\n'
        '[power]\nstatic = { value = 1.0, unit = "W", class = "measured", source = "ours" }\n'
    )
    chip = load_chip(mine)
    assert (chip.name, chip.chips_max, chip.power["static"].value) == ("two", 8, 1.0)
    assert chip.power["static"].low == 1.0  # the base's bounds do not linger
    assert chip.power["management"] == load_chip("loihi2").power["management"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('schema = 1\nbase = "loihi7"\nname = "a"\ntitle = "A"', "base 'loihi7' is neither a packaged chip nor a file"),
        ('schema = 1\nbase = "a.toml"\nname = "a"\ntitle = "A"', "base 'a.toml' leads back to a file"),
        ('schema = 1\nbase = 2\nname = "a"\ntitle = "A"', "base is 2; give a chip's name"),
        ('schema = 1\nbase = "loihi2"\ntitle = "A"', "key 'name' is missing"),
        (
            'schema = 1\nbase = "loihi2"\nname = "a"\ntitle = "A"\n[limits]\nneuron = 3',
            "unknown key 'limits.neuron'; the nearest valid key is 'limits.neurons'",
        ),
    ],
)
def test_faulty_base_is_refused(tmp_path, text, message):
    (tmp_path / "a.toml").write_text(text)
    with pytest.raises(InputError, match=message):
        load_chip(tmp_path / "a.toml")


def test_costs_come_together_or_not_at_all(tmp_path):
    path = tmp_path / "chip.toml"
    path.write_text(re.sub(r"\[power\].*", "", LOIHI2, flags=re.DOTALL))
    with pytest.raises(InputError, match=r"section \[power\] is missing beside \[energy\]"):
        load_chip(path)
    path.write_text(LOIHI2[: LOIHI2.index("[energy]")])
    assert not load_chip(path).has_costs


def test_kinds_of_cores():
    chip = load_chip("dynapcnn")
    words = [dict(chip.kinds[kind].words) for kind in chip.kind_of_core]
    assert [w["kernel"] // 1024 for w in words] == [16, 16, 16, 32, 32, 64, 64, 16, 16]
    assert [w["neuron"] // 1024 for w in words] == [64, 64, 64, 32, 32, 16, 16, 16, 16]
    assert {w["bias"] for w in words} == {1024}
    assert load_chip("loihi1").kind_of_core == (0,) * 128


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("count = { value = 3", "count = { value = 4", "core_kinds hold 10 cores, chip.usable_cores is 9"),
        ("kernel = { words = { value = 32768", "kernels = { words = { value = 32768", "nearest valid key is 'kernel'"),
        ('maps = "power-of-two"', 'maps = "squares"', "encoding.maps is 'squares'; one of cells, power-of-two"),
        ("leak = false", "leek = false", "unknown key 'formats.leek'; the nearest valid key is 'formats.leak'"),
    ],
)
def test_faulty_kinds_are_refused(tmp_path, old, new, message):
    text = (Path(chip_module.__file__).parent / "dynapcnn.toml").read_text()
    assert old in text
    (tmp_path / "chip.toml").write_text(text.replace(old, new, 1))
    with pytest.raises(InputError, match=message):
        load_chip(tmp_path / "chip.toml")


def test_template_is_a_chip_and_so_is_its_example_of_two_kinds(tmp_path):
    chip = load_chip(TEMPLATE)
    assert (chip.name, chip.has_costs) == ("my-chip", True)
    assert {number.source_class for number in chip.numbers.values()} == {"assumed"}
    text = TEMPLATE.read_text()
    start = text.index("# [core_kinds.large]")
    path = tmp_path / "kinds.toml"
    path.write_text(text[:start] + re.sub(r"^# ?", "", text[start:], flags=re.MULTILINE))
    assert [kind.count for kind in load_chip(path).kinds] == [22, 100]


def test_populations_of_a_core(tmp_path):
    assert [load_chip(name).populations for name in ("loihi1", "loihi2", "dynapcnn")] == [8, 8, 1]
    path = tmp_path / "chip.toml"
    path.write_text(
        LOIHI2.replace("populations = { value = 8", "populations = { value = 0").replace(
            "low = 1, high = 8", "low = 0, high = 8"
        )
    )
    with pytest.raises(InputError, match=r"limits\.populations is 0; a core holds one population at least"):
        load_chip(path)

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from neurodeploy.errors import InputError, UsageError
from neurodeploy.models.layers import ConvLayer, LifLayer, read_layers
from neurodeploy.models.recipe import load_recipe, parse_recipe
from neurodeploy.models.recipefiles import LARGEST_RECIPE, packaged_recipes

SMALL = """
name = "small"
[training]
epochs = 2
learning_rate = 1
[[layers]]
kind = "conv"
channels = 3
"""


@pytest.mark.parametrize("name", packaged_recipes())
def test_every_packaged_recipe_reads_and_writes_back_equal(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert parse_recipe(recipe.to_toml(), "again") == recipe


def test_defaults_are_filled_in_and_whole_numbers_become_floats() -> None:
    recipe = parse_recipe(SMALL, "small.toml")
    assert recipe.seed == 0
    assert recipe.data.steps == 16
    assert recipe.layers == (ConvLayer(3),)
    assert repr(recipe.training.learning_rate) == "1.0"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("trainng.epochs=1", r"small\.toml: trainng: is no key of a recipe; did you mean 'training'"),
        ("training.epoch=1", r"small\.toml: training\.epoch: is no key of a recipe; did you mean 'epochs'"),
        ("epoch=1", r"small\.toml: epoch: .*did you mean 'training\.epochs'"),
        ("data.zzz=1", r"data\.zzz: .*valid: dataset, steps, test_samples"),
        ("layers.0.chanels=1", r"layers\.0\.chanels: .*did you mean 'channels'"),
        ("layers.0.kind='cnov'", r"layers\.0\.kind: 'cnov' is no kind of layer; did you mean 'conv'"),
        ("layers.0={}", r"layers\.0\.kind: is missing"),
        ("layers.0={kind='avgpool'}", r"layers\.0\.kernel: is missing; give it a whole number"),
        ("layers.0={kind='lif', reset='soft'}", r"layers\.0\.reset: 'soft' is not known"),
        ("layers=[]", r"layers: is a list, not a list of layers"),
        ("epochs=1.5", r"training\.epochs: is a number \(1\.5\), not a whole number"),
        ("epochs=true", r"training\.epochs: is true or false \(True\), not a whole number"),
        ("epochs=many", r"training\.epochs: is a string \('many'\), not a whole number"),
        ("epochs=0", r"training\.epochs: 0 is outside 1 to 100000"),
        ("learning_rate=nan", r"training\.learning_rate: nan is outside"),
        ("training=3", r"training: is a whole number \(3\), not a table"),
        ("seed=-1", r"seed: -1 is outside"),
        ("name='a/b'", r"name: 'a/b' cannot name a folder"),
        ("epochs", r"--set epochs: is not of the form key=value"),
        ("a..b=1", r"--set a\.\.b=1: is not of the form"),
        ("layers.7.channels=1", r"--set layers\.7\.channels=1: there is no '7' in a list of 1"),
        ("seed.x=1", r"small\.toml: seed: is a table, not a whole number"),
        ("name.x=1", r"--set name\.x=1: there is no 'x' in a plain value"),
        ("name.x.y=1", r"--set name\.x\.y=1: there is no 'x' in a plain value"),
    ],
)
def test_a_wrong_key_or_value_is_named(override: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_recipe(SMALL, "small.toml", [override])


def test_a_quoted_dotted_key_is_not_taken_for_a_table() -> None:
    with pytest.raises(UsageError, match=r"training\.epochs: is no key of a recipe"):
        parse_recipe('"training.epochs" = 5\n' + SMALL, "small.toml")


@pytest.mark.parametrize("part", ["training", "layers", "name"])
def test_a_missing_part_is_named(part: str) -> None:
    text = {
        "training": 'name = "x"\n[[layers]]\nkind = "flatten"\n',
        "layers": 'name = "x"\n[training]\nepochs = 1\nlearning_rate = 1\n',
        "name": SMALL.replace('name = "small"', ""),
    }[part]
    with pytest.raises(UsageError, match=f"x.toml: {part}: is missing"):
        parse_recipe(text, "x.toml")


def test_too_many_layers_are_refused() -> None:
    with pytest.raises(UsageError, match="has 257 layers, 256 are allowed"):
        read_layers([{"kind": "flatten"}] * 257, "x.toml")


def test_overrides_and_seed_change_just_what_they_name() -> None:
    plain = parse_recipe(SMALL, "x")
    assert parse_recipe(SMALL, "x", ["epochs=5", "data.steps=20", "name=other", "layers.0.bias=false"]) == replace(
        plain,
        name="other",
        data=replace(plain.data, steps=20),
        training=replace(plain.training, epochs=5),
        layers=(ConvLayer(3, bias=False),),
    )
    assert load_recipe("digits", ["seed=3"], seed=4) == replace(load_recipe("digits"), seed=4)
    assert load_recipe("digits", ["layers.2.beta=0.5"]).layers[2] == LifLayer(beta=0.5)


def test_a_bare_name_is_packaged_and_a_path_must_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("digits").mkdir()
    assert load_recipe("digits").name == "digits"
    for name in ("digits.toml", "models/recipes/digits.toml", "./digits.toml", "digit"):
        with pytest.raises(InputError, match=r"no such recipe file; .*did you mean 'digits'"):
            load_recipe(name)
    Path("digits").rmdir()
    Path("digits").write_text(SMALL)
    assert load_recipe("digits").name == "small"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"name = ", "is not valid TOML"),
        (b"\xff\xfe", "is not UTF-8 text"),
        (b"#" * (LARGEST_RECIPE + 1), "is larger than the"),
        (b"x = " + b"[" * 100_000, "is not valid TOML"),
    ],
)
def test_a_file_that_is_no_recipe_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "bad.toml").write_bytes(content)
    with pytest.raises(InputError, match=f"bad.toml: {message}"):
        load_recipe(tmp_path / "bad.toml")
    with pytest.raises(InputError, match="is not a file"):
        load_recipe(tmp_path)


BASED = """
base = "small.toml"
name = "based"
[training]
epochs = 7
"""


def write(folder: Path, **texts: str) -> Path:
    for name, text in texts.items():
        (folder / f"{name}.toml").write_text(text)
    return folder


def test_a_recipe_takes_over_what_it_does_not_say_from_its_base(tmp_path: Path) -> None:
    write(tmp_path, small=SMALL, based=BASED, twice='base = "based.toml"\nseed = 5\ndata.steps = 3')
    small, based, twice = (load_recipe(tmp_path / f"{name}.toml") for name in ("small", "based", "twice"))
    assert based == replace(small, name="based", training=replace(small.training, epochs=7))
    assert twice == replace(based, seed=5, data=replace(based.data, steps=3))
    assert "base =" not in based.to_toml()  # it holds what it was made from
    assert load_recipe(tmp_path / "based.toml", ["epochs=9"]).training.epochs == 9


def test_a_network_of_another_kind_takes_over_nothing_of_the_base_s(tmp_path: Path) -> None:
    own = '[model]\nkind = "resnet"\nstages = 1'
    write(tmp_path, a=f'base = "meta-sdt-t-srb"\nname = "a"\n{own}', b=f'base = "digits"\nname = "b"\n{own}')
    first, second = (load_recipe(tmp_path / f"{name}.toml") for name in "ab")
    assert (first.data.dataset, second.data.dataset) == ("imagenet", "digits")
    assert (
        first.model
        == second.model
        == parse_recipe(f'name = "x"\n[training]\nepochs=1\nlearning_rate=1\n{own}', "x").model
    )
    assert second.layers == ()
    write(tmp_path, c='base = "meta-sdt-t-srb"\nname = "c"\n[model]\nmixer = "conv"')
    assert load_recipe(tmp_path / "c.toml").model == load_recipe("meta-sdt-t-conv").model


def test_a_base_that_leads_back_or_is_not_there_is_refused(tmp_path: Path) -> None:
    write(tmp_path, a='base = "b.toml"', b='base = "a.toml"', c='base = "nothing.toml"', d="base = 3")
    with pytest.raises(UsageError, match=r"a\.toml: base: leads from 'a\.toml' back to it"):
        load_recipe(tmp_path / "a.toml")
    with pytest.raises(InputError, match=r"nothing\.toml: no such recipe file"):
        load_recipe(tmp_path / "c.toml")
    with pytest.raises(UsageError, match=r"d\.toml: base: is a whole number \(3\), not the name of a recipe"):
        load_recipe(tmp_path / "d.toml")
    with pytest.raises(UsageError, match=r"x: base: is no key of a recipe"):  # as in a checkpoint, which stands alone
        parse_recipe(BASED, "x")


def test_recipes_and_the_command_line_load_no_torch() -> None:
    code = (
        "import sys; from neurodeploy.models.recipe import load_recipe; from neurodeploy.cli.train import train;"
        "load_recipe('digits'); train.main(['--help'], standalone_mode=False);"
        "sys.exit(' '.join({'torch', 'numba', 'sklearn', 'rich'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "--resume" in done.stdout

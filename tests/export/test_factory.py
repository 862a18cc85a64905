import sys

import pytest

from neurodeploy.errors import InputError, UsageError
from neurodeploy.export.factory import build

CODE = """
from torch import nn
def build():
    return nn.Linear(2, 3)
def fails():
    raise RuntimeError("no data")
def list_of_layers():
    return [nn.Linear(2, 3)]
number = 3
"""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "factory_net.py").write_text(CODE)
    (tmp_path / "factory_broken.py").write_text("import not_there_at_all")
    (tmp_path / "factory_wrong.py").write_text("def build(:")
    yield
    for name in [name for name in sys.modules if name.startswith("factory_")]:
        del sys.modules[name]


def test_the_module_in_evaluation_mode(tmp_path):
    before = list(sys.path)
    assert not build("factory_net:build").training
    assert sys.path == before


def test_two_files_of_one_name_do_not_take_each_others_place(tmp_path):
    for folder, size in (("a", 3), ("b", 5)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "model.py").write_text(
            f"from torch import nn\nimport factory_{folder}\ndef build():\n    return nn.Linear(2, {size})\n"
        )
        (tmp_path / folder / f"factory_{folder}.py").write_text("")
    before = list(sys.path)
    assert [build(f"{tmp_path}/{folder}/model.py:build").out_features for folder in ("a", "b")] == [3, 5]
    assert sys.path == before
    assert "model" not in sys.modules


@pytest.mark.parametrize(
    ("factory", "error", "message"),
    [
        ("none.py:build", UsageError, "there is no file 'none.py'"),
        ("factory_broken.py:build", InputError, "imports 'not_there_at_all', which is not installed"),
        ("factory_wrong.py:build", InputError, "fails while it is imported"),
        ("factory_net.py:list_of_layers", InputError, "returns a list"),
    ],
)
def test_files_that_build_nothing(factory, error, message):
    with pytest.raises(error, match=message):
        build(factory)


@pytest.mark.parametrize(
    ("factory", "error", "message"),
    [
        ("factory_net", UsageError, "not of the form module:function"),
        ("factory_none:build", UsageError, "there is no module 'factory_none'"),
        ("factory_net:make", UsageError, "no function 'make'"),
        ("factory_net:number", UsageError, "no function 'number'"),
        ("factory_net:fails", InputError, "RuntimeError: no data"),
        ("factory_net:list_of_layers", InputError, "returns a list"),
        ("factory_broken:build", InputError, "'not_there_at_all', which is not installed"),
        ("factory_wrong:build", InputError, "fails while it is imported .SyntaxError"),
    ],
)
def test_what_can_go_wrong(factory, error, message):
    with pytest.raises(error, match=message):
        build(factory)

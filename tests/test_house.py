"""The walls of the house: sizes, packages, public names, and what an import may pull in."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
import tomllib
import types
from pathlib import Path

import pytest

import neurodeploy

ROOT = Path(__file__).resolve().parents[1]
SOURCES = [
    p for top in ("neurodeploy", "models", "export", "targets", "tests") for p in sorted((ROOT / top).rglob("*.py"))
]
SOURCES = [
    p
    for p in SOURCES
    if not any((ROOT / "neurodeploy" / link) in p.parents for link in ("models", "export", "targets"))
    and ROOT / "tests" / "conformance" / "cases" not in p.parents  # networks of the corpus are data
]
FILE_WALL, FUNCTION_WALL = 400, 60
#: Runs on the Python of the Lava environment, by path, and is data to the package.
WORKER = ROOT / "targets" / "lava" / "worker"


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_files_and_functions_stay_within_the_walls(path):
    text = path.read_text()
    assert text.count("\n") <= FILE_WALL, f"{relative(path)} has {text.count(chr(10))} lines, the wall is {FILE_WALL}"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            body = node.end_lineno - node.body[0].lineno + 1
            if ast.get_docstring(node) is not None and len(node.body) > 1:
                body = node.end_lineno - node.body[1].lineno + 1
            assert body <= FUNCTION_WALL, f"{relative(path)}:{node.name} has {body} lines, the wall is {FUNCTION_WALL}"


def packages_on_disk() -> set[str]:
    found = set()
    for path in SOURCES:
        if path.name == "__init__.py" and "tests" not in path.parts and WORKER not in path.parents:
            parts = path.relative_to(ROOT).parts[:-1]
            found.add(".".join(parts if parts[0] == "neurodeploy" else ("neurodeploy", *parts)))
    return found


def test_package_list_of_pyproject_is_the_tree():
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    listed = set(setuptools["packages"])
    assert listed - packages_on_disk() <= {"neurodeploy.targets.lava.worker"}
    assert packages_on_disk() <= listed
    for package in listed:
        top = package.split(".")[1:2]
        if top and top[0] in ("models", "export", "targets"):
            assert setuptools["package-dir"][package] == "/".join(package.split(".")[1:])


def test_every_folder_with_python_is_a_package():
    for path in SOURCES:
        if WORKER not in path.parents:
            assert (path.parent / "__init__.py").exists(), f"{relative(path.parent)} has no __init__.py"


def test_top_folders_are_linked_into_the_package():
    for name in ("models", "export", "targets"):
        link = ROOT / "neurodeploy" / name
        assert link.is_symlink()
        assert str(link.readlink()) == f"../{name}"


def test_public_names_exist_and_have_docstrings():
    for name in neurodeploy.__all__:
        assert getattr(neurodeploy, name).__doc__, f"neurodeploy.{name} has no docstring"
    assert set(neurodeploy.__all__) == set(neurodeploy._HOMES)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        neurodeploy.nothing  # noqa: B018


def test_public_functions_survive_the_import_of_their_modules():
    importlib.import_module("neurodeploy.cli.deploy")
    for home in neurodeploy._HOMES.values():
        importlib.import_module(home)
    modules = [name for name in neurodeploy.__all__ if isinstance(getattr(neurodeploy, name), types.ModuleType)]
    assert not modules, f"{modules} are hidden by modules of the same name"


@pytest.mark.parametrize(
    "statement",
    [
        "import neurodeploy",
        "import neurodeploy.cli",
        "import neurodeploy.mapping, neurodeploy.energy, neurodeploy.cli.map, neurodeploy.cli.estimate",
    ],
)
def test_imports_stay_light(statement):
    heavy = {"torch", "numba", "lava", "snntorch", "sklearn", "onnx"}
    script = f"{statement}\nimport sys\nprint(*({heavy!r} & set(sys.modules)))\nassert 'models' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not done.stdout.split(), f"{statement} loads {done.stdout}"


def test_nothing_prints_outside_the_command_line():
    for path in SOURCES:
        if path.parent.name == "cli" or "tests" in path.parts or WORKER in path.parents:
            continue
        calls = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)]
        assert not [c for c in calls if isinstance(c.func, ast.Name) and c.func.id == "print"], relative(path)

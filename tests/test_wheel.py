"""What an installation brings: one package, with its data, and nothing beside it."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> list[str]:
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, tracked.split("\0")):
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_symlink():
            path.symlink_to((ROOT / name).readlink())
        elif (ROOT / name).exists():
            path.write_bytes((ROOT / name).read_bytes())
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(folder),
        ".",
    ]
    subprocess.run(build, cwd=source, check=True)
    return zipfile.ZipFile(next(folder.glob("*.whl"))).namelist()


def test_only_neurodeploy_lands_in_site_packages(wheel):
    tops = {name.split("/")[0] for name in wheel}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"neurodeploy"}


@pytest.mark.parametrize(
    "name",
    [
        "neurodeploy/py.typed",
        "neurodeploy/models/recipes/digits.toml",
        "neurodeploy/report/report.html",
        "neurodeploy/targets/loihi2.toml",
        "neurodeploy/targets/emulator/kernel.py",
        "neurodeploy/targets/lava/requirements.txt",
        "neurodeploy/targets/lava/worker/engine.py",
    ],
)
def test_data_and_code_are_in_the_wheel(wheel, name):
    assert name in wheel


def test_every_tracked_module_is_in_the_wheel(wheel):
    for top in ("neurodeploy", "models", "export", "targets"):
        for path in (ROOT / top).rglob("*.py"):
            if any((ROOT / "neurodeploy" / link) in path.parents for link in ("models", "export", "targets")):
                continue
            inside = path.relative_to(ROOT).as_posix()
            assert (inside if top == "neurodeploy" else f"neurodeploy/{inside}") in wheel

"""Finding a Python 3.10 that starts, and an environment that is either whole or not there."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner

from neurodeploy.cli.doctor import diagnosis, doctor
from neurodeploy.cli.lava import lava as lava_group
from neurodeploy.errors import BackendError, BackendMissing, UsageError
from neurodeploy.targets.lava import environment, pythons
from neurodeploy.targets.lava.environment import Environment


@pytest.fixture
def nowhere(monkeypatch, tmp_path: Path) -> Path:
    """Hide every interpreter of this machine, and give an empty cache."""
    for name in ("PYENV_ROOT", "UV_PYTHON_INSTALL_DIR", pythons.VARIABLE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv(environment.CACHE_VARIABLE, str(tmp_path / "cache"))
    return tmp_path


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


SOUND = "echo 3.10"
SHIM = "echo 'pyenv: python3.10: command not found' >&2; exit 127"


def no_fetch(*_: object) -> Path:
    raise BackendMissing("uv", "no network")


def found(cache: Path) -> Path:
    return pythons.find_python(cache, lambda _: None)


def test_a_shim_that_does_not_start_is_passed_over(nowhere: Path) -> None:
    script(nowhere / "bin/python3.10", SHIM)
    real = script(nowhere / "home/.pyenv/versions/3.10.13/bin/python3.10", SOUND)
    assert found(nowhere / "cache") == real


@pytest.mark.parametrize(
    "place",
    [
        "bin",
        "home/.pyenv/versions/3.10.4/bin",
        "home/.local/share/uv/python/cpython-3.10.19-x/bin",
        "cache/python/cpython-3.10.1-x/bin",
    ],
)
def test_every_usual_place_is_searched(nowhere: Path, place: str) -> None:
    python = script(nowhere / place / "python3.10", SOUND)
    assert found(nowhere / "cache") == python


def test_uv_is_asked(nowhere: Path) -> None:
    python = script(nowhere / "elsewhere/python3.10", SOUND)
    script(nowhere / "bin/uv", f"echo {python}")
    assert found(nowhere / "cache") == python


def test_what_was_tried_stands_in_one_message(nowhere: Path, monkeypatch) -> None:
    monkeypatch.setattr(pythons, "fetch", no_fetch)
    script(nowhere / "bin/python3.10", SHIM)
    script(nowhere / "home/.pyenv/versions/3.10.9/bin/python3.10", "echo 3.11")
    with pytest.raises(BackendMissing, match=r"pyenv: python3.10: command not found.*3.10.9.*is Python 3.11.*uv: no"):
        found(nowhere / "cache")
    with pytest.raises(BackendMissing, match=r"pyenv install 3.10, uv python install 3.10.*NEURODEPLOY_LAVA_PYTHON"):
        found(nowhere / "cache")


def test_a_python_that_was_named_is_used_or_refused_but_never_replaced(nowhere: Path, monkeypatch) -> None:
    script(nowhere / "bin/python3.10", SOUND)
    monkeypatch.setenv(pythons.VARIABLE, sys.executable)
    with pytest.raises(BackendMissing, match=rf"NEURODEPLOY_LAVA_PYTHON: {sys.executable} is Python 3\.1[1-9]"):
        found(nowhere / "cache")
    with pytest.raises(BackendMissing, match=r"--python: .*/absent does not start"):
        pythons.find_python(nowhere, lambda _: None, nowhere / "absent")
    assert pythons.find_python(nowhere, lambda _: None, nowhere / "bin/python3.10") == nowhere / "bin/python3.10"


def test_a_failed_installation_leaves_nothing_and_keeps_what_was_there(nowhere: Path) -> None:
    broken = script(nowhere / "bin/python3.10", 'test "$2" = -c && echo 3.10 && exit; echo no space left >&2; exit 1')
    with pytest.raises(BackendMissing, match="the Lava environment: failed: no space left"):
        environment.install(python=broken)
    assert environment.find() is None
    assert [path.suffix for path in (nowhere / "cache").iterdir()] == [".lock"]
    make_believe(nowhere)
    with pytest.raises(BackendMissing, match="no space left"):
        environment.install(python=broken, force=True)
    assert environment.find() is not None


def make_believe(root: Path) -> Environment:
    """Put something at the environment's place that looks complete and does not run."""
    place = environment.location()
    script(place / "bin/python", "echo broken >&2; exit 1")
    (place / "complete.json").write_text(json.dumps({"lava-nc": "0.10.0"}))
    there = environment.find()
    assert there is not None
    assert root in there.path.parents
    return there


def test_an_environment_without_its_marker_is_none(nowhere: Path) -> None:
    there = make_believe(nowhere)
    (there.path / "complete.json").unlink()
    assert environment.find() is None
    there = make_believe(nowhere)
    there.python.unlink()
    assert environment.find() is None


def test_an_environment_that_is_there_is_taken_at_once(nowhere: Path) -> None:
    there = make_believe(nowhere)
    said: list[str] = []
    assert environment.install(said.append) == there
    assert said == []


def test_installations_wait_for_each_other(nowhere: Path, monkeypatch) -> None:
    entered, release, built = threading.Event(), threading.Event(), []

    def build(*_: object) -> Environment:
        built.append(1)
        entered.set()
        release.wait(20)
        return make_believe(nowhere)

    monkeypatch.setattr(environment, "_build", build)
    first = threading.Thread(target=environment.install)
    first.start()
    assert entered.wait(20)
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        release.set()

    environment.install(say)
    first.join()
    assert said == ["waiting for another installation"]
    assert len(built) == 1


def test_a_cache_that_cannot_be_written_is_named(nowhere: Path, monkeypatch) -> None:
    (nowhere / "file").touch()
    monkeypatch.setenv(environment.CACHE_VARIABLE, str(nowhere / "file" / "cache"))
    with pytest.raises(UsageError, match=r"file/cache: cannot be written .*NEURODEPLOY_CACHE"):
        environment.install()


def test_what_is_installed_and_does_not_run_says_so(nowhere: Path) -> None:
    there = make_believe(nowhere)
    with pytest.raises(BackendError, match=r"cannot be imported from .*--force") as caught:
        environment.prove(there.python)
    assert caught.value.__notes__ == ["broken\n"]


def test_the_real_one_runs_a_neuron_and_imports_netx(lava: Environment) -> None:
    versions = environment.prove(lava.python)
    assert versions == lava.versions
    assert (versions["lava-nc"], versions["lava-dl"]) == ("0.10.0", "0.6.0")


def test_every_requirement_is_pinned_and_hashed_and_names_no_host() -> None:
    folder = Path(environment.__file__).parent
    for name in ("requirements.txt", "uv.txt"):
        text = (folder / name).read_text()
        assert "://" not in text
        entries = [entry for entry in text.replace("\\\n", "").splitlines() if not entry.startswith("#")]
        assert entries
        assert all("==" in entry and entry.count("--hash=sha256:") in (1, 4) for entry in entries)


def test_lava_install_answers_in_words_and_in_json(nowhere: Path) -> None:
    there = make_believe(nowhere)
    words = CliRunner().invoke(lava_group, ["install"])
    assert words.output == f"Lava 0.10.0 is already installed at {there.path}\n"
    document = json.loads(CliRunner().invoke(lava_group, ["install", "--json"]).output)
    assert document == {"schema": 1, "path": str(there.path), "installed": False, "versions": {"lava-nc": "0.10.0"}}


def test_doctor_tells_what_is_there_and_what_is_not(nowhere: Path, monkeypatch) -> None:
    monkeypatch.setattr("neurodeploy.cli.doctor._cuda", lambda: {"available": False, "reason": "not asked"})
    absent = CliRunner().invoke(doctor, ["--json"])
    document = json.loads(absent.output)
    assert absent.exit_code == 0
    assert document["healthy"]
    assert document["packages"]["numpy"]
    assert document["lava"] == {
        "path": str(environment.location()),
        "installed": False,
        "runs": False,
        "reason": "run `neurodeploy lava install`",
    }
    make_believe(nowhere)
    assert "cannot be imported" in diagnosis()["lava"]["reason"]
    monkeypatch.setattr("neurodeploy.cli.doctor._version", lambda name: None if name == "torch" else "1")
    assert "neurodeploy[models]" in CliRunner().invoke(doctor).output
    monkeypatch.setattr("neurodeploy.cli.doctor._version", lambda name: None if name == "numba" else "1")
    assert CliRunner().invoke(doctor).exit_code == 4

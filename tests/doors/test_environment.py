"""The tests of this folder in the environment that has the frameworks, where it has been made."""

from importlib.util import find_spec

import pytest

from tests.doors import environment
from tests.doors.conftest import NEEDED


def test_the_doors_in_their_own_environment():
    if all(find_spec(name) for name in NEEDED):
        return  # this is that environment, or one like it: the tests themselves run
    interpreter = environment.python()
    if interpreter is None:  # sinabs pins a nir older than ours, so the two can never share one environment
        pytest.skip("SpikingJelly and sinabs were not tested: 'make doors' makes their environment")
    assert environment.run(interpreter) == 0


def test_an_environment_of_other_requirements_is_made_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(environment, "HOME", tmp_path)
    assert environment.python() is None
    (tmp_path / environment.MARK).write_text(environment._contents())
    assert environment.python() == tmp_path / "bin" / "python"
    (tmp_path / environment.MARK).write_text("sinabs==2.0.0\n")
    assert environment.python() is None

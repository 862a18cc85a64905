"""Frameworks that are not installed, or miss a package of their own."""

import importlib.util

import pytest

from neurodeploy.errors import BackendMissing
from neurodeploy.export import framework
from neurodeploy.export.door import DOORS
from neurodeploy.models.extras import require


def test_a_package_that_no_extra_brings(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(BackendMissing, match=r"^sinabs: is not installed here; run: pip install .* --no-deps sinabs"):
        require("sinabs", extra="sinabs")
    with pytest.raises(BackendMissing, match=r'run: pip install "neurodeploy\[spikingjelly\]"'):
        require("spikingjelly", extra="spikingjelly")


def test_a_framework_that_misses_a_package_of_its_own(monkeypatch):
    def missing(_name):
        raise ModuleNotFoundError("No module named 'loguru'", name="loguru")

    monkeypatch.setattr(framework, "import_module", missing)
    with pytest.raises(BackendMissing, match=r"^spikingjelly: needs the package 'loguru'; run: pip install loguru"):
        framework.load_framework("spikingjelly")


def test_every_framework_has_a_door():
    assert set(framework.FRAMEWORKS) <= set(DOORS)

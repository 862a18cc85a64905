"""The Lava environment, made once and kept in the user's cache."""

from __future__ import annotations

import pytest

from neurodeploy.targets.lava.environment import Environment, install


@pytest.fixture(scope="session")
def lava() -> Environment:
    return install()

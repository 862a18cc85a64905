"""slayer, imported from the environment that Lava lives in."""

from __future__ import annotations

import pytest

from neurodeploy.export.slayer.home import require_slayer
from neurodeploy.targets.lava.environment import install, packages


@pytest.fixture(scope="session")
def cuba():
    """The blocks of slayer; importing them leaves no stand-ins behind."""
    install()
    require_slayer(packages())
    from lava.lib.dl.slayer.block import cuba

    return cuba

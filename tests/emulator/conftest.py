"""The device that --device cuda opens under Triton's interpreter."""

from __future__ import annotations

import pytest

from neurodeploy.targets.emulator.cuda.device import open_device


@pytest.fixture(scope="module")
def interpreter():
    """Open the CPU as the device; modules that use this import the kernels under the same variable."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRITON_INTERPRET", "1")
        open_device.cache_clear()
        yield
    open_device.cache_clear()

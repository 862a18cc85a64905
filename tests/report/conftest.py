"""One small deployment, for every test of the report."""

from __future__ import annotations

import numpy as np
import pytest

from neurodeploy.nirfile import write_graph
from neurodeploy.pipeline import deploy
from tests.test_quantization import convolutional, spikes


@pytest.fixture(scope="session")
def deployment(tmp_path_factory):
    """Return a deployment of two layers on 5 labelled samples of 12 steps."""
    folder = tmp_path_factory.mktemp("deployment")
    write_graph(convolutional(np.random.default_rng(7)), folder / "float.nir")
    np.savez(folder / "data.npz", spikes=spikes(5, 12, 2, 8, 8), labels=np.arange(5))
    return deploy(folder / "float.nir", "loihi2", folder / "data.npz", folder / "out", lava="off")

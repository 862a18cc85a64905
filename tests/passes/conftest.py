"""The question every pass must answer with yes: are the spikes the same?"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from neurodeploy.graph import Graph, Neuron
from neurodeploy.targets.reference import run
from tests.passes.small_graphs import runnable


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture
def same_spikes(rng: np.random.Generator) -> Callable[..., int]:
    """Return a check that two graphs give equal spikes in every neuron; it returns their number, which is not 0."""

    def check(before: Graph, after: Graph, steps: int = 12) -> int:
        after = runnable(after)
        shapes = {name: before.nodes[name].shape for name in before.inputs}  # type: ignore[union-attr]
        spikes = {name: rng.integers(0, 2, (3, steps, *shape)) for name, shape in shapes.items()}
        left, right = run(before, spikes), run(after, spikes)
        names = [f"s/{name}" for name in before.of_type(Neuron)]
        kept = [f"s/{name}" for name in after.of_type(Neuron) if name in before.nodes]
        assert names == kept  # a pass may add neurons, such as those of an OR, and takes none away
        for name in names:
            np.testing.assert_array_equal(left[name], right[name], err_msg=name)
        total = sum(int(left[name].sum()) for name in names)
        cells = sum(left[name].size for name in names)
        assert 0 < total < cells, "silent or saturated networks prove nothing"
        return total

    return check

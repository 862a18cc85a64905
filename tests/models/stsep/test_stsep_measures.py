"""Retrieval and activation maps."""

import numpy as np
import pytest

from neurodeploy.models.stsep.maps import activation_map
from neurodeploy.models.stsep.retrieval import recall
from tests.models.stsep.test_stsep_invariants import build, clip


def test_recall_counts_queries_with_their_class_among_the_nearest():
    gallery = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [-1.0, 0.0]])
    labels = np.array([0, 1, 2, 0])
    queries, asked = np.array([[5.0, 0.1], [0.0, 3.0], [0.0, 0.0]]), np.array([1, 0, 1])
    assert recall(queries, asked, gallery, labels, (1, 2, 3)) == {1: 0.0, 2: 2 / 3, 3: 1.0}
    with pytest.raises(ValueError, match="R@5 of 3 queries in a gallery of 4"):
        recall(queries, asked, gallery, labels, (1, 5))


def test_a_map_is_the_rate_of_the_stage_on_the_grid_of_the_input():
    model, x = build(block="plain"), clip()
    found = activation_map(model, "2", x)
    assert found.shape == (3, 12, 12)
    outputs = model.stage_outputs(x)["2"]  # the last neurons of the last stage are its output
    assert found.mean().item() == pytest.approx(outputs.mean().item(), rel=0.05)
    assert found.min() >= 0
    assert found.max() <= 1

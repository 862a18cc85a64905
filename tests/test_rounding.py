"""Adaptive rounding keeps the sums right where nearest rounding keeps the weights right."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neurodeploy.graph import Convolution, Linear
from neurodeploy.membrane import fold
from neurodeploy.moments import filtered, moments_of
from neurodeploy.passes.lower import lower
from neurodeploy.rounding import round_adaptively, sum_error
from neurodeploy.scaling import grid, round_to_grid
from neurodeploy.targets.chip import load_chip
from neurodeploy.widths import narrowed
from neurodeploy.wiring import synapses
from tests.test_quantization import chain, convolutional, lif

LIMITS = grid("mixed", narrowed(load_chip("loihi2").formats, 4))


def population(graph, name="n"):
    lowered = lower(graph)
    return fold(lowered, name, synapses(lowered))


def correlated(rng, samples, steps, sources, causes=8):
    """Return spikes whose sources follow few common causes, as those of a trained layer do."""
    drive = rng.random((samples, steps, causes)) @ rng.random((causes, sources)) / causes
    return (rng.random(drive.shape) < drive).astype(np.uint8)


@pytest.fixture
def dense():
    rng = np.random.default_rng(3)
    weight = rng.normal(0, 60, (12, 40))
    twin = population(chain(lif((12,), alpha=0.8), weight))
    return twin, weight, moments_of(twin, {"in": correlated(rng, 12, 40, 40)})["fc"]


def test_the_error_of_the_sums_falls_well_below_that_of_nearest_rounding(dense):
    _, weight, moments = dense
    adaptive, nearest = round_adaptively(weight, moments, LIMITS), round_to_grid(weight, LIMITS)
    assert sum_error(adaptive - weight, moments) < sum_error(nearest - weight, moments) / 2
    assert np.square(adaptive - weight).sum() > np.square(nearest - weight).sum()


def test_every_result_is_on_the_grid(dense):
    _, weight, moments = dense
    low, high, step = LIMITS
    rounded = round_adaptively(weight, moments, LIMITS)
    assert low <= rounded.min() <= rounded.max() <= high
    assert ((rounded - low) % step == 0).all()


def test_sources_that_were_silent_are_rounded_to_the_nearest():
    weight = np.random.default_rng(1).normal(0, 60, (5, 7))
    moments = moments_of(population(chain(lif((5,)), weight)), {"in": np.zeros((2, 9, 7), np.uint8)})["fc"]
    assert np.array_equal(round_adaptively(weight, moments, LIMITS), round_to_grid(weight, LIMITS))


def test_filtered_spikes_are_the_membrane_without_resets():
    spikes = np.array([[[1], [0], [2], [0]]], np.uint8)
    assert filtered(spikes, 0.5, 0.0)[0, :, 0].tolist() == [1, 0.5, 2.25, 1.125]
    assert filtered(spikes, 0.5, 0.5)[0, :, 0].tolist() == pytest.approx([1, 1, 2.75, 2.5])


def test_moments_of_a_kernel_are_those_of_its_dense_rows():
    rng = np.random.default_rng(4)
    graph = convolutional(rng)
    twin = population(graph, "n1")
    (path,) = twin.paths
    assert isinstance(path.node, Convolution)
    maps = (rng.random((3, 5, 2, 8, 8)) < 0.3).astype(np.uint8)
    (block,) = moments_of(twin, {"in": maps})[path.name].blocks
    kept = np.pad(filtered(maps, 0.5, 0.0), ((0, 0), (0, 0), (0, 0), (1, 1), (1, 1)))
    rows = [
        kept[s, t, :, y : y + 3, x : x + 3].ravel()
        for s in range(3)
        for t in range(5)
        for y in range(8)
        for x in range(8)
    ]
    assert np.allclose(block.matrix, np.mean([np.outer(row, row) for row in rows], axis=0), rtol=1e-4)


def test_each_group_of_a_convolution_has_its_own_moments():
    rng = np.random.default_rng(5)
    twin = population(convolutional(rng), "n1")
    (path,) = twin.paths
    node = replace(path.node, weight=rng.normal(0, 1, (4, 1, 3, 3)), groups=2)
    grouped = replace(twin, paths=(replace(path, node=node),))
    maps = (rng.random((3, 5, 2, 8, 8)) < 0.3).astype(np.uint8)
    maps[:, :, 1] = 0
    first, second = moments_of(grouped, {"in": maps})[path.name].blocks
    assert (first.rows, second.rows) == (slice(0, 2), slice(2, 4))
    assert first.matrix.any()
    assert not second.matrix.any()


def test_wide_projections_take_several_blocks():
    rng = np.random.default_rng(6)
    weight = rng.normal(0, 60, (3, 1100))
    twin = population(chain(lif((3,)), weight))
    assert isinstance(twin.paths[0].node, Linear)
    moments = moments_of(twin, {"in": correlated(rng, 2, 20, 1100)})["fc"]
    assert [(b.columns.start, b.columns.stop) for b in moments.blocks] == [(0, 512), (512, 1024), (1024, 1100)]
    adaptive, nearest = round_adaptively(weight, moments, LIMITS), round_to_grid(weight, LIMITS)
    assert sum_error(adaptive - weight, moments) < sum_error(nearest - weight, moments)

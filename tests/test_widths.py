"""Narrower weights are weights of the widest format too, and a chip stores only the widths it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from neurodeploy.errors import UsageError
from neurodeploy.scaling import grid, round_to_grid
from neurodeploy.targets.chip import load_chip
from neurodeploy.widths import narrowed, require_width, widths

CHIPS = Path(__file__).parent / "chips"
LOIHI = load_chip("loihi2").formats


def levels(limits):
    low, high, step = limits
    return list(range(low, high + 1, step))


@pytest.mark.parametrize("name", ["loihi1", "loihi2", "dynapcnn", str(CHIPS / "ternary.toml")])
@pytest.mark.parametrize("mode", ["mixed", "excitatory", "inhibitory"])
def test_narrower_weights_are_on_the_widest_grid(name, mode):
    formats = load_chip(name).formats
    widest = set(levels(grid(mode, formats)))
    for bits in range(1, formats.weight_bits + 1):
        own = levels(grid(mode, narrowed(formats, bits)))
        assert set(own) <= widest
        assert len(own) <= 2**bits


def test_four_bits_of_both_signs_and_of_one():
    four = narrowed(LOIHI, 4)
    assert grid("mixed", four) == (-256, 224, 32)
    assert grid("excitatory", four) == (0, 240, 16)
    assert narrowed(LOIHI, 8) == LOIHI


def test_a_grid_without_zero_rounds_to_its_own_values():
    limits = grid("excitatory", load_chip(CHIPS / "binary.toml").formats)
    assert limits == (-1, 1, 2)
    assert round_to_grid(np.array([-3.0, -0.2, 0.2, 0.9, 5.0]), limits).tolist() == [-1, -1, 1, 1, 1]


def test_a_width_that_the_memory_does_not_know_is_refused():
    chip = load_chip("loihi1")
    assert widths(chip) == (1, 2, 3, 4, 5, 6, 8)
    with pytest.raises(UsageError, match=r"--weight-bits: is 7, loihi1 stores weights of 1, 2, 3, 4, 5, 6, 8 bits"):
        require_width(chip, 7)

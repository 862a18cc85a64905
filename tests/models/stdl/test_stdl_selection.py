"""Which units are chosen (C7), how many parameters that makes (C9), and what a budget does."""

import pytest

from neurodeploy.models.architectures import ModelContext
from neurodeploy.models.recipe import parse_recipe
from neurodeploy.models.stdl.auxiliary import Auxiliary
from neurodeploy.models.stdl.building import GROUPINGS, _Case
from neurodeploy.models.stdl.memory import bptt_bytes, unit_shapes
from neurodeploy.models.stdl.selection import cheapest, groups_of, largest_uniform, pyramid, uniform
from neurodeploy.models.stdl.settings import AuglocalSettings
from tests.models.stdl.nets import TEXT, built, plain, recipe


@pytest.mark.parametrize(
    ("end", "depth", "expected"),
    [
        (0, 3, (5, 10, 15)),
        (1, 3, (6, 10, 15)),
        (5, 3, (8, 12, 15)),
        (10, 3, (12, 13, 15)),
        (12, 3, (13, 14, 15)),
        (0, 5, (3, 6, 9, 12, 15)),
    ],
)
def test_c7_examples(end, depth, expected):
    assert uniform(end, 16, depth) == expected


def test_c7_choices_are_ordered_behind_the_group_and_end_with_the_last():
    for end in range(15):
        for depth in range(1, 16):
            choice = uniform(end, 16, depth)
            assert list(choice) == sorted(set(choice))
            assert choice[0] > end
            assert choice[-1] == 15


@pytest.mark.parametrize("select", [largest_uniform, cheapest])
def test_c7_more_memory_is_never_fewer_units(select):
    def cost(choice):
        return sum((7 * unit) % 11 + 1 for unit in choice)

    before = 0
    for budget in range(0, 80):
        choice = select(2, 12, cost, budget)
        assert not choice or cost(choice) <= budget
        assert len(choice) >= before
        before = len(choice)
    assert before == 9


def test_c7_a_real_budget_is_kept():
    made = recipe("kind = 'stdl'")
    numbers = []
    for share in (0.01, 0.3, 0.6, 1.0):
        model, learning = built(f'kind = "stdl"\nshare = {share}')
        budget = share * bptt_bytes(model, (1, 8, 8), 3, made.training.batch_size, 4)
        chosen = [group for group in learning.groups if group.choice]
        assert all(group.bytes <= budget for group in chosen)
        numbers.append(sum(len(group.choice) for group in chosen))
    assert numbers == sorted(numbers)
    assert numbers[0] == 0 < numbers[-1]


def test_the_default_budget_gives_every_group_a_unit():
    _, learning = built('kind = "stdl"')
    assert [len(group.choice) >= 1 for group in learning.groups[:-1]] == [True] * 4
    assert learning.groups[-1].choice is None


def test_groups_share_the_units():
    assert groups_of(5, 2) == (range(0, 2), range(2, 5))
    assert [len(group) for group in groups_of(5, 0)] == [1] * 5
    with pytest.raises(ValueError, match="6 groups cannot be made of 5 units"):
        groups_of(5, 6)


def test_the_pyramid_of_the_published_code():
    assert pyramid(5, 0.5, 10) == (5, 5, 5, 4, 4, 4, 4, 3, 3, 3)


@pytest.mark.parametrize(
    ("blocks", "primary", "expected"),
    [
        (5, 466_906, (806_412, 1_341_058, 1_511_608, 1_705_390, 1_684_388)),
        (18, 1_730_714, (3_166_354, 5_941_576, 7_240_702, 9_044_468, 10_279_466)),
    ],
)
def test_c9_parameters_of_auxiliary_networks(blocks, primary, expected):
    model = plain(blocks)
    units, context = model.local_units(), ModelContext((3, 32, 32), 10, 1)
    made = parse_recipe(TEXT.format(method="", steps=1) + f'[model]\nkind = "resnet"\nblocks = {blocks}', "x")
    shapes = unit_shapes(units, (3, 32, 32), next(model.parameters()).device)
    assert shapes[-1] == (64, 8, 8)
    assert sum(p.numel() for p in model.parameters()) == primary
    sizes: dict[object, int] = {}

    def size(end, choice):
        """Parameters follow from the widths alone, so networks of equal widths are built once."""
        import torch

        key = (shapes[end], tuple(shapes[unit] for unit in choice))
        if key not in sizes:
            with torch.device("meta"):
                auxiliary = Auxiliary(units, shapes, end, choice, 10)
            sizes[key] = sum(p.numel() for p in auxiliary.parameters())
        return sizes[key]

    found = []
    for depth in range(1, 6):
        groups = GROUPINGS[AuglocalSettings](AuglocalSettings(depth), _Case(made, model, units, context))
        assert len(groups) == len(units.units) - depth
        found.append(sum(size(group.units.stop - 1, group.choice) for group in groups[:-1]))
    assert tuple(found) == expected

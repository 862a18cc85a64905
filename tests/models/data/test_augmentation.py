from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from neurodeploy.errors import UsageError
from neurodeploy.models.augmentations import augment_of
from neurodeploy.models.data import augmentation
from neurodeploy.models.spikes import Samples

Frames = npt.NDArray[np.uint8]
SHAPE = (6, 2, 9, 11)


def frames(seed: int = 0, shape: tuple[int, ...] = SHAPE) -> Frames:
    return np.random.RandomState(seed).randint(0, 9, shape).astype(np.uint8)


class Fixed(np.random.Generator):
    """A generator that gives what a test says, in order."""

    def __init__(self, *values: object) -> None:
        super().__init__(np.random.PCG64(0))
        self.values = list(values)

    def integers(self, *_: object, **__: object) -> object:  # type: ignore[override]
        return self.values.pop(0)

    def uniform(self, *_: object) -> object:  # type: ignore[override]
        return self.values.pop(0)


def test_roll_brings_in_on_one_side_what_leaves_on_the_other() -> None:
    given = frames()
    moved = augmentation.roll(given, Fixed((1, -2)), 2)
    assert np.array_equal(moved[:, :, 1:, :-2], given[:, :, :-1, 2:])
    assert np.array_equal(moved[:, :, 0, -2:], given[:, :, -1, :2])


@pytest.mark.parametrize(("down", "right"), [(0, 0), (2, -3), (-4, 1), (9, 0), (-30, 40)])
def test_translate_brings_in_nothing(down: int, right: int) -> None:
    given = frames()
    wide = np.zeros((6, 2, 9 + 80, 11 + 80), np.uint8)
    wide[:, :, 40:49, 40:51] = given
    expected = wide[:, :, 40 - down : 49 - down, 40 - right : 51 - right]
    assert np.array_equal(augmentation.translate(given, Fixed((down, right)), 40), expected)


def test_a_quarter_turn_is_exact_on_a_square_and_no_turn_on_any_picture() -> None:
    square = frames(shape=(2, 2, 8, 8))
    assert np.array_equal(augmentation.rotate(square, Fixed(90.0), 180), np.rot90(square, 1, (2, 3)))
    assert np.array_equal(augmentation.rotate(square, Fixed(-90.0), 180), np.rot90(square, -1, (2, 3)))
    given = frames()
    assert np.array_equal(augmentation.rotate(given, Fixed(0.0), 180), given)
    assert np.array_equal(augmentation.rotate(given, Fixed(180.0), 180), given[:, :, ::-1, ::-1])


def test_a_small_turn_leaves_corners_empty_and_the_centre_in_place() -> None:
    given = np.ones((1, 1, 21, 21), np.uint8)
    turned = augmentation.rotate(given, Fixed(15.0), 15)
    assert turned[0, 0, 10, 10] == 1
    assert turned[0, 0, [0, 0, 20, 20], [0, 20, 0, 20]].tolist() == [0] * 4


def test_scaling_by_two_doubles_the_inner_part_and_by_half_empties_the_rim() -> None:
    given = frames(shape=(1, 1, 8, 8))
    doubled = augmentation.scale(given, Fixed(2.0), 1)
    assert np.array_equal(doubled, given[:, :, 2:6, 2:6].repeat(2, 2).repeat(2, 3))
    halved = augmentation.scale(np.ones((1, 1, 8, 8), np.uint8), Fixed(0.5), 0.5)
    assert halved.sum() == 16
    assert halved[0, 0, 2:6, 2:6].sum() == 16


@pytest.mark.parametrize(
    ("centre", "rows", "columns"),
    [((4, 5), range(2, 6), range(3, 7)), ((0, 10), range(2), range(8, 11)), ((8, 1), range(6, 9), range(3))],
)
def test_cutout_empties_a_square_in_all_steps(centre: tuple[int, int], rows: range, columns: range) -> None:
    given = np.ones(SHAPE, np.uint8)
    cut = augmentation.cutout(given, Fixed(*centre), 4)
    found = np.argwhere(cut[0, 0] == 0)
    assert {tuple(place) for place in found.tolist()} == {(row, column) for row in rows for column in columns}
    assert (cut == cut[0, 0]).all()


def test_drop_drops_nothing_or_steps_or_an_area() -> None:
    given = np.ones(SHAPE, np.uint8)
    assert augmentation.drop(given, Fixed(0, 0.5), 0.9) is given
    steps = augmentation.drop(given, Fixed(2, 0.5, 1), 0.9)
    assert steps.mean(axis=(1, 2, 3)).tolist() == [1, 0, 0, 0, 1, 1]
    area = augmentation.drop(given, Fixed(3, 0.9, 2, 4), 0.9)
    assert (area == area[0, 0]).all()
    assert np.argwhere(area[0, 0] == 0).tolist() == [[row, column] for row in range(2, 5) for column in range(4, 7)]


def test_drop_drops_single_events_by_the_share_drawn() -> None:
    given = np.full((10, 2, 20, 20), 10, np.uint8)
    left = augmentation.drop(given, Fixed(1, 0.25), 0.9)
    assert (left <= given).all()
    assert 0.74 < left.sum() / given.sum() < 0.76


def test_jitter_moves_events_in_time_and_keeps_each_of_them() -> None:
    given = np.zeros((4, 1, 1, 2), np.uint8)
    given[[0, 1, 3], 0, 0, 0] = 200, 100, 7
    given[3, 0, 0, 1] = 5
    moved = augmentation.jitter(given, Fixed(np.array([-1, -1, -2, 1])), 2)
    assert moved[:, 0, 0, 0].tolist() == [255, 7, 0, 0]  # what passes a byte is lost
    assert moved[:, 0, 0, 1].tolist() == [0, 0, 0, 5]
    many = frames()
    assert np.array_equal(
        augmentation.jitter(many, np.random.default_rng(0), 2).sum(axis=0, dtype=int), many.sum(axis=0, dtype=int)
    )


ALL = [
    (augmentation.roll, 3),
    (augmentation.translate, 3),
    (augmentation.rotate, 30),
    (augmentation.scale, 0.3),
    (augmentation.cutout, 4),
    (augmentation.drop, 0.9),
    (augmentation.jitter, 2),
]


@pytest.mark.parametrize(("change", "number"), ALL)
def test_every_change_follows_from_its_generator_and_leaves_what_it_is_given(
    change: Callable[[Frames, np.random.Generator, float], Frames], number: float
) -> None:
    given = frames()
    made = [change(given, np.random.default_rng(seed), number) for seed in (0, 0, 1, 2, 3)]
    assert np.array_equal(given, frames())
    assert all(each.shape == SHAPE and each.dtype == np.uint8 for each in made)
    assert np.array_equal(made[0], made[1])
    assert any(not np.array_equal(made[0], other) for other in made[2:])


@pytest.mark.parametrize(("change", "number"), ALL[:3])
def test_moves_stay_within_their_number(
    change: Callable[[Frames, np.random.Generator, float], Frames], number: float
) -> None:
    spot = np.zeros((1, 1, 15, 15), np.uint8)
    spot[0, 0, 7, 10] = 1
    places = []
    for seed in range(200):
        places += np.argwhere(change(spot, np.random.default_rng(seed), number)[0, 0]).tolist()
    reach = np.abs(np.array(places) - [7, 10]).max(axis=0)
    assert reach.tolist() == ([1, 0] if change is augmentation.rotate else [3, 3])


def test_a_recipe_names_them_in_order() -> None:
    augment = augment_of(("roll:2", "cutout:3", "drop"), 10)
    assert augment is not None
    given = Samples(np.stack([frames(seed) for seed in range(3)]), np.arange(3))
    made = augment(given, [np.random.default_rng(seed) for seed in (5, 6, 7)])
    for row, seed in enumerate((5, 6, 7)):
        draw = np.random.default_rng(seed)
        expected = augmentation.roll(given.spikes[row], draw, 2)
        expected = augmentation.drop(augmentation.cutout(expected, draw, 3), draw, 0.9)
        assert np.array_equal(made.spikes[row], expected)
    with pytest.raises(UsageError, match="'cutuot' is no augmentation; did you mean 'cutout'"):
        augment_of(("cutuot:3",), 10)
    with pytest.raises(UsageError, match="'roll' has no number"):
        augment_of(("roll",), 10)

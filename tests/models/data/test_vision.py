import colorsys

import numpy as np
import pytest

from neurodeploy.models.augmentations import AUGMENTATIONS
from neurodeploy.models.data import mixing, policies, vision
from neurodeploy.models.data.crops import CROPS, Box, centre, cropped, resized, resized_crop, scaled_crop
from neurodeploy.models.spikes import Samples


def draw(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def clip(steps: int = 2, height: int = 20, width: int = 24) -> np.ndarray:
    """Different frames of natural smoothness; the second is the first moved by two columns."""
    rows, columns = np.mgrid[:height, :width]
    image = np.stack([rows * 8, columns * 7, 255 - rows * 5 - columns * 3]).clip(0, 255).astype(np.uint8)
    return np.stack([np.roll(image, 2 * step, axis=-1) for step in range(steps)])


@pytest.mark.parametrize("name", ["flip", "colour:0.5", "photometric:1", "erase:1", "randaugment:9", "autoaugment"])
def test_a_change_keeps_shape_and_input_and_follows_from_its_generator(name: str) -> None:
    kind = AUGMENTATIONS[name.partition(":")[0]]
    number = float(name.partition(":")[2] or kind.default or 0)
    assert kind.single is not None
    frames = clip()
    before, changed = frames.copy(), 0
    for seed in range(20):
        first, again = (kind.single(frames, draw(seed), number) for _ in range(2))
        assert first.dtype == np.uint8
        assert first.shape == frames.shape
        assert np.array_equal(first, again)
        changed += not np.array_equal(first, frames)
    assert np.array_equal(frames, before)
    assert changed >= 5


@pytest.mark.parametrize("name", ["colour", "photometric", "randaugment", "autoaugment"])
def test_all_frames_of_a_clip_are_changed_alike(name: str) -> None:
    single = AUGMENTATIONS[name].single
    assert single is not None
    still = np.repeat(clip(1), 3, axis=0)
    for seed in range(10):
        made = single(still, draw(seed), AUGMENTATIONS[name].default or 0.5)
        assert (made == made[:1]).all()


def test_factors_of_brightness_contrast_and_saturation() -> None:
    values = clip(1).astype(np.float32)
    assert np.array_equal(vision.brightened(values, 0.5), values / 2)
    flat = vision.contrasted(values, 0.0)
    assert np.ptp(flat) < 1e-3
    assert flat[0, 0, 0, 0] == pytest.approx(vision.grey(values).mean(), rel=1e-5)
    colourless = vision.saturated(values, 0.0)
    assert np.allclose(colourless, vision.grey(values), atol=1e-3)
    for change in (vision.brightened, vision.contrasted, vision.saturated):
        assert np.allclose(change(values, 1.0), values, atol=1e-3)


def test_hue_and_saturation_turn_as_in_the_standard_library() -> None:
    frames = draw(3).integers(0, 256, (1, 3, 6, 6)).astype(np.uint8)
    turned = vision._turned(frames.astype(np.float32), 0.6, 30.0)
    for row, column in np.ndindex(6, 6):
        hue, saturation, value = colorsys.rgb_to_hsv(*(frames[0, :, row, column] / 255.0))
        expected = colorsys.hsv_to_rgb((hue + 30 / 360) % 1.0, min(saturation * 0.6, 1.0), value)
        assert turned[0, :, row, column] / 255.0 == pytest.approx(expected, abs=1e-4)


def test_a_distortion_without_probability_changes_nothing() -> None:
    assert np.array_equal(vision.photometric(clip(), draw(), 0.0), clip())
    assert vision.erase(frames := clip(), draw(), 0.0) is frames


def test_erasing_fills_one_rectangle_of_bounded_area_in_every_frame() -> None:
    frames = np.full((3, 3, 32, 32), 7, np.uint8)
    for seed in range(30):
        changed = (vision.erase(frames, draw(seed), 1.0) != 7).any(axis=1)
        assert (changed == changed[:1]).all()
        rows, columns = np.flatnonzero(changed[0].any(axis=1)), np.flatnonzero(changed[0].any(axis=0))
        area = (rows[-1] - rows[0] + 1) * (columns[-1] - columns[0] + 1)
        assert 0.015 * 1024 <= area <= 0.36 * 1024
        assert changed[0].sum() > 0.9 * area


def test_the_centre_is_the_square_of_seven_eighths_of_the_shorter_side() -> None:
    assert centre(240, 320) == Box(15.0, 55.0, 210.0, 210.0)
    assert centre(256, 256) == Box(16.0, 16.0, 224.0, 224.0)


@pytest.mark.parametrize("name", list(CROPS))
def test_crops_lie_within_the_frame_and_everything_is_seen_at_times(name: str) -> None:
    random, seen = draw(), np.zeros((48, 64), bool)
    for _ in range(300):
        box = CROPS[name](48, 64, random, 0.08)
        assert min(box.top, box.left) >= 0
        assert box.top + box.height <= 48
        assert box.left + box.width <= 64
        seen[int(box.top) : int(box.top + box.height), int(box.left) : int(box.left + box.width)] = True
    assert seen.mean() > 0.95


def test_a_resized_crop_has_the_area_and_sides_that_are_asked_for() -> None:
    random = draw(1)
    boxes = [resized_crop(400, 500, random, 0.3) for _ in range(300)]
    shares = np.array([box.height * box.width / 200_000 for box in boxes])
    ratios = np.array([box.width / box.height for box in boxes])
    assert shares.min() > 0.29
    assert shares.max() > 0.9
    assert ratios.min() > 0.74
    assert ratios.max() < 1.35
    assert resized_crop(10, 400, random, 1.0) == Box(0, 193, 10, 13)  # nothing fits: the widest in the middle


def test_a_scaled_crop_takes_neighbouring_sizes_of_four() -> None:
    random = draw(2)
    sides = {(box.height, box.width) for box in (scaled_crop(240, 320, random, 0.0) for _ in range(500))}
    sizes = [240, 210, 180, 158]
    assert sides == {(a, b) for i, a in enumerate(sizes) for j, b in enumerate(sizes) if abs(i - j) <= 1}


def test_a_part_of_the_same_size_is_taken_as_it_is() -> None:
    images = np.ascontiguousarray(np.moveaxis(clip(2, 16, 16), 1, -1))
    assert np.array_equal(cropped(images, Box(3, 5, 8, 8), 8), clip(2, 16, 16)[..., 3:11, 5:13])
    halved = resized(images[0], 8, 8)
    assert halved.shape == (3, 8, 8)
    assert abs(float(halved[0].mean()) - float(images[0, ..., 0].mean())) < 1.0


@pytest.mark.parametrize("name", list(policies.OPERATIONS))
def test_operations_without_strength_leave_an_image_as_it_is(name: str) -> None:
    nothing = {"posterize": 8.0, "solarize": 256.0}.get(name, 0.0)
    frames = np.stack([np.stack([np.arange(256, dtype=np.uint8).reshape(16, 16)] * 3)])
    made = policies.applied(frames, [(name, nothing)])
    if name == "invert":
        assert np.array_equal(made, 255 - frames)
    else:
        assert np.array_equal(made, frames)


def test_operations_do_what_they_are_named_for() -> None:
    frames = clip(1, 16, 16)
    assert np.array_equal(policies.applied(frames, [("posterize", 3.0)]), frames & 0xE0)
    assert np.array_equal(policies.applied(frames, [("solarize", 128.0)]), np.where(frames < 128, frames, 255 - frames))
    bright = policies.applied(frames, [("solarize-add", 40.0)])
    assert np.array_equal(bright, np.where(frames < 128, frames + 40, frames))
    assert np.array_equal(policies.applied(frames, [("translate-x", 0.25)])[..., :12], frames[..., 4:])
    assert np.array_equal(policies.applied(frames, [("translate-y", -0.25)])[..., 4:, :], frames[..., :12, :])
    assert np.array_equal(policies.applied(frames, [("rotate", 90.0)]), np.rot90(frames, axes=(-2, -1)))
    assert policies.applied(frames, [("brightness", -1.0)]).max() == 0


def test_policies_use_every_operation_and_grow_stronger() -> None:
    names = {name for pair in policies.AUTOAUGMENT for name, _, _ in pair}
    assert len(policies.AUTOAUGMENT) == 25
    assert names <= set(policies.OPERATIONS)
    assert set(policies.RANDAUGMENT) == set(policies.OPERATIONS)
    frames = clip(1, 24, 24)

    def difference(magnitude: float) -> float:
        made = [policies.randaugment(frames, draw(seed), magnitude).astype(float) for seed in range(60)]
        return float(np.abs(np.array(made) - frames).mean())

    assert difference(1.0) < difference(5.0) < difference(10.0)


def batch(number: int = 4) -> Samples:
    spikes = np.stack([np.full((2, 3, 8, 8), 10 * index, np.uint8) for index in range(number)])
    return Samples(spikes, np.arange(number), np.eye(number, dtype=np.float32))


def test_mixup_adds_two_samples_and_their_labels_in_the_same_shares() -> None:
    samples = batch()
    mixed = mixing.mixup(samples, [draw(seed) for seed in range(4)], 0.8)
    assert mixed.targets is not None
    assert mixed.targets.dtype == np.float32
    assert np.allclose(mixed.targets.sum(axis=1), 1)
    expected = mixed.targets @ (10 * np.arange(4))
    assert np.abs(mixed.spikes.mean(axis=(1, 2, 3, 4)) - expected).max() <= 0.5
    assert mixed.labels.tolist() == [0, 1, 2, 3]
    assert np.array_equal(samples.spikes, batch().spikes)


def test_cutmix_pastes_a_rectangle_and_shares_labels_by_its_area() -> None:
    partners = set()
    for seed in range(12):
        mixed = mixing.cutmix(batch(), [draw(10 * seed + row) for row in range(4)], 1.0)
        assert mixed.targets is not None
        for row in range(4):
            levels, counts = np.unique(mixed.spikes[row, 0, 0], return_counts=True)
            assert set(levels) <= {10 * row, 10 * (3 - row)}
            partners.add(len(levels))
            shares = dict(zip(levels // 10, counts / 64, strict=True))
            assert mixed.targets[row].tolist() == pytest.approx([shares.get(c, 0) for c in range(4)])
            assert (mixed.spikes[row] == mixed.spikes[row, :1, :1]).all()
    assert partners == {1, 2}


def test_one_of_the_two_mixtures_is_drawn() -> None:
    found = set()
    for seed in range(8):
        draws = [draw(10 * seed + row) for row in range(4)]
        levels = len(np.unique(mixing.mixup_or_cutmix(batch(), draws, 0.8).spikes[0]))
        found.add(levels)
    assert found >= {1, 2}

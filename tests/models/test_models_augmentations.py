"""Augmentations by name, and how training samples pass through them; soft labels and scaled pixels."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from neurodeploy.errors import UsageError
from neurodeploy.models import augmentations
from neurodeploy.models.augmentations import Augmentation, augment_of
from neurodeploy.models.convnet import as_input
from neurodeploy.models.dataset import load_dataset
from neurodeploy.models.losses import loss_of
from neurodeploy.models.processes import Processes
from neurodeploy.models.recipe import Recipe, TrainingSettings, load_recipe, parse_recipe
from neurodeploy.models.runrecord import data_hash
from neurodeploy.models.spikes import Samples, Scaling, SpikeDataset
from neurodeploy.models.trainer import Trainer

TINY = [
    *("name=tiny", "epochs=1", "steps=3", "test_samples=1600", "calibration_samples=20", "layers.0.channels=2"),
    *("layers.4.channels=4", "batch_size=32"),
]


def draws(number: int) -> list[np.random.Generator]:
    return [np.random.default_rng(seed) for seed in range(number)]


def samples(number: int = 4) -> Samples:
    spikes = np.arange(number * 2 * 1 * 3 * 5, dtype=np.uint8).reshape(number, 2, 1, 3, 5)
    return Samples(spikes, np.arange(number) % 3)


def tiny(*settings: str) -> Recipe:
    return load_recipe("digits", [*TINY, *settings])


def test_data_settings_of_files_are_written_only_where_they_say_something() -> None:
    recipe = tiny('augment=["flip:0.25", "flip"]', "folder=/data/x y", "size=48", "framing=time")
    assert recipe.data.augment == ("flip:0.25", "flip")
    assert parse_recipe(recipe.to_toml(), "again") == recipe
    assert not {"folder", "augment", "size", "framing"} & set(tiny().to_toml().split())


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ('augment=["flop"]', "data.augment.0: 'flop' is no augmentation; did you mean 'flip'"),
        ('augment=["flip", "flip:2"]', "data.augment.1: '2' is no number from 0 to 1"),
        ('augment=["flip:x"]', "data.augment.0: 'x' is no number"),
        ("augment=flip", "data.augment: is a string .'flip'., not a list of strings"),
        ("augment=[1]", "data.augment.0: is a whole number .1., not a string"),
        ('folder="a\\u0007b"', "data.folder: .* cannot be printed"),
        ("framing=counts", "'counts' is not known; did you mean 'count'"),
    ],
)
def test_a_setting_that_cannot_be_is_named(setting: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        tiny(setting)


def test_a_number_that_is_needed_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def roll(frames: Any, draw: np.random.Generator, most: float) -> Any:
        return np.roll(frames, draw.integers(-int(most), int(most) + 1), axis=-1)

    monkeypatch.setitem(augmentations.AUGMENTATIONS, "roll", Augmentation(roll, low=0, high=9))
    with pytest.raises(UsageError, match="'roll' has no number; write \"roll:0\" or up to 9"):
        tiny('augment=["roll"]')
    assert tiny('augment=["roll:5"]').data.augment == ("roll:5",)


def test_each_sample_is_changed_by_its_own_generator() -> None:
    augment = augment_of(["flip"], 3)
    assert augment is not None
    before = samples()
    found = augment(before, draws(4))
    heads = [generator.random() < 0.5 for generator in draws(4)]
    assert 0 < sum(heads) < 4
    for one, given, mirrored in zip(found.spikes, before.spikes, heads, strict=True):
        assert np.array_equal(one, given[..., ::-1] if mirrored else given)
    assert found.targets is None
    assert augment_of([], 3) is None


def test_what_mixes_samples_gets_soft_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    def half(given: Samples, _draws: Sequence[np.random.Generator], share: float) -> Samples:
        assert given.targets is not None
        return replace(given, targets=share * given.targets + (1 - share) * given.targets[::-1])

    monkeypatch.setitem(augmentations.AUGMENTATIONS, "half", Augmentation(mix=half, default=0.5))
    augment = augment_of(["half", "half:1"], 3)
    assert augment is not None
    targets = augment(samples(2), draws(2)).targets
    assert targets is not None
    assert targets.tolist() == [[0.5, 0.5, 0.0]] * 2
    assert targets.dtype == np.float32


def loaded(recipe: Recipe, processes: Processes) -> dict[int, bytes]:
    """Return what a process trains on in epoch 2, by the place of a sample in the dataset."""
    data = load_dataset(recipe.data)
    trainer = Trainer.__new__(Trainer)
    trainer.recipe, trainer.data, trainer.processes = recipe, data, processes
    batch = np.arange(20)
    indices = np.concatenate(processes.parts(batch, recipe.training.accumulate))
    parts = trainer._loaded(batch, 2)
    frames = np.concatenate([part.spikes for part in parts])
    return {int(index): one.tobytes() for index, one in zip(indices, frames, strict=True)}


def test_what_becomes_of_a_sample_depends_on_neither_parts_nor_processes() -> None:
    whole = loaded(tiny('augment=["flip"]'), Processes())
    assert whole == loaded(tiny('augment=["flip"]', "accumulate=3"), Processes())
    assert whole == loaded(tiny('augment=["flip"]'), Processes(0, 2)) | loaded(
        tiny('augment=["flip"]'), Processes(1, 2)
    )
    plain = loaded(tiny(), Processes())
    assert 0 < sum(whole[index] != plain[index] for index in whole) < 20


def test_only_training_samples_are_changed() -> None:
    recipe = tiny()
    data = load_dataset(recipe.data)
    seen = []

    def note(given: Samples, generators: Sequence[np.random.Generator]) -> Samples:
        seen.append((len(given), len(generators)))
        return replace(given, spikes=np.zeros_like(given.spikes))

    trainer = Trainer(recipe, replace(data, augment=note))
    before = trainer.accuracy(data.test)
    assert not seen
    assert before == Trainer(recipe, data).accuracy(data.test)
    trainer.run_epoch()
    assert sum(count for count, _ in seen) == len(data.train)
    assert all(count == generators for count, generators in seen)


def test_soft_labels_train_as_their_hard_ones_do_where_they_are_these() -> None:
    outputs, labels = torch.rand(5, 7, 4), torch.arange(7) % 4
    soft = functional.one_hot(labels, 4).float()
    for name in ("cross-entropy", "tet", "mse"):
        settings = TrainingSettings(epochs=1, learning_rate=1.0, loss=name, label_smoothing=0.1, logit_scale=0.5)
        torch.testing.assert_close(loss_of(outputs, soft, settings), loss_of(outputs, labels, settings))
    mixed = 0.25 * soft + 0.75 * soft.roll(1, 0)
    settings = TrainingSettings(epochs=1, learning_rate=1.0)
    expected = 0.25 * loss_of(outputs, labels, settings) + 0.75 * loss_of(outputs, labels.roll(1), settings)
    torch.testing.assert_close(loss_of(outputs, mixed, settings), expected)


def test_the_mean_over_steps_is_a_readout() -> None:
    outputs, labels = torch.rand(5, 7, 4), torch.arange(7) % 4
    settings = TrainingSettings(epochs=1, learning_rate=1.0, logit_scale=3.0, readout="mean")
    assert torch.equal(loss_of(outputs, labels, settings), functional.cross_entropy(outputs.mean(0) * 3.0, labels))


def test_pixels_become_input_by_their_channels_scale() -> None:
    values = np.arange(2 * 3 * 2 * 1 * 2, dtype=np.uint8).reshape(2, 3, 2, 1, 2)
    found = as_input(values, Scaling((0.5, 0.0), (0.25, 1.0)))
    assert found.shape == (3, 2, 2, 1, 2)
    assert found[2, 1, 0, 0, 1] == torch.tensor((values[1, 2, 0, 0, 1] / np.float32(255) - 0.5) / 0.25)
    assert found[2, 1, 1, 0, 1] == torch.tensor(values[1, 2, 1, 0, 1] / np.float32(255))
    assert torch.equal(as_input(values), torch.from_numpy(values.swapaxes(0, 1).astype(np.float32)))
    values.setflags(write=False)
    assert as_input(values).shape == found.shape
    with pytest.raises(ValueError, match="not of the same channels, or not above 0"):
        Scaling((0.5,), (0.0,))


class _OnDisk:
    """Samples that can only be taken."""

    def __init__(self, held: Samples) -> None:
        self._held, self.taken = held, 0

    @property
    def labels(self) -> Any:
        return self._held.labels

    def __len__(self) -> int:
        return len(self._held)

    def take(self, indices: Any) -> Samples:
        self.taken += len(indices)
        return self._held.take(indices)

    def save(self, path: Any) -> None:
        self._held.save(path)


class _Told(_OnDisk):
    def fingerprint(self) -> bytes:
        return b"these"


def test_a_run_can_be_of_samples_that_are_never_in_memory_as_a_whole() -> None:
    held, disk, told = samples(), _OnDisk(samples()), _Told(samples())
    assert data_hash(SpikeDataset(disk, disk, disk)) == data_hash(SpikeDataset(held, held, held))
    assert disk.taken == 8
    assert data_hash(SpikeDataset(told, told, told)) != data_hash(SpikeDataset(held, held, held))
    assert not told.taken

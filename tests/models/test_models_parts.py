"""Training on a part of a dataset."""

import numpy as np
import pytest

from neurodeploy.errors import UsageError
from neurodeploy.models.dataset import load_dataset
from neurodeploy.models.parts import DrawnPart, Part, stratified_part
from neurodeploy.models.recipe import parse_recipe
from neurodeploy.models.runrecord import data_hash
from neurodeploy.models.spikes import Samples
from neurodeploy.npz import read_events

LABELS = np.repeat(np.arange(3), 10)
WHOLE = Samples(np.arange(30, dtype=np.uint8).reshape(30, 1, 1, 1, 1), LABELS)


class Files:
    """Samples that are drawn: each plus what its generator gives."""

    labels = LABELS

    def __len__(self):
        return 30

    def take(self, indices):
        return WHOLE.take(indices)

    def draw(self, indices, draws):
        spikes = [WHOLE.spikes[i] + draw.integers(9) for i, draw in zip(indices, draws, strict=True)]
        return Samples(np.stack(spikes), LABELS[indices])

    def fingerprint(self):
        return b"files"


def test_a_part_has_each_class_in_its_share_and_counts_its_own_samples(tmp_path):
    part = stratified_part(WHOLE, 6, seed=3)
    assert isinstance(part, Part)
    assert len(part) == 6
    assert part.labels.tolist() == [0, 0, 1, 1, 2, 2]
    picked = part.take(np.array([5, 0]))
    assert picked.labels.tolist() == [2, 0]
    assert picked.spikes.ravel().tolist() == part.indices[[5, 0]].tolist()
    part.save(tmp_path / "part.npz")
    assert np.array_equal(read_events(tmp_path / "part.npz").spikes[""], part.take(np.arange(6)).spikes)
    assert stratified_part(WHOLE, 6, seed=3).fingerprint() == part.fingerprint()
    assert stratified_part(WHOLE, 6, seed=4).fingerprint() != part.fingerprint()
    assert stratified_part(WHOLE, 0, seed=3) is WHOLE
    with pytest.raises(UsageError, match=r"data\.train_samples: asks for 31, 30 are there"):
        stratified_part(WHOLE, 31, seed=3)


def test_what_is_drawn_stays_drawn():
    part = stratified_part(Files(), 6, seed=3)
    assert isinstance(part, DrawnPart)
    drawn = part.draw(np.array([1, 4]), [np.random.default_rng(k) for k in (7, 8)])
    expected = part.take(np.array([1, 4])).spikes.ravel() + [np.random.default_rng(k).integers(9) for k in (7, 8)]
    assert drawn.spikes.ravel().tolist() == expected.tolist()
    assert part.fingerprint() == b"files" + part.indices.astype("<i8").tobytes()


def test_a_recipe_may_ask_for_a_part():
    training = "[training]\nepochs = 1\nlearning_rate = 0.1\n"
    text = f'name = "x"\n[data]\ntrain_samples = 50\n{training}[model]\nkind = "resnet"\n'
    recipe = parse_recipe(text, "x")
    assert "train_samples = 50" in recipe.to_toml()
    data, all_of_it = load_dataset(recipe.data), load_dataset(parse_recipe(text, "x", ["data.train_samples=0"]).data)
    assert len(data.train) == 50
    assert np.array_equal(data.test.labels, all_of_it.test.labels)
    assert data_hash(data) != data_hash(all_of_it)

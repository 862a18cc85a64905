import importlib.util
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodeploy.errors import BackendMissing, UsageError
from neurodeploy.models.dataset import dataset_kind
from neurodeploy.models.digits import load_digits
from neurodeploy.models.recipe import DataSettings
from neurodeploy.models.spikes import Samples, rate_code, split, stratified_pick
from neurodeploy.npz import read_events

DATA = DataSettings()


def test_sixteen_steps_give_one_spike_per_unit_of_sixteen() -> None:
    values = np.arange(17)
    assert rate_code(values, 16, 16).sum(axis=1).tolist() == values.tolist()


def test_half_the_value_fires_every_other_step() -> None:
    assert rate_code(np.array([8]), 8, 16).tolist() == [[1, 0, 1, 0, 1, 0, 1, 0]]


@given(value=st.integers(0, 16), steps=st.integers(1, 200))
def test_spikes_are_as_many_as_promised_and_evenly_spread(value: int, steps: int) -> None:
    train = rate_code(np.array([value]), steps, 16)[0]
    count = int(value * steps / 16 + 0.5)
    assert train.dtype == np.uint8
    assert train.max() <= 1
    assert train.sum() == count
    gaps = np.diff(np.flatnonzero(train))
    assert gaps.size == 0 or gaps.max() - gaps.min() <= 1


def test_a_pick_is_stratified_and_repeatable() -> None:
    labels = np.repeat(np.arange(3), [100, 50, 25]).astype(np.int64)
    picked = stratified_pick(labels, 14, seed=3)
    assert np.bincount(labels[picked]).tolist() == [8, 4, 2]
    assert picked.tolist() == stratified_pick(labels, 14, seed=3).tolist()
    assert picked.tolist() != stratified_pick(labels, 14, seed=4).tolist()


def test_more_samples_than_there_are_is_refused() -> None:
    with pytest.raises(UsageError, match="176 samples: only 175 are there"):
        stratified_pick(np.zeros(175, np.int64), 176, seed=0)
    with pytest.raises(UsageError, match="leave none for training"):
        split(Samples(np.zeros((5, 1, 1), np.uint8), np.zeros(5, np.int64)), 5, 1, 0)


def test_the_digits_are_cut_once_and_for_all() -> None:
    data = load_digits(DATA)
    assert data.train.spikes.shape == (1437, 16, 1, 8, 8)
    assert data.test.spikes.shape == (360, 16, 1, 8, 8)
    assert data.calibration.spikes.shape == (256, 16, 1, 8, 8)
    assert np.bincount(data.test.labels).tolist() == [36, 37, 35, 37, 36, 36, 36, 36, 35, 36]
    assert data.test.labels[:12].tolist() == load_digits(DATA).test.labels[:12].tolist()


def test_calibration_samples_are_training_samples() -> None:
    data = load_digits(DATA)
    train, test, calibration = (
        {s.tobytes() for s in part.spikes} for part in (data.train, data.test, data.calibration)
    )
    assert calibration <= train
    assert not train & test


def test_saved_samples_are_an_event_file_of_the_same_bytes(tmp_path: Path) -> None:
    data = load_digits(DATA)
    for name in ("a.npz", "b.npz"):
        data.calibration.save(tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    events = read_events(tmp_path / "a.npz")
    assert (events.samples, events.steps) == (256, 16)
    assert events.spikes[""].dtype == np.uint8
    assert events.labels is not None
    assert events.labels.tolist() == data.calibration.labels.tolist()


def test_a_missing_scikit_learn_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        BackendMissing, match=r'sklearn: is not installed here; run: pip install "neurodeploy\[digits\]"'
    ):
        load_digits(DATA)


def test_an_unknown_dataset_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="dataset 'digit': is not known; did you mean 'digits'"):
        dataset_kind(DataSettings(dataset="digit"))

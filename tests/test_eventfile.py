"""Data files that list events: what is read, what is refused, and the way to every backend."""

from __future__ import annotations

import numpy as np
import pytest

from neurodeploy.comparison import compare
from neurodeploy.errors import InputError, UsageError
from neurodeploy.graph import Graph, Input, Output
from neurodeploy.npz import read_events
from neurodeploy.quantized_training import samples_of
from neurodeploy.simulation import simulate
from tests.random_networks import random_network, random_spikes

T, INDEX = np.array([0, 2, 2]), np.array([3, 0, 1])


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data.npz"


def columns(dense: np.ndarray) -> dict[str, np.ndarray]:
    sample, t, index = np.nonzero(dense.reshape(*dense.shape[:2], -1))
    return {"t": t, "index": index, "sample": sample, "payload": dense[dense != 0]}


def test_extents_come_from_numbers_from_labels_or_from_the_last_event(path):
    np.savez(path, t=T, index=INDEX)
    assert read_events(path).spikes[""].shape == (1, 3)
    np.savez(path, t=T, index=INDEX, sample=[0, 0, 4], steps=9)
    assert read_events(path).spikes[""].shape == (5, 9)
    np.savez(path, t=T, index=INDEX, sample=[0, 0, 4], steps=9, labels=np.zeros(7))
    assert read_events(path).spikes[""].shape == (7, 9)
    np.savez(path, t=T, index=INDEX, sample=[0, 0, 4], samples=8, steps=[9])
    events = read_events(path)
    assert (events.samples, events.steps, events.first(2).samples) == (8, 9, 2)
    assert events.first(2).spikes[""].t.tolist() == [0, 2]


def test_ports_as_events_beside_dense_ones(path):
    np.savez(path, **{"t/a": T, "index/a": INDEX, "spikes/b": np.ones((1, 3, 2)), "t/c": T[:0], "index/c": INDEX[:0]})
    spikes = read_events(path).spikes
    assert {name: values.shape[:2] for name, values in spikes.items()} == {"a": (1, 3), "b": (1, 3), "c": (1, 3)}


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"t": T}, "holds 't' but no 'index'"),
        ({"t/a": T, "index": INDEX}, "holds 't/a' but no 'index/a'"),
        ({"t": T + 0.5, "index": INDEX}, "its t holds fractions, such as 0.5"),
        ({"t": T, "index": INDEX * np.nan}, "its index holds NaN"),
        ({"t": T, "index": INDEX, "steps": np.inf}, "its steps holds NaN or infinity"),
        ({"t": T, "index": INDEX, "steps": [1, 2]}, r"its steps has shape \[2\]"),
        ({"t": T, "index": INDEX, "spikes": np.ones((1, 3, 4))}, "dense and as events"),
        ({"t/a": T, "index/a": INDEX, "spikes/b": np.ones((2, 3, 4))}, "ports differ"),
        ({"index": INDEX}, "the columns of events 't' and 'index'"),
    ],
)
def test_bad_event_files(path, arrays, message):
    np.savez(path, **arrays)
    with pytest.raises(InputError, match=message):
        read_events(path)


@pytest.mark.parametrize("kind", [np.int64, np.float64])
def test_a_file_of_events_gives_the_recording_of_the_dense_one(path, kind):
    network = random_network(2)
    dense = random_spikes(network, 2)["input"]
    np.savez(path, steps=dense.shape[1], **{name: values.astype(kind) for name, values in columns(dense).items()})
    assert compare(simulate(network, dense), simulate(network, read_events(path).spikes)).equal


def test_training_takes_events_for_a_network_of_one_input(path):
    np.savez(path, t=T, index=INDEX, steps=6, labels=[1])
    graph = Graph({"in": Input((2, 3)), "out": Output((2, 3))}, (("in", "out"),), 1e-3)
    samples = samples_of(read_events(path), graph)
    assert samples.spikes.dtype == np.uint8
    assert samples.spikes.shape[2:] == (2, 3)
    assert samples.spikes.sum() == len(T)
    np.savez(path, t=T, index=INDEX)
    with pytest.raises(UsageError, match="holds no labels"):
        samples_of(read_events(path), graph)

"""A network that ran before is run again without the checks that plain bytes of its shape need not pass."""

from __future__ import annotations

import numpy as np
import pytest

from neurodeploy import simulation
from neurodeploy.comparison import compare
from neurodeploy.errors import InputError
from neurodeploy.network import Dense, Network, Population, Port, Projection
from neurodeploy.neurons import Lif
from neurodeploy.simulation import simulate


@pytest.fixture
def checked(monkeypatch):
    """Return the list of inputs that were looked at."""
    seen, check = [], simulation.check_spikes

    def look(shapes, spikes):
        seen.append(spikes)
        return check(shapes, spikes)

    monkeypatch.setattr(simulation, "check_spikes", look)
    return seen


@pytest.fixture
def network():
    weight = np.random.default_rng(0).integers(-40, 60, (7, 6)) * 2
    dense = Projection("p", "in", "out", Dense(weight))
    return Network((Port("in", (6,)),), (Population("out", (7,), Lif(300, 900, 300), 1),), (dense,), ("out",))


def spikes_of(steps: int, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).random((2, steps, 6)) < 0.5).astype(np.uint8)


def test_plain_bytes_are_looked_at_once(network, checked):
    for steps in (9, 9, 20):
        spikes = spikes_of(steps, steps)
        found = simulate(network, spikes)
        assert compare(simulate(network, spikes, "golden"), found).equal
        assert found.inputs["in"] is spikes
    assert [spikes.shape[1] for spikes in checked] == [9, 9, 9, 20], "one for each golden run, and the first of ours"


def test_everything_else_is_looked_at_again(network, checked):
    spikes = spikes_of(12)
    first = simulate(network, spikes)
    forms = (spikes.astype(bool), spikes.astype(np.int64), spikes.tolist(), {"in": spikes}, spikes.astype(float))
    for given in forms:
        assert compare(first, simulate(network, given)).equal
    assert len(checked) == 1 + len(forms)
    assert compare(first, simulate(network, np.repeat(spikes, 2, axis=2)[:, :, ::2])).equal
    assert len(checked) == 1 + len(forms), "bytes with gaps between them are plain bytes"


@pytest.mark.parametrize("shape", [(2, 12, 7), (12, 6), (6,), (), (0, 12, 6), (2, 0, 6), (2, 12, 6, 1, 2)])
def test_bytes_of_another_shape_are_refused_as_ever(network, shape):
    simulate(network, spikes_of(12))
    with pytest.raises(InputError, match="the network takes"):
        simulate(network, np.zeros(shape, np.uint8))


def test_memory_is_asked_after_where_a_recording_is_large(network, checked, monkeypatch):
    simulate(network, spikes_of(12))
    known = simulation._KNOWN[network]
    assert 2 * 12 < known.steps < 1 << 26
    monkeypatch.setitem(simulation._KNOWN, network, known._replace(steps=23))
    simulate(network, spikes_of(11))
    assert len(checked) == 1
    simulate(network, spikes_of(12))
    assert len(checked) == 2

"""What no network may hold: neuron models and sparse rows that contradict themselves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neurodeploy.errors import InputError
from neurodeploy.network import Dense, Network, Population, Port, Projection, Sparse
from neurodeploy.neurons import Lif, Resonator, SigmaDelta
from neurodeploy.verify_network import verify_network

LIF = Lif(100, 4096, 0)
ROWS = Sparse([0, 2, 3], [0, 2, 1], [5, -4, 0], (2, 3))


def network(neuron=LIF, connection=ROWS, **projection):
    path = Projection("p", "in", "n", connection, **projection)
    return Network((Port("in", (3,)),), (Population("n", (2,), neuron),), (path,), ("n",))


def test_what_is_well_formed_passes():
    for neuron in (LIF, replace(LIF, lower_threshold=-3, refractory=2), SigmaDelta(3), Resonator(9, 1, 2)):
        verify_network(network(neuron))
    verify_network(network(Resonator(9, 1, 2), imaginary=True))


@pytest.mark.parametrize(
    ("neuron", "message"),
    [
        (replace(LIF, refractory=-1), "refractory is -1 to -1, allowed are 0 to 32768"),
        (replace(LIF, lower_threshold=101), "a lower threshold is above the upper one"),
        (replace(LIF, lower_threshold=[-1, -2, -3]), r"lower_threshold has shape \[3\], the population \[2\]"),
        (replace(LIF, lower_threshold=-1, spiking=False), "has a lower threshold and never fires"),
        (replace(LIF, reset="none"), "reset is 'none'; one of zero, subtract, burst"),
        (replace(LIF, lowest=-1), "has a lowest membrane and the reset 'zero'"),
        (replace(LIF, reset="burst", lowest=1), "lowest is 1 to 1, allowed are -131071 to 0"),
        (replace(LIF, reset="burst", threshold=[0, 9]), "bursts at a threshold of 0"),
        (replace(LIF, reset="burst", lower_threshold=-1), "bursts and is ternary"),
        (SigmaDelta(-1), "threshold is -1 to -1"),
        (SigmaDelta(1, stage="both"), "stage is 'both'"),
        (SigmaDelta(1 << 20, spike_exponent=6, state_exponent=6), r"threshold 1048576 times 2\^12 exceeds a 32-bit"),
        (SigmaDelta(1, bias=-(1 << 25), state_exponent=6), r"bias 33554432 times 2\^6 exceeds a 32-bit register"),
        (SigmaDelta(1, state_exponent=25), "state_exponent is 25 to 25, allowed are 0 to 24"),
        (Resonator(1 << 23, 0, 0), "threshold is 8388608"),
        (Resonator(1, 0, 0, decay_bits=17), "decay_bits is 17"),
        (Resonator(1, 0, 0, kind="other"), "kind is 'other'; one of phase, izhikevich"),
    ],
)
def test_neurons_that_cannot_be(neuron, message):
    with pytest.raises(InputError, match=message):
        verify_network(network(neuron))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (Sparse([0, 2, 3], [0, 2, 1], [1, 1, 1], (3, 2)), r"weight is \[3, 2\], its ends make \[2, 3\]"),
        (Sparse([0, 3], [0, 2, 1], [1, 1, 1], (2, 3)), "are no compressed rows"),
        (Sparse([0, 2, 3], [0, 2], [1, 1, 1], (2, 3)), "are no compressed rows"),
        (Sparse([0, 4, 3], [0, 2, 1], [1, 1, 1], (2, 3)), "indptr does not rise from 0 to the 3 synapses"),
        (Sparse([0, 2, 3], [0, 3, 1], [1, 1, 1], (2, 3)), "indices are 0 to 3, its source has 3 cells"),
        (Sparse([0, 2, 3], [2, 0, 1], [1, 1, 1], (2, 3)), "indices do not rise within a row"),
        (Sparse([0, 2, 3], [1, 1, 1], [1, 1, 1], (2, 3)), "indices do not rise within a row"),
    ],
)
def test_rows_that_cannot_be(rows, message):
    with pytest.raises(InputError, match=message):
        verify_network(network(connection=rows))


def test_only_resonators_have_an_imaginary_part():
    with pytest.raises(InputError, match="drives the imaginary part of 'n', which has none; target a resonator"):
        verify_network(network(imaginary=True))


@pytest.mark.parametrize(
    ("neuron", "largest"), [(LIF, (1 << 25) - 1), (SigmaDelta(1), (1 << 31) - 1), (Resonator(1, 0, 0), (1 << 25) - 1)]
)
def test_sums_stay_within_the_register_that_the_model_shifts_them_in(neuron, largest):
    fits = np.array([[largest - 1, -1, 0], [0, 0, 0]])
    verify_network(network(neuron, Dense(fits)))
    with pytest.raises(InputError, match=f"can sum to {largest + 1:,}, a 32-bit register holds {largest:,}"):
        verify_network(network(neuron, Dense(fits + np.array([[0, 0, 1], [0, 0, 0]]))))


def test_sparse_is_its_dense_matrix():
    dense = np.array([[0, 3, 0], [-2, 0, 7]])
    rows = Sparse.from_dense(dense)
    assert rows.to_dense().tolist() == dense.tolist()
    assert (rows.indptr.tolist(), rows.indices.tolist(), rows.rows.tolist()) == ([0, 1, 3], [1, 0, 2], [0, 1, 1])

"""Our figures are those of neurobench 2.3.0 itself, run on the same networks, weights and inputs."""

from dataclasses import replace

import numpy as np
import pytest

from neurodeploy.activity import count_activity
from neurodeploy.mapping import map_network
from neurodeploy.network import Convolution, Dense, Sparse
from neurodeploy.neurobench import neurobench
from neurodeploy.neurons import Lif
from neurodeploy.simulation import simulate
from neurodeploy.targets.chip import load_chip
from tests.chains import chain

#: Integrates without leak or filter, as NeuroBench's side does: what is compared is counting, not neurons.
SAMPLES, STEPS = 4, 6


def weights(rng, *shape, zeros=0.3):
    values = rng.integers(-40, 60, shape) * 2
    return np.where(rng.random(shape) < zeros, 0, values)


def conv(rng, *shape, **options):
    return Convolution(weights(rng, *shape), **options)


def dense(rng, outputs, inputs, **options):
    return Dense(weights(rng, outputs, inputs, **options))


def networks():
    """Return name -> (network, input [samples, steps, *shape], batch)."""
    rng = np.random.default_rng(5)

    def net(shape, *layers):
        return chain(shape, *layers, neuron=Lif(60, current_decay=4096, voltage_decay=0))

    def spikes(*shape, density=0.3):
        return (rng.random((SAMPLES, STEPS, *shape)) < density).astype(np.int32)

    def graded(*shape):
        return spikes(*shape) * rng.choice([1, 1, 1, 3], (SAMPLES, STEPS, *shape))

    late = np.zeros((SAMPLES, STEPS, 9), dtype=np.int32)
    late[1, 2, 3], late[2, 4, 5] = 2, 1
    padded = net((2, 7, 6), conv(rng, 4, 2, 3, 3, padding=(1, 1)), dense(rng, 5, 168))
    strided = net((2, 9, 8), conv(rng, 3, 2, 3, 2, stride=(2, 3)), conv(rng, 4, 3, 2, 2, padding=(1, 0)))
    dilated = net((4, 9, 8), conv(rng, 6, 2, 3, 3, groups=2, dilation=(2, 2), padding=(2, 1)), dense(rng, 7, 6 * 9 * 6))
    depthwise = net((5, 6, 6), conv(rng, 5, 1, 2, 2, stride=(2, 2), groups=5), conv(rng, 3, 5, 1, 1))
    return {
        "mlp": (net((20,), dense(rng, 16, 20), dense(rng, 4, 16)), spikes(20), 1),
        "mlp in batches": (net((20,), dense(rng, 16, 20, zeros=0.0), dense(rng, 4, 16)), spikes(20), 4),
        "padded": (padded, spikes(2, 7, 6), 2),
        "strided": (strided, spikes(2, 9, 8), 1),
        "dilated groups": (dilated, spikes(4, 9, 8), 3),
        "depthwise": (depthwise, spikes(5, 6, 6), 1),
        "graded input": (net((12,), dense(rng, 8, 12), dense(rng, 3, 8)), graded(12), 1),
        "graded image": (net((2, 5, 5), conv(rng, 3, 2, 3, 3), dense(rng, 4, 27)), graded(2, 5, 5), 2),
        "seldom graded": (net((9,), dense(rng, 8, 9)), late, 2),
        "silent": (net((9,), dense(rng, 8, 9)), np.zeros((SAMPLES, STEPS, 9), dtype=np.int32), 1),
    }


CASES = networks()


def describe(network, inputs, batch):
    """Return what NeuroBench's side needs to build and run the same network."""
    layers = []
    arrays = []
    for projection in network.projections:
        connection, neuron = projection.connection, network.by_name[projection.target].neuron
        geometry = {name: getattr(connection, name, 1) for name in ("stride", "padding", "dilation", "groups")}
        layers.append({"weight": connection.weight.tolist(), "threshold": int(neuron.threshold), **geometry})
        arrays.append(("int8", connection.weight.shape))
        arrays += [("int32", np.shape(part)) for part in (neuron.threshold, neuron.current_decay)]
        arrays += [("int32", np.shape(part)) for part in (neuron.voltage_decay, neuron.bias)]
    return {"layers": layers, "inputs": inputs.tolist(), "batch": batch, "arrays": arrays}


@pytest.fixture(scope="module")
def theirs(measure):
    return measure({name: describe(*case) for name, case in CASES.items()})


def record(network, inputs):
    return simulate(network, {"in": inputs}, "golden", record=("s", "v"))


@pytest.mark.parametrize("name", CASES)
def test_figures_are_neurobenchs_own(theirs, name):
    network, inputs, batch = CASES[name]
    recording = record(network, inputs)
    ours, found = neurobench(network, recording, batch=batch), theirs[name]
    assert (name == "silent") == (ours.activation_sparsity == 1.0)
    assert ours.activation_sparsity > 0
    assert ours.synaptic_operations.dense == found["SynapticOperations"]["Dense"]
    assert ours.synaptic_operations.effective_acs == found["SynapticOperations"]["Effective_ACs"]
    assert ours.synaptic_operations.effective_macs == found["SynapticOperations"]["Effective_MACs"]
    assert ours.activation_sparsity == pytest.approx(found["ActivationSparsity"], rel=1e-9)
    assert round(ours.connection_sparsity, 4) == pytest.approx(found["ConnectionSparsity"], abs=1e-9)
    assert ours.membrane_updates == found["MembraneUpdates"]
    assert ours.footprint == found["Footprint"]


def test_cases_tell_additions_and_multiplications_apart(theirs):
    operations = {name: result["SynapticOperations"] for name, result in theirs.items()}
    assert operations["mlp"]["Effective_MACs"] == 0 < operations["mlp"]["Effective_ACs"]
    assert all(operations["graded input"][key] > 0 for key in ("Effective_MACs", "Effective_ACs"))
    assert all(operations["seldom graded"][key] > 0 for key in ("Effective_MACs", "Effective_ACs"))


@pytest.mark.parametrize("name", CASES)
def test_operations_of_the_chip_stand_beside(name):
    network, inputs, _ = CASES[name]
    recording = record(network, inputs)
    ours = neurobench(network, recording)
    activity = count_activity(network, recording, map_network(network, load_chip("loihi2")))
    assert ours.synops_hw == activity.total("synaptic_operations") / SAMPLES
    effective = ours.synaptic_operations.effective_acs + ours.synaptic_operations.effective_macs
    assert effective <= ours.synops_hw <= ours.synaptic_operations.dense
    assert ours.as_dict()["synaptic_operations"].keys() == {"dense", "effective_macs", "effective_acs"}


def test_without_potentials_there_are_no_updates_to_count():
    network, inputs, _ = CASES["mlp"]
    recording = simulate(network, {"in": inputs}, "golden", record=("s",))
    assert neurobench(network, recording).membrane_updates is None
    assert neurobench(network, replace(recording, v=record(network, inputs).v)).membrane_updates > 0


def test_sparse_connections_are_counted_as_the_layers_they_stand_for():
    network, inputs, _ = CASES["mlp"]
    thin = tuple(replace(p, connection=Sparse.from_dense(p.connection.weight)) for p in network.projections)
    sparse = replace(network, projections=thin)
    ours, same = (neurobench(each, record(each, inputs)) for each in (network, sparse))
    assert replace(same, footprint=0, synops_hw=0.0) == replace(ours, footprint=0, synops_hw=0.0)
    assert same.footprint < ours.footprint
    assert same.synops_hw < ours.synops_hw  # the chip stores, and visits, no zero

from dataclasses import replace

import numpy as np
import pytest

from neurodeploy.activity import count_activity
from neurodeploy.errors import InputError
from neurodeploy.mapping import map_network
from neurodeploy.network import Network, Population, Port, Projection
from neurodeploy.neurons import Lif
from neurodeploy.recording import Recording
from neurodeploy.targets.chip import load_chip
from tests.chains import LIF, chain, conv, core_of, dense, sparse, synapses

LOIHI1 = load_chip("loihi1")
#: Small cores, so that small networks take many, and two chips.
SMALL = replace(LOIHI1, limits={**LOIHI1.limits, "neurons": 12}, usable_cores=20, mesh=(3, 2))


def record(network, seed=0, samples=2, steps=5, density=0.3):
    """Return a recording of arbitrary spikes; counting does not ask whether neurons would fire so."""
    rng = np.random.default_rng(seed)

    def spikes(part):
        return (rng.random((samples, steps, *part.shape)) < density).astype(np.int32)

    inputs = {port.name: spikes(port) for port in network.ports}
    fired = {population.name: spikes(population) for population in network.populations}
    return Recording(samples, steps, fired, network.outputs, "test", {}, inputs=inputs)


def per_neuron(network, recording, name):
    table = recording.spikes if name in recording.spikes else recording.inputs
    return (table[name] != 0).sum(axis=(0, 1)).reshape(-1)


def skip_and_loop():
    convolution = conv(3, 2, 3, padding=(1, 1))
    return Network(
        (Port("in", (2, 5, 6)),),
        (Population("a", (3, 5, 6), LIF, latency=1), Population("b", (7,), LIF, latency=2)),
        (
            Projection("in->a", "in", "a", convolution),
            Projection("a->b", "a", "b", dense(7, 90)),
            Projection("b->b", "b", "b", dense(7, 7)),
            Projection("in->b", "in", "b", dense(7, 60), delay=1),
        ),
        ("b",),
    )


NETWORKS = {
    "padded": chain((2, 7, 6), conv(4, 2, 3, padding=(1, 1)), dense(9, 168)),
    "strided": chain((2, 9, 8), conv(3, 2, 3, stride=(2, 3)), conv(4, 3, 2)),
    "dilated groups": chain((4, 9, 8), conv(6, 2, 3, groups=2, dilation=(2, 3), padding=(3, 2)), dense(5, 396)),
    "depthwise": chain((5, 6, 6), conv(5, 1, 2, stride=(2, 2), groups=5), conv(3, 5, 1)),
    "skip and loop": skip_and_loop(),
    "sparse": chain((2, 7, 6), conv(4, 2, 3, padding=(1, 1)), sparse(31, 168), sparse(8, 31, share=0.4)),
}


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_operations_and_messages_equal_those_counted_synapse_by_synapse(network):
    recording = record(network)
    placement = map_network(network, SMALL)
    activity = count_activity(network, recording, placement)
    dense_or_not = activity.cores.dense_operations + activity.cores.convolution_operations
    operations, messages_in = np.zeros_like(dense_or_not), np.zeros_like(dense_or_not)
    for projection in network.projections:
        spikes, where = per_neuron(network, recording, projection.source), core_of(placement, projection.target)
        reached = set()
        for source, target in synapses(network, projection):
            operations[where[target]] += spikes[source]
            reached.add((source, where[target]))
        for source, core in reached:
            messages_in[core] += spikes[source]
        found = activity.projections[projection.name]
        assert found.messages == sum(int(spikes[source]) for source, _ in reached)
        assert found.messages == int(spikes @ placement.destinations(projection))
    assert np.array_equal(dense_or_not, operations)
    assert np.array_equal(activity.cores.messages_in, messages_in)
    assert activity.total("synaptic_operations") == operations.sum()


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_hops_equal_those_walked_message_by_message(network):
    recording = record(network)
    placement = map_network(network, SMALL)
    activity = count_activity(network, recording, placement)
    assert (placement.chips_used > 1) == (placement.cores_used > 20)
    for projection in network.projections:
        found = activity.projections[projection.name]
        if projection.source == "in":
            assert (found.hops_x, found.hops_y, found.crossings) == (0, 0, 0)
            continue
        spikes = per_neuron(network, recording, projection.source)
        start, end = core_of(placement, projection.source), core_of(placement, projection.target)
        x = y = crossings = 0
        for source, core in {(source, end[target]) for source, target in synapses(network, projection)}:
            (chip0, x0, y0), (chip1, x1, y1) = placement.positions[start[source]], placement.positions[core]
            if chip0 == chip1:
                x, y = x + spikes[source] * abs(x0 - x1), y + spikes[source] * abs(y0 - y1)
            else:
                crossings += spikes[source]
        assert (found.hops_x, found.hops_y, found.crossings) == (x, y, crossings)


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_active_updates_equal_those_counted_step_by_step(network):
    recording = record(network, density=0.05)
    activity = count_activity(network, recording, map_network(network, SMALL))
    for population in network.populations:
        active = recording.spikes[population.name].reshape(recording.samples, recording.steps, -1) != 0
        for projection in network.into(population.name):
            table = recording.spikes if projection.source in recording.spikes else recording.inputs
            fired = table[projection.source].reshape(recording.samples, recording.steps, -1) != 0
            lag = network.lag(projection)
            for source, target in synapses(network, projection):
                active[:, lag:, target] |= fired[:, : recording.steps - lag, source]
        part = activity.populations[population.name]
        assert part.active_updates == active.sum()
        assert part.neuron_updates == population.size * recording.samples * recording.steps


def test_messages_between_chips_are_counted():
    network = NETWORKS["dilated groups"]
    placement = map_network(network, SMALL)
    assert placement.chips_used > 1
    assert count_activity(network, record(network), placement).total("crossings") > 0


def test_parts_add_up():
    network = skip_and_loop()
    activity = count_activity(network, record(network), map_network(network, SMALL))
    cores = activity.cores
    assert activity.total("spikes") == cores.spikes.sum()
    assert activity.total("neuron_updates") == cores.neuron_updates.sum()
    assert activity.total("active_updates") == cores.active_updates.sum()
    assert activity.total("messages") == cores.messages_in.sum()
    assert activity.total("messages") == cores.messages_out.sum() + activity.ports["in"].messages
    populations = activity.populations.values()
    assert activity.total("synaptic_operations") == sum(part.synaptic_operations for part in populations)
    document = activity.as_dict()
    assert document["synaptic_operations"] == activity.total("synaptic_operations")
    assert document["input_spikes"] == activity.ports["in"].spikes > 0


def test_counts_add_over_samples():
    network = NETWORKS["padded"]
    placement, recording = map_network(network, SMALL), record(network, samples=3)
    whole = count_activity(network, recording, placement)
    parts = [
        count_activity(
            network,
            replace(
                recording,
                samples=1,
                spikes={name: values[i : i + 1] for name, values in recording.spikes.items()},
                inputs={name: values[i : i + 1] for name, values in recording.inputs.items()},
            ),
            placement,
        )
        for i in range(3)
    ]
    for name in ("spikes", "synaptic_operations", "neuron_updates", "active_updates", "messages", "hops_x", "hops_y"):
        assert whole.total(name) == sum(part.total(name) for part in parts)


def test_zero_weights_and_graded_spikes_count_once():
    network = chain((3,), dense(4, 3))
    silent = replace(network.projections[0], connection=type(network.projections[0].connection)(np.zeros((4, 3))))
    network = replace(network, projections=(silent,))
    spikes = np.zeros((1, 2, 3), dtype=np.int32)
    spikes[0, 0] = [7, -2, 0]
    recording = Recording(1, 2, {"l1": np.zeros((1, 2, 4), int)}, ("l1",), "test", {}, inputs={"in": spikes})
    activity = count_activity(network, recording, map_network(network, LOIHI1))
    assert activity.ports["in"].spikes == 2
    assert activity.total("synaptic_operations") == 8
    assert activity.populations["l1"].active_updates == 4


def test_silence_leaves_only_idle_updates():
    network = NETWORKS["strided"]
    activity = count_activity(network, record(network, density=0.0), map_network(network, SMALL))
    for name in ("spikes", "synaptic_operations", "active_updates", "messages", "hops_x", "hops_y", "crossings"):
        assert activity.total(name) == 0
    assert (activity.link_x, activity.link_y) == (0, 0)
    assert activity.total("neuron_updates") == sum(p.size for p in network.populations) * 10


def test_neurons_with_bias_are_always_active():
    network = chain((3,), dense(4, 3), neuron=Lif(10, 0, 0, bias=[0, 1, -1, 0]))
    activity = count_activity(network, record(network, density=0.0), map_network(network, LOIHI1))
    assert activity.populations["l1"].active_updates == 2 * 10


def test_recording_of_another_network_is_refused():
    network = NETWORKS["strided"]
    recording = record(network)
    placement = map_network(network, SMALL)
    with pytest.raises(InputError, match=r"in: has no spikes in the recording"):
        count_activity(network, replace(recording, inputs={}), placement)
    wrong = {**recording.spikes, "l1": recording.spikes["l1"][..., :-1]}
    with pytest.raises(InputError, match=r"l1: was recorded as \[2, 5, 3, 4, 1\], the network says \[2, 5, 3, 4, 2\]"):
        count_activity(network, replace(recording, spikes=wrong), placement)


def test_recording_with_a_population_of_another_network_is_refused():
    network = NETWORKS["strided"]
    recording = record(network)
    more = {**recording.spikes, "l9": recording.spikes["l1"]}
    with pytest.raises(InputError, match=r"l9: is in the recording, and no population or port of the network"):
        count_activity(network, replace(recording, spikes=more), map_network(network, SMALL))

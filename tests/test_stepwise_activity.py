"""Counts of each step and each core: against their definition, spike by spike, and against the totals."""

from dataclasses import fields, replace

import numpy as np
import pytest

from neurodeploy import activity as activity_module
from neurodeploy.activity import count_activity
from neurodeploy.counts import CoreActivity, PopulationActivity
from neurodeploy.energy import estimate
from neurodeploy.errors import InputError
from neurodeploy.mapping import map_network
from neurodeploy.memory import PACKING, synapse_bits
from neurodeploy.mesh import links_between
from neurodeploy.network import Convolution, Sparse
from neurodeploy.targets.chip import load_chip
from tests.chains import chain, conv, core_of, dense, synapses
from tests.test_activity import NETWORKS, SMALL, record, skip_and_loop

LOIHI1, LOIHI2 = load_chip("loihi1"), load_chip("loihi2")
CHIPS = {"loihi1": SMALL, "loihi2": replace(LOIHI2, limits={**LOIHI2.limits, "neurons": 12}, usable_cores=20)}


def arriving(network, recording, projection):
    """Return what a projection's sources fired, in the steps in which it reaches the target."""
    table = recording.spikes if projection.source in recording.spikes else recording.inputs
    fired = table[projection.source].reshape(recording.samples, recording.steps, -1) != 0
    return np.roll(fired, network.lag(projection), axis=1)


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_each_step_and_core_counts_what_reaches_it(network):
    recording = record(network)
    placement = map_network(network, SMALL)
    cores = count_activity(network, recording, placement).cores_by_step
    operations, messages_in, messages_out = (np.zeros_like(cores.spikes) for _ in range(3))
    for projection in network.projections:
        where, spikes = core_of(placement, projection.target), arriving(network, recording, projection)
        reached = set()
        for source, target in synapses(network, projection):
            operations[:, where[target]] += spikes[:, :, source].sum(axis=0)
            reached.add((source, where[target]))
        for source, core in reached:
            messages_in[:, core] += spikes[:, :, source].sum(axis=0)
            if projection.source in placement.tilings:
                start = core_of(placement, projection.source)[source]
                messages_out[:, start] += np.roll(spikes, -network.lag(projection), axis=1)[:, :, source].sum(axis=0)
    assert np.array_equal(cores.synaptic_operations, operations)
    assert np.array_equal(cores.messages_in, messages_in)
    assert np.array_equal(cores.messages_out, messages_out)
    for population in network.populations:
        fired = (recording.spikes[population.name] != 0).sum(axis=0).reshape(recording.steps, -1)
        for core in np.unique(core_of(placement, population.name)):
            inside = core_of(placement, population.name) == core
            assert np.array_equal(cores.spikes[:, core], fired[:, inside].sum(axis=1))
            assert set(cores.neuron_updates[:, core]) == {inside.sum() * recording.samples}


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_steps_and_cores_add_up_to_layers_and_totals(network):
    activity = count_activity(network, record(network), map_network(network, SMALL))
    placement = map_network(network, SMALL)
    for each in fields(CoreActivity):
        by_step = getattr(activity.cores_by_step, each.name)
        assert np.array_equal(by_step.sum(axis=0), getattr(activity.cores, each.name))
    for name, part in {**activity.populations, **activity.ports}.items():
        for event, counts in activity.steps_of[name].items():
            assert counts.shape == (activity.steps,)
            assert counts.sum() == getattr(part, event)
    for name, part in activity.populations.items():
        where = placement.cores_of(name)
        for event in ("spikes", "synaptic_operations", "neuron_updates", "active_updates", "memory_reads"):
            assert getattr(activity.cores, event)[where].sum() == getattr(part, event)
        assert activity.cores.messages_out[where].sum() == part.messages
    for name in ("synaptic_operations", "messages"):
        assert activity.total(name) == sum(getattr(part, name) for part in activity.projections.values())
    assert activity.total("memory_reads") == activity.cores.memory_reads.sum() > 0
    assert activity.as_dict()["by_step"]["l1" if "l1" in activity.populations else "a"].keys() == {
        each.name for each in fields(PopulationActivity)
    }


def row_words(chip, projection, synapses_of_row, neurons, places):
    """Return the words of a row that reaches so many places of the target, all their channels on the core at each."""
    kind = "convolution" if isinstance(projection.connection, Convolution) else "dense"
    encoding = chip.encodings[kind]
    gaps = isinstance(projection.connection, Sparse)
    bits = synapse_bits(chip, encoding, projection.weight_bits, neurons, projection.delay, gaps=gaps)
    plain = PACKING[encoding.packing](encoding, synapses_of_row, bits, chip.word_bits)
    if not encoding.runs:
        return plain
    index = max(6, (neurons - 1).bit_length())
    run = -(-(synapses_of_row // places * (bits - index) + encoding.header + index) // 64)
    return min(plain, places * run)


@pytest.mark.parametrize("chip", CHIPS.values(), ids=CHIPS)
@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_memory_reads_are_the_words_of_the_rows_a_spike_opens(network, chip):
    recording = record(network)
    placement = map_network(network, chip)
    expected = np.zeros(len(placement.cores), dtype=int)
    for projection in network.projections:
        where, spikes = core_of(placement, projection.target), arriving(network, recording, projection)
        sizes = np.bincount(where, minlength=len(placement.cores))
        by_tap = isinstance(projection.connection, Convolution) and (chip.encodings["convolution"].rows == "kernel-tap")
        plane = int(np.prod(network.by_name[projection.target].shape[1:]))
        rows, places = {}, {}
        for source, target in synapses(network, projection):
            # Along one tap a source position reaches one target position: positions stand for taps.
            row = (source, where[target], target % plane if by_tap else 0)
            rows[row] = rows.get(row, 0) + 1
            places.setdefault(row, set()).add(target % plane)
        for row, count in rows.items():
            source, core, _ = row
            words = row_words(chip, projection, count, int(sizes[core]), len(places[row]))
            expected[core] += spikes[:, :, source].sum() * words
    activity = count_activity(network, recording, placement)
    assert np.array_equal(activity.cores.memory_reads, expected)


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_each_step_is_paced_by_its_slowest_core_and_busiest_link(network):
    recording = record(network)
    placement = map_network(network, SMALL)
    activity = count_activity(network, recording, placement)
    times = SMALL.time
    seconds = np.zeros((recording.samples, recording.steps, len(placement.cores)))
    links = {}
    for sample in range(recording.samples):
        alone = count_activity(network, one_sample(recording, sample), placement).cores_by_step
        idle = alone.neuron_updates - alone.active_updates
        busy = (
            alone.active_updates * times["neuron_active"].value
            + idle * times["neuron_idle"].value
            + alone.dense_operations * times["synaptic_operation_dense"].value
            + alone.convolution_operations * times["synaptic_operation_convolution"].value
            + alone.messages_out * times["message_out"].value
        )
        for population in network.populations:
            where = placement.cores_of(population.name)
            seconds[sample][:, where] = np.roll(busy[:, where], population.latency, axis=0)
        for projection in network.projections:
            if projection.source in placement.tilings:
                add_loads(links, network, recording, placement, projection, sample)
    assert np.allclose(activity.pace.cores[1], seconds.max(axis=-1), rtol=1e-12)
    hops = [np.zeros((recording.samples, recording.steps))]
    hops += [load * times[f"hop_{axis}"].value for (axis, _), load in links.items()]
    assert np.allclose(activity.pace.links[1], np.max(hops, axis=0), rtol=1e-12)
    assert (activity.pace.links[1] > 0).any() == bool(links)
    assert links or placement.tiles_used <= len(network.populations)


def one_sample(recording, sample):
    part = slice(sample, sample + 1)
    return replace(
        recording,
        samples=1,
        spikes={name: values[part] for name, values in recording.spikes.items()},
        inputs={name: values[part] for name, values in recording.inputs.items()},
    )


def add_loads(links, network, recording, placement, projection, sample):
    start, end = core_of(placement, projection.source), core_of(placement, projection.target)
    fired = recording.spikes[projection.source][sample].reshape(recording.steps, -1) != 0
    late = np.roll(fired, network.latency(projection.source), axis=0)
    for source, core in {(source, end[target]) for source, target in synapses(network, projection)}:
        ends = placement.positions[start[source]].tolist(), placement.positions[core].tolist()
        if ends[0][0] == ends[1][0]:
            for link in links_between(*ends):
                loads = links.setdefault(link, np.zeros((recording.samples, recording.steps)))
                loads[sample] += late[:, source]


def test_counts_do_not_depend_on_the_portions_they_are_made_in(monkeypatch):
    network = skip_and_loop()
    recording, placement = record(network, samples=5), map_network(network, SMALL)
    whole = count_activity(network, recording, placement)
    monkeypatch.setattr(activity_module, "_PORTION", 1)
    parts = count_activity(network, recording, placement)
    for each in fields(CoreActivity):
        found, expected = (getattr(a.cores_by_step, each.name) for a in (parts, whole))
        assert np.array_equal(found, expected)
    assert np.array_equal(parts.pace.cores, whole.pace.cores)
    assert np.array_equal(parts.pace.links, whole.pace.links)
    assert (parts.as_dict(), parts.link_x) == (whole.as_dict(), whole.link_x)


def test_a_busy_step_lasts_longer_than_the_mean():
    """Eight silent steps and two in which all fire: each lasts what it takes, not what steps take on average."""
    network = chain((6,), dense(400, 6), dense(300, 400))
    placement = map_network(network, LOIHI1)
    recording = record(network, samples=1, steps=10, density=0.0)
    for table in (recording.inputs, recording.spikes):
        for values in table.values():
            values[:, 4:6] = 1
    activity = count_activity(network, recording, placement)
    found = estimate(activity, placement, LOIHI1)
    alike = estimate(replace(activity, pace=None), placement, LOIHI1)
    assert found.slowest_step.nominal > 2 * found.step_time.nominal
    assert found.step_time.nominal >= alike.step_time.nominal * (1 - 1e-12)
    steps = activity.pace.cores[1, 0] + LOIHI1.barrier_second(placement.tiles_used)
    assert found.step_time.nominal == pytest.approx(steps.mean())
    assert found.latency.nominal == pytest.approx(steps.mean() * (10 + activity.fill_steps))


def test_negative_counts_are_refused():
    network = chain((6,), dense(8, 6))
    placement = map_network(network, LOIHI1)
    activity = count_activity(network, record(network), placement)
    bad = replace(activity, cores=replace(activity.cores, spikes=np.array([-3])))
    with pytest.raises(InputError, match=r"activity\.cores\.spikes: holds -3; counts are whole numbers"):
        estimate(bad, placement, LOIHI1)
    bad = replace(activity, populations={"l1": replace(activity.populations["l1"], messages=-1)})
    with pytest.raises(InputError, match=r"activity of l1: messages is -1"):
        estimate(bad, placement, LOIHI1)


def test_depthwise_rows_of_several_groups_are_read_group_by_group():
    network = chain((4, 5, 5), conv(4, 1, 3, groups=4))
    placement = map_network(network, LOIHI2)
    recording = record(network, samples=1, steps=1, density=0.0)
    recording.inputs["in"][0, 0, 2, 2, 2] = 1  # the middle: nine taps, each a row of one synapse and one word
    activity = count_activity(network, recording, placement)
    assert activity.populations["l1"].memory_reads == 9
    assert activity.populations["l1"].synaptic_operations == 9

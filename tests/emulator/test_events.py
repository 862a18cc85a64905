"""Input given as events equals the same input given as a dense array, and events that cannot be are refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neurodeploy.calibration import calibrate
from neurodeploy.comparison import compare
from neurodeploy.errors import InputError
from neurodeploy.events import EventInput, check_events
from neurodeploy.network import Convolution, Dense, Network, Population, Port, Projection
from neurodeploy.neurons import Lif
from neurodeploy.simulation import simulate
from tests.random_networks import random_network, random_spikes


def as_events(values: np.ndarray, rng: np.random.Generator | None = None) -> EventInput:
    """Return a dense array as events; within a step in random order if ``rng`` is given."""
    flat = values.reshape(*values.shape[:2], -1)
    sample, t, index = np.nonzero(flat)
    if rng is not None:
        order = np.lexsort((rng.random(len(t)), t, sample))
        sample, t, index = sample[order], t[order], index[order]
    return EventInput(*flat.shape[:2], t, index, sample, flat[sample, t, index])


def two_ports() -> Network:
    """Return a network of one neuron population behind two ports."""
    ports = (Port("a", (3,)), Port("b", (2, 2, 2)))
    neurons = Population("out", (4,), Lif(30, 100, 300), 1)
    rng = np.random.default_rng(0)
    projections = tuple(
        Projection(port.name, port.name, "out", Dense(rng.integers(-20, 60, (4, int(np.prod(port.shape)))) * 2))
        for port in ports
    )
    return Network(ports, (neurons,), projections, ("out",))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("resets", [0, 5], ids=["in chunks", "stepwise"])
@pytest.mark.parametrize("backend", ["emulator", "golden"])
def test_events_equal_the_dense_array(seed, resets, backend):
    network, rng = replace(random_network(seed), reset_interval=resets), np.random.default_rng(seed)
    dense = {k: v * rng.integers(1, 4, v.shape).astype(np.uint8) for k, v in random_spikes(network, seed).items()}
    events = {name: as_events(values, rng) for name, values in dense.items()}
    expected, found = simulate(network, dense, record=("s", "v")), simulate(network, events, backend, ("s", "v"))
    assert compare(expected, found).equal, compare(expected, found).summary()
    assert np.array_equal(found.inputs["input"], dense["input"])


def test_one_sample_without_payloads_needs_no_further_columns():
    network = random_network(1)
    dense = random_spikes(network, 1, samples=1)["input"]
    given = as_events(dense)
    found = simulate(network, EventInput(1, dense.shape[1], given.t, given.index))
    assert compare(simulate(network, dense), found).equal


@pytest.mark.parametrize("payloads", [False, True])
def test_any_order_within_a_step_of_a_port_of_many_cells(payloads):
    """Cells over several words of flags, in torch order and at random, one column read-only and one strided."""
    shape, rng = (2, 9, 11), np.random.default_rng(3)
    kernel = Convolution(rng.integers(-20, 30, (5, 2, 3, 3)) * 2)
    network = Network(
        (Port("in", shape),),
        (Population("out", kernel.output_shape(shape), Lif(90, 100, 300), 1),),
        (Projection("p", "in", "out", kernel),),
        ("out",),
    )
    dense = (rng.random((2, 12, *shape)) < 0.3) * rng.integers(1, 4 if payloads else 2, (2, 12, *shape))
    dense[0, 4:7] = 0
    expected = simulate(network, dense, record=("s", "u", "v"))
    assert expected.spikes["out"].any()
    for order in (None, rng):
        events = as_events(dense, order)
        t, index = events.t.copy(), np.repeat(events.index, 2)[::2]
        t.setflags(write=False)
        given = EventInput(*events.shape, t, index, events.sample, events.payload if payloads else None)
        assert compare(expected, simulate(network, given, record=("s", "u", "v"))).equal


@pytest.mark.parametrize("which", [("a",), ("b",), ("a", "b")])
def test_several_ports_some_or_all_as_events(which):
    network = two_ports()
    dense = random_spikes(network, 0, samples=2, steps=9)
    mixed = {name: as_events(values) if name in which else values for name, values in dense.items()}
    assert compare(simulate(network, dense), simulate(network, mixed)).equal


def test_the_onnx_backend_takes_events():
    network = random_network(1)
    dense = random_spikes(network, 1)["input"]
    assert compare(simulate(network, dense), simulate(network, as_events(dense), "onnx")).equal


def test_columns_of_any_integer_type_and_lists():
    network = random_network(1)
    dense = random_spikes(network, 1, samples=1)["input"]
    given = as_events(dense)
    expected = simulate(network, dense)
    for kind in (np.uint8, np.uint32, np.int16, np.uint64):
        columns = (given.t.astype(kind), given.index.astype(kind), given.sample.astype(kind))
        assert compare(expected, simulate(network, EventInput(*given.shape, *columns))).equal
    found = simulate(network, EventInput(*given.shape, given.t.tolist(), given.index.tolist()))
    assert compare(expected, found).equal


def test_events_in_order_are_accepted_in_one_pass_as_they_are():
    given = as_events(random_spikes(random_network(1), 1, samples=3)["input"])
    columns = {name: getattr(given, name).copy() for name in ("t", "index", "sample", "payload")}
    given = EventInput(*given.shape, **columns)
    cells = int(given.index.max()) + 1
    assert check_events("in", (cells,), given) is given
    assert check_events("in", (cells,), replace(given, t=given.t.astype(np.uint8))).t.dtype == np.int64
    for column in columns:
        columns[column].flags.writeable = False
    with pytest.raises(InputError, match="not sorted by sample and step"):
        check_events("in", (cells,), replace(given, sample=given.sample[::-1]))
    with pytest.raises(InputError, match="not sorted by sample and step"):
        check_events("in", (cells,), replace(given, t=given.t[::-1]))
    with pytest.raises(InputError, match="two events at cell"):
        check_events("in", (cells,), replace(given, t=given.t // 2))


@pytest.mark.parametrize("kind", [np.int64, np.uint64])
def test_steps_whose_place_overflows_64_bits_are_refused(kind):
    # 2^62 steps of 4 cells are 2^64: a place counted in 64 bits would be that of step 0.
    t = np.array([0, 1 << 62, 2], dtype=kind)
    with pytest.raises(InputError, match=f"its t is 0 to {1 << 62}, allowed are 0 to 3"):
        check_events("in", (4,), EventInput(1, 4, t, np.array([0, 1, 2])))
    with pytest.raises(InputError, match=f"its index is 0 to {(1 << 63) + 1}"):
        check_events("in", (4,), EventInput(1, 4, [0, 1], np.array([0, (1 << 63) + 1], dtype=np.uint64)))


def test_a_slice_of_events_is_the_events_of_a_slice():
    dense = random_spikes(random_network(1), 1, samples=5)["input"]
    for part in (slice(2), slice(1, 4), slice(3, None), slice(4, 2)):
        cut = as_events(dense)[part]
        assert len(cut) == len(dense[part])
        assert np.array_equal(cut.dense(dense.shape[2:]), dense[part])
    only = as_events(dense[:1])
    assert np.array_equal(EventInput(1, only.steps, only.t, only.index)[:1].dense(dense.shape[2:]), dense[:1])


def test_calibration_takes_events():
    network = random_network(1)
    dense = random_spikes(network, 1, samples=40)["input"]
    assert calibrate(network, as_events(dense)) == calibrate(network, dense)


def test_silence_is_no_events():
    none = np.zeros(0, dtype=np.int64)
    found = simulate(random_network(1), EventInput(1, 5, none, none))
    assert compare(simulate(random_network(1), found.inputs["input"]), found).equal


def test_payloads_beyond_32_bits_go_through_the_golden_model():
    ones = np.zeros(1, dtype=np.int64)
    network = two_ports()
    events = {name: EventInput(1, 3, ones, ones, payload=ones + (1 << 40)) for name in ("a", "b")}
    assert simulate(network, events).backend == "golden"


ZERO, ONE = np.array([0]), np.array([1])


@pytest.mark.parametrize(
    ("events", "message"),
    [
        (EventInput(1, 4, np.array([4]), ZERO), "its t is 4 to 4, allowed are 0 to 3"),
        (EventInput(1, 4, np.array([-1]), ZERO), "its t is -1 to -1"),
        (EventInput(1, 4, ZERO, np.array([3])), "its index is 3 to 3, allowed are 0 to 2"),
        (EventInput(2, 4, ZERO, ZERO, np.array([2])), "its sample is 2 to 2"),
        (EventInput(2, 4, ZERO, ZERO), "does not say to which of 2 samples"),
        (EventInput(0, 4, ZERO, ZERO), "has 0 samples of 4 steps"),
        (EventInput(1, 4, np.array([1, 0]), np.array([0, 0])), "not sorted by sample and step: event 1 is earlier"),
        (EventInput(1, 4, np.array([1, 1]), np.array([2, 2])), "two events at cell 2 in step 1 of sample 0"),
        (EventInput(1, 4, ZERO, np.array([0, 1])), r"its index has shape \[2\], its t 1 entries"),
        (EventInput(1, 4, ZERO, np.array([0.5])), "its index holds fractions, such as 0.5"),
        (
            EventInput(1, 4, np.array([0, np.nan]), np.array([0, 1])),
            r"its t holds NaN.*in 1 of 2 places, the first at \[1\]",
        ),
        (EventInput(1 << 40, 1 << 40, ZERO, ZERO, ZERO), "samples of 1,099,511,627,776 steps, [0-9,]+ steps can be"),
        (EventInput(1, 4, ZERO, ZERO, payload=np.array([np.inf])), "its payload holds NaN or infinity"),
        (EventInput(1, 4, ZERO, np.array([1.0])), "its index is of type float64"),
        (EventInput(1, 4, ZERO, np.array(["a"])), "its index is of type"),
        (EventInput(1, 4, 0, ZERO), "its t has shape"),
    ],
)
def test_impossible_events_are_refused(events, message):
    network = Network(
        (Port("in", (3,)),),
        (Population("out", (1,), Lif(1, 1, 1), 1),),
        (Projection("p", "in", "out", Dense(np.ones((1, 3)) * 2)),),
        ("out",),
    )
    with pytest.raises(InputError, match=message):
        simulate(network, events)


def test_dense_and_event_ports_of_different_extent_are_refused():
    network = two_ports()
    dense = random_spikes(network, 0, samples=2, steps=9)
    with pytest.raises(InputError, match="ports differ in"):
        simulate(network, {"a": dense["a"], "b": as_events(dense["b"][:, :5])})

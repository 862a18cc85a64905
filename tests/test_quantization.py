"""From float graphs to integers: exactness where it is due, refusals with choices, the account of every value."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from neurodeploy.audit import every_value
from neurodeploy.comparison import compare
from neurodeploy.dequantize import dequantize
from neurodeploy.errors import Unsupported
from neurodeploy.graph import Convolution, Flatten, Graph, Input, Linear, Neuron, Output, Pool
from neurodeploy.quantization import quantization, quantize
from neurodeploy.semantics import Semantics
from neurodeploy.simulation import simulate
from neurodeploy.targets.chip import load_chip

CHIP = load_chip("loihi2")
DT = 1e-3
ZERO = Semantics(reset="zero")


def lif(shape, *, alpha=0.5, beta=None, threshold=1.0, semantics=ZERO, v_leak=0.0):
    tau, tau_syn = DT / (1 - alpha), None if beta is None else DT / (1 - beta)
    return Neuron(
        shape,
        semantics,
        r=np.array(tau / DT),
        tau_mem=np.array(tau),
        tau_syn=None if tau_syn is None else np.array(tau_syn),
        w_in=None if tau_syn is None else np.array(tau_syn / DT),
        v_leak=np.array(v_leak),
        threshold=np.array(threshold),
        v_reset=np.zeros(()),
    )


def chain(neuron, weight, bias=None, **kwargs):
    nodes = {"in": Input((weight.shape[1],)), "fc": Linear(weight, bias), "n": neuron, "out": Output(neuron.shape)}
    return Graph(nodes, (("in", "fc"), ("fc", "n"), ("n", "out")), DT, **kwargs)


def spikes(*shape, seed=0, density=0.3):
    return (np.random.default_rng(seed).random(shape) < density).astype(np.uint8)


def convolutional(rng):
    nodes = {
        "in": Input((2, 8, 8)),
        "c1": Convolution(rng.normal(0, 0.4, (4, 2, 3, 3)), rng.normal(0, 0.05, 4), (1, 1), ((1, 1), (1, 1)), (1, 1)),
        "n1": lif((4, 8, 8)),
        "pool": Pool("average", (2, 2), (2, 2), (0, 0)),
        "flat": Flatten(0, -1),
        "fc": Linear(rng.normal(0, 0.4, (5, 64)), None),
        "n2": lif((5,), alpha=0.8, threshold=0.7),
        "out": Output((5,)),
    }
    names = list(nodes)
    return Graph(nodes, tuple(pairwise(names)), DT)


def test_values_on_the_grid_survive_exactly():
    rng = np.random.default_rng(1)
    weight = rng.integers(-127, 127, (6, 9)) * 2 / 508.0
    weight[0, :2] = 254 / 508, -254 / 508
    graph = chain(lif((6,), alpha=0.75), weight)
    network = quantize(graph, CHIP)
    x = spikes(4, 40, 9)
    assert network.populations[0].neuron.voltage_decay == 1024
    assert compare(simulate(graph, x, "float"), simulate(network, x)).equal


def test_convolution_pool_and_dense_follow_the_float_network():
    rng = np.random.default_rng(2)
    graph = convolutional(rng)
    x = spikes(8, 30, 2, 8, 8)
    result = quantization(graph, CHIP, x)
    real, whole = simulate(graph, x, "float"), simulate(result.network, x)
    for name in ("n1", "n2"):
        disagreeing = (real.spikes[name] != whole.spikes[name]).mean()
        assert disagreeing < 0.02
        assert whole.spikes[name].any()
    assert [p.latency for p in result.network.populations] == [1, 2]


def test_dequantized_graph_equals_the_integers_but_for_register_rounding():
    rng = np.random.default_rng(3)
    network = quantize(convolutional(rng), CHIP)
    x = spikes(6, 30, 2, 8, 8)
    outcome = compare(simulate(network, x), simulate(dequantize(network), x, "float"))
    assert outcome.differing <= outcome.cells // 1000


def test_calibration_scales_a_population_down_until_nothing_wraps():
    weight = np.full((1, 64), 1.0)
    weight[0, 0] = -0.01
    graph = chain(lif((1,), alpha=0.99, beta=0.99, threshold=8.0), weight)
    x = np.ones((1, 60, 64), np.uint8)
    free = simulate(quantize(graph, CHIP), x)
    assert free.wraps["n"] + free.clips["n"] > 0
    result = quantization(graph, CHIP, x)
    assert (result.peaks["n"].wraps, result.peaks["n"].clips) == (0, 0)
    row = result.network.provenance["quantization"][0]["calibration"]
    assert 0 < row["u_range"] <= 1


def test_skip_connection_gets_a_compensating_delay():
    rng = np.random.default_rng(4)
    nodes = {
        "in": Input((4,)),
        "a": Linear(rng.normal(0, 1, (4, 4))),
        "n1": lif((4,)),
        "b": Linear(rng.normal(0, 1, (4, 4))),
    }
    nodes |= {"n2": lif((4,)), "c": Linear(rng.normal(0, 1, (3, 4))), "skip": Linear(rng.normal(0, 1, (3, 4)))}
    nodes |= {"n3": lif((3,)), "out": Output((3,))}
    edges = [
        ("in", "a"),
        ("a", "n1"),
        ("n1", "b"),
        ("b", "n2"),
        ("n2", "c"),
        ("c", "n3"),
        ("n1", "skip"),
        ("skip", "n3"),
    ]
    graph = Graph(nodes, (*edges, ("n3", "out")), DT)
    network = quantize(graph, CHIP)
    assert {p.name: p.delay for p in network.projections} == {"a": 0, "b": 0, "c": 0, "skip": 1}
    x = spikes(8, 25, 4)
    outcome = compare(simulate(graph, x, "float"), simulate(network, x))
    assert outcome.differing < outcome.cells // 50


def recurrent(hops):
    rng = np.random.default_rng(5)
    nodes = {
        "in": Input((4,)),
        "a": Linear(rng.normal(0, 1, (4, 4))),
        "n": lif((4,)),
        "w": Linear(rng.normal(0, 1, (4, 4))),
    }
    edges = [("in", "a"), ("a", "n"), ("n", "out")]
    if hops == 1:
        edges += [("n", "w"), ("w", "n")]
        return Graph({**nodes, "out": Output((4,))}, tuple(edges), DT, frozenset({("n", "w")}))
    nodes |= {"m": lif((4,)), "back": Linear(rng.normal(0, 1, (4, 4)))}
    edges += [("n", "w"), ("w", "m"), ("m", "back"), ("back", "n")]
    return Graph({**nodes, "out": Output((4,))}, tuple(edges), DT, frozenset({("back", "n")}))


def test_self_recurrence_keeps_its_one_step():
    graph = recurrent(1)
    network = quantize(graph, CHIP)
    x = spikes(8, 25, 4)
    outcome = compare(simulate(graph, x, "float"), simulate(network, x))
    assert outcome.differing < outcome.cells // 50


def test_loop_over_two_populations_is_refused():
    with pytest.raises(
        Unsupported, match=r"loop from 'm' to 'n' through 'back': takes 2 steps on a chip.*and 1 in the model"
    ):
        quantize(recurrent(2), CHIP)


@pytest.mark.parametrize(
    ("semantics", "message"),
    [
        (Semantics(reset="none"), r"node 'n': resets by 'none', loihi2 offers \['zero', 'subtract', 'burst'\]"),
        (Semantics(reset="zero", reset_when="next-step"), "resets in 'next-step'"),
        (Semantics(reset="zero", fire="floor-multi"), "several spikes in one step"),
        (Semantics(reset="zero", v_min="-threshold"), "bounds its membrane from below"),
    ],
)
def test_semantics_a_chip_lacks_are_refused_by_name(semantics, message):
    with pytest.raises(Unsupported, match=message):
        quantize(chain(lif((2,), semantics=semantics), np.ones((2, 3))), CHIP)


def integrator(shape, **options):
    return Neuron(shape, ZERO, r=np.ones(()), tau_mem=np.array(DT * 4), v_leak=np.zeros(()), **options)


def test_reset_value_and_a_membrane_that_others_read_are_refused():
    nodes = {"in": Input((3,)), "a": Linear(np.ones((2, 3))), "li": integrator((2,)), "b": Linear(np.ones((2, 2)))}
    graph = Graph({**nodes, "n": lif((2,)), "out": Output((2,))}, tuple(pairwise([*nodes, "n", "out"])), DT)
    with pytest.raises(Unsupported, match="'li': is a LI without threshold, and 'b' reads its membrane"):
        quantize(graph, CHIP)
    valued = Neuron((2,), Semantics(), np.ones(()), np.array(DT * 4), threshold=np.ones(()), v_reset=np.array(-0.5))
    with pytest.raises(Unsupported, match=r"resets by 'to \[-0.5\]'"):
        quantize(chain(valued, np.ones((2, 3))), CHIP)


def test_bias_and_leak_become_one_integer_and_filtered_bias_is_named():
    graph = chain(lif((2,), v_leak=0.1), np.ones((2, 3)), np.array([0.25, -0.25]))
    result = quantization(graph, CHIP)
    bias = next(v for v in result.values if v.parameter == "bias")
    assert np.allclose(bias.original, [0.3, -0.2])
    assert np.abs(bias.error).max() < 1e-3
    filtered = quantize(chain(lif((2,), beta=0.5), np.ones((2, 3)), np.array([0.25, -0.25])), CHIP)
    assert any("passes the synaptic filter" in note for note in filtered.provenance["notes"])


def test_every_value_is_accounted_for():
    graph = chain(lif((2,)), np.array([[0.5, -0.25, 0.1], [0.3, 0.2, 0.0]]))
    rows = list(every_value(quantization(graph, CHIP).values))
    assert len([row for row in rows if row[1] == "weight fc"]) == 6
    for _, _, _, original, _, restored, error in rows:
        assert restored - original == pytest.approx(error)
        assert abs(error) < 0.01


def test_equality_firing_is_noted():
    network = quantize(chain(lif((2,), semantics=Semantics(reset="zero", fire=">=")), np.ones((2, 3))), CHIP)
    assert any("fires at v >= threshold" in note for note in network.provenance["notes"])


@pytest.mark.parametrize("synapse", [{}, {"tau_syn": np.array(DT * 2), "w_in": np.array(2.0)}])
def test_readout_keeps_the_membrane_of_the_float_network(synapse):
    rng = np.random.default_rng(8)
    weight = rng.normal(0, 0.5, (5, 9))
    graph = chain(integrator((5,), **synapse), weight)
    x = spikes(6, 30, 9)
    result = quantization(graph, CHIP, x)
    (population,) = result.network.populations
    real, whole = simulate(graph, x, "float"), simulate(result.network, x)
    assert not population.neuron.spiking
    assert not whole.spikes["n"].any()
    assert real.readouts == whole.readouts == ("n",)
    assert np.array_equal(real.predictions(), whole.predictions())
    assert np.array_equal(whole.predictions(), whole.v["n"][:, -1].argmax(axis=1))
    restored = whole.output / (64 * population.scale)
    assert np.abs(restored - real.output).max() < 0.01 * np.abs(real.output).max()
    again = simulate(dequantize(result.network), x, "float").output
    assert np.abs(restored - again).max() < 0.01 * np.abs(real.output).max()


def test_reset_by_subtraction_where_the_chip_has_it():
    rng = np.random.default_rng(9)
    weight = rng.integers(-127, 127, (6, 9)) * 2 / 508.0
    weight[0, 0] = 254 / 508
    graph = chain(lif((6,), alpha=0.75, semantics=Semantics(reset="subtract")), weight)
    network = quantize(graph, CHIP)
    assert network.populations[0].neuron.reset == "subtract"
    x = spikes(4, 40, 9)
    real, whole = simulate(graph, x, "float"), simulate(network, x)
    assert compare(real, whole).differing <= compare(real, whole).cells // 200
    assert compare(simulate(dequantize(network), x, "float"), whole).differing <= whole.output.size // 200
    with pytest.raises(Unsupported, match=r"resets by 'subtract', loihi1 offers \['zero'\]"):
        quantize(graph, load_chip("loihi1"))


def test_several_inputs_and_outputs():
    rng = np.random.default_rng(10)
    nodes = {
        "left": Input((4,)),
        "right": Input((3,)),
        "a": Linear(rng.normal(0, 1, (5, 4))),
        "b": Linear(rng.normal(0, 1, (5, 3))),
        "n": lif((5,)),
        "c": Linear(rng.normal(0, 1, (2, 5))),
        "li": integrator((2,)),
        "fired": Output((5,)),
        "read": Output((2,)),
    }
    edges = [("left", "a"), ("right", "b"), ("a", "n"), ("b", "n"), ("n", "c"), ("c", "li"), ("n", "fired")]
    graph = Graph(nodes, (*edges, ("li", "read")), DT)
    network = quantize(graph, CHIP)
    assert [port.name for port in network.ports] == ["left", "right"]
    assert network.outputs == ("n", "li")
    x = {"left": spikes(4, 25, 4), "right": spikes(4, 25, 3, seed=1)}
    real, whole = simulate(graph, x, "float"), simulate(network, x)
    assert (real.outputs, real.readouts) == (whole.outputs, whole.readouts) == (("n", "li"), ("li",))
    assert compare(real, whole).differing <= compare(real, whole).cells // 50


def test_many_weights_are_rounded_in_blocks_on_a_scale_from_a_sample(monkeypatch):
    rng = np.random.default_rng(4)
    weight = rng.normal(0, 0.3, (40, 70)).astype(np.float32)
    graph = chain(lif((40,)), weight)
    whole = quantization(graph, CHIP)
    monkeypatch.setattr("neurodeploy.scaling._BLOCK", 300)
    monkeypatch.setattr("neurodeploy.audit._BLOCK", 300)
    blocks = quantization(graph, CHIP)
    one, other = (result.network.projections[0].connection.weight for result in (whole, blocks))
    np.testing.assert_array_equal(one, other)
    rows = [result.network.provenance["quantization"][0]["weights"][0] for result in (whole, blocks)]
    assert rows[0]["largest_error"] == rows[1]["largest_error"]
    assert rows[0]["relative_error"] == pytest.approx(rows[1]["relative_error"], rel=1e-9)
    monkeypatch.setattr("neurodeploy.clipping._SAMPLE", 400)
    sampled = quantization(graph, CHIP).network.populations[0].scale
    assert 0.5 < sampled / whole.network.populations[0].scale < 2


def test_no_second_network_in_float64_is_kept():
    graph = chain(lif((6,)), np.random.default_rng(5).normal(size=(6, 9)).astype(np.float32))
    result = quantization(graph, CHIP)
    (values,) = (entry for entry in result.values if entry.parameter.startswith("weight"))
    assert values.integer is result.network.projections[0].connection.weight
    assert values.original is not values.original
    np.testing.assert_allclose(values.restored - values.original, values.error)

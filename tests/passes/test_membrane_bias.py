import numpy as np
import pytest

from neurodeploy.errors import Unsupported
from neurodeploy.graph import Graph, Input, Linear, Neuron, Output
from neurodeploy.passes import membrane_bias
from neurodeploy.semantics import Semantics
from neurodeploy.targets.reference import run

BIAS = np.array([0.0, 0.03, -0.02])


def one_layer(semantics: Semantics, **constants) -> Graph:
    weight = np.random.default_rng(5).normal(0.0, 0.4, (3, 4))
    neuron = Neuron((3,), semantics, r=np.array(1.0), threshold=np.array(1.0), v_reset=np.array(0.0), **constants)
    nodes = {"input": Input((4,)), "w": Linear(weight), "lif": neuron, "output": Output((3,))}
    return Graph(nodes, (("input", "w"), ("w", "lif"), ("lif", "output")), 1e-3)


def by_hand(graph: Graph, spikes: np.ndarray, alpha: np.ndarray | float, gain: float) -> np.ndarray:
    """Return the membranes of the equation on the first line of the pass, with reset by subtraction."""
    v, found = np.zeros((len(spikes), 3)), []
    for step in range(spikes.shape[1]):
        v = alpha * v + BIAS + gain * (spikes[:, step] @ graph.nodes["w"].weight.T)
        v = v - (v > 1.0)
        found.append(v)
    return np.stack(found, axis=1)


@pytest.mark.parametrize("decay", ["euler", "exp"])
def test_a_leaky_membrane_gains_it_in_every_step(decay):
    tau = np.array([0.01, 0.02, 0.04])
    graph = one_layer(Semantics(decay=decay, gain="unit", reset="subtract"), tau_mem=tau)
    spikes = np.random.default_rng(6).integers(0, 2, (2, 60, 4))
    alpha = np.exp(-1e-3 / tau) if decay == "exp" else 1 - 1e-3 / tau
    found = run(membrane_bias(graph, {"lif": BIAS}), {"input": spikes}, ("v",))["v/lif"]
    np.testing.assert_allclose(found, by_hand(graph, spikes, alpha, 1.0), atol=1e-12)
    assert graph.nodes["lif"].v_leak is None


def test_a_membrane_without_leak_takes_it_from_its_synapse():
    graph = one_layer(Semantics(reset="subtract", if_gain="r"))
    spikes = np.random.default_rng(6).integers(0, 2, (2, 60, 4))
    found = run(membrane_bias(graph, {"lif": BIAS}), {"input": spikes}, ("v",))["v/lif"]
    np.testing.assert_allclose(found, by_hand(graph, spikes, 1.0, 1.0), atol=1e-12)


def test_what_it_cannot_say_is_refused_by_name():
    with pytest.raises(Unsupported, match=r"^lif: starts at v_leak"):
        membrane_bias(one_layer(Semantics(v_init="v_leak"), tau_mem=np.array(0.01)), {"lif": BIAS})
    graph = one_layer(Semantics())
    edges = (*graph.edges, ("w", "output"))
    shared = Graph(graph.nodes, edges, graph.dt)
    with pytest.raises(Unsupported, match=r"^lif: has no leak and no Linear of its own"):
        membrane_bias(shared, {"lif": BIAS})

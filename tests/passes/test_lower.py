from itertools import pairwise

import numpy as np

from neurodeploy.graph import BatchNorm, Convolution, Flatten, Graph, Input, Linear, Neuron, Output, Pool, Scale
from neurodeploy.graph import frozen_array as constant
from neurodeploy.passes import lower
from tests.passes.small_graphs import chain, convolution, lif, linear


def network(rng):
    """Convolutions with normalisation and pooling, a residual block, and a recurrent classifier."""
    norm = BatchNorm(rng.normal(0, 0.1, 4), rng.uniform(1, 2, 4), np.ones(4), rng.normal(0.1, 0.1, 4), 1e-5)
    nodes = {
        "input": Input((2, 8, 8)),
        "conv1": convolution(rng, (2, 4), (3, 3), padding=1, bias=False),
        "bn1": norm,
        "lif1": lif(4, 8, 8),
        "pool": Pool("average", (2, 2), (2, 2), (0, 0)),
        "conv2": convolution(rng, (4, 4), (3, 3), padding=1),
        "gain": Scale(constant(1.5)),
        "lif2": lif(4, 4, 4),
        "conv3": convolution(rng, (4, 4), (3, 3), padding=1, groups=2),
        "lif3": lif(4, 4, 4),
        "flat": Flatten(),
        "fc": linear(rng, 64, 6),
        "lif4": lif(6),
        "back": linear(rng, 6, 6),
        "output": Output((6,)),
    }
    names = [name for name in nodes if name != "back"]
    edges = [*pairwise(names), ("lif2", "lif3"), ("lif4", "back"), ("back", "lif4")]
    return Graph(nodes, tuple(edges), dt=1e-3, feedback=frozenset({("lif4", "back")}))


def test_the_whole_way(rng, same_spikes):
    graph = network(rng)
    after = lower(graph)
    assert {type(node) for node in after.nodes.values()} == {Input, Output, Neuron, Linear, Convolution}
    assert after.feedback == {("lif4", "back")}
    same_spikes(graph, after)


def test_the_form_it_promises(rng):
    graph = network(rng)
    after = lower(graph)
    for source, target in after.edges:
        left, right = after.nodes[source], after.nodes[target]
        if isinstance(right, Neuron):
            assert isinstance(left, Linear | Convolution)
            assert isinstance(after.nodes[after.sources(source)[0]], Input | Neuron)
            assert len(after.sources(source)) == 1
            kept = source in graph.nodes and left.weight is graph.nodes[source].weight
            assert kept or left.weight.dtype == np.float64, "what nothing was folded into is not copied"
        if isinstance(right, Output):
            assert isinstance(left, Neuron)
    assert sorted(after.sources("lif3")) == ["conv3", "lif2_to_lif3"]


def test_the_input_is_left_alone(rng):
    graph = network(rng)
    nodes, edges = dict(graph.nodes), graph.edges
    lower(graph)
    assert dict(graph.nodes) == nodes
    assert graph.edges == edges


def test_a_maximum_over_spikes_becomes_neurons():
    graph = chain((2, 4, 4), ("pool", Pool("max", (2, 2), (2, 2), (0, 0))), lif(2, 2, 2))
    lowered = lower(graph)
    assert isinstance(lowered.nodes["pool"], Convolution)
    assert isinstance(lowered.nodes["pool_or"], Neuron)

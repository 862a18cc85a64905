from neurodeploy.graph import Flatten, Pool
from neurodeploy.passes import lower
from neurodeploy.passes.restore_flatten import restore_flatten
from tests.passes.small_graphs import chain, lif, linear


def test_a_lowered_graph_can_be_simulated_again(rng, same_spikes):
    graph = chain(
        (2, 4, 4),
        Pool("sum", (2, 2), (2, 2), (0, 0)),
        Flatten(),
        ("fc", linear(rng, 8, 5)),
        ("n", lif(5)),
        ("out", linear(rng, 5, 3)),
        ("m", lif(3)),
    )
    after = restore_flatten(lower(graph))
    assert len(after.of_type(Flatten)) == 1
    same_spikes(graph, after)


def test_a_graph_of_vectors_stays_as_it_is(rng):
    graph = lower(chain((6,), linear(rng, 6, 5), lif(5)))
    assert restore_flatten(graph).nodes == graph.nodes

from neurodeploy.graph import Delay, Flatten, Graph, Input, Output, Pool, Scale, frozen_array
from neurodeploy.passes import drop_identity
from tests.passes.small_graphs import chain, lif, linear


def test_nodes_that_change_nothing_vanish(rng, same_spikes):
    graph = chain(
        (6,),
        ("one", Scale(frozen_array(1.0))),
        ("fc", linear(rng, 6, 5)),
        ("flat", Flatten()),
        ("now", Delay(frozen_array(0.0))),
        ("lif", lif(5)),
    )
    after = drop_identity(graph)
    assert list(after.nodes) == ["input", "fc", "lif", "output"]
    same_spikes(graph, after)


def test_nodes_that_change_something_stay():
    graph = chain(
        (2, 4, 4),
        Scale(frozen_array([[[1.0]], [[2.0]]])),
        Pool("sum", (2, 2), (2, 2), (0, 0)),
        Pool("sum", (1, 1), (2, 2), (0, 0)),
        Flatten(),
        lif(2),
    )
    assert list(drop_identity(graph).nodes) == list(graph.nodes)


def test_a_second_edge_between_two_nodes_is_kept_apart(same_spikes):
    nodes = {"input": Input((4,)), "again": Scale(frozen_array(1.0)), "lif": lif(4), "output": Output((4,))}
    edges = (("input", "lif"), ("input", "again"), ("again", "lif"), ("lif", "output"))
    graph = Graph(nodes, edges, dt=1e-3)
    after = drop_identity(graph)
    assert "again" in after.nodes
    same_spikes(graph, after)


def test_the_delay_of_a_dissolved_feedback_edge_moves(rng, same_spikes):
    nodes = {
        "input": Input((4,)),
        "lif": lif(4),
        "one": Scale(frozen_array(1.0)),
        "back": linear(rng, 4, 4),
        "output": Output((4,)),
    }
    edges = (("input", "lif"), ("lif", "one"), ("one", "back"), ("back", "lif"), ("lif", "output"))
    graph = Graph(nodes, edges, dt=1e-3, feedback=frozenset({("lif", "one")}))
    after = drop_identity(graph)
    assert after.feedback == {("lif", "back")}
    same_spikes(graph, after)

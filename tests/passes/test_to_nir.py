import numpy as np

from neurodeploy.graph import BatchNorm, Flatten, Pool
from neurodeploy.nirfile import read_graph, write_graph
from neurodeploy.passes import to_nir
from tests.passes.small_graphs import chain, convolution, lif, linear


def test_what_nir_has_no_word_for_is_written_in_words_that_it_has(rng, same_spikes, tmp_path):
    norm = BatchNorm(*(rng.uniform(0.5, 1.5, 2) for _ in range(4)), 1e-5)
    graph = chain(
        (2, 13),
        ("bn", norm),
        ("conv", convolution(rng, (2, 3), (3,), padding=1)),
        ("lif", lif(3, 13)),
        ("max", Pool("max", (2,), (2,), (0,))),
        ("average", Pool("average", (2,), (1,), (1,))),
        Flatten(),
        linear(rng, 21, 4),
        lif(4),
    )
    after = to_nir(graph)
    write_graph(after, tmp_path / "net.nir")
    same_spikes(graph, after)
    same_spikes(graph, read_graph(tmp_path / "net.nir"))
    assert np.array_equal(after.nodes["average"].weight, np.full((3, 1, 2), 0.5))

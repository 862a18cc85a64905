import numpy as np
import pytest

from neurodeploy.neurons import Lif
from neurodeploy.reshaping import with_bits, with_channels, with_groups, with_stride
from tests.chains import chain, conv, dense, sparse
from tests.test_activity import skip_and_loop

NETWORK = chain((2, 12, 12), conv(8, 2, 3, padding=(1, 1)), conv(6, 8, 3, stride=(2, 2)), dense(7, 150), dense(3, 7))


def shapes(network):
    return {part.name: part.shape for part in (*network.ports, *network.populations)}


def consistent(network):
    """Say whether every connection joins the shapes of its two ends."""
    for projection in network.projections:
        source, target = (network.by_name[name].shape for name in (projection.source, projection.target))
        connection = projection.connection
        if hasattr(connection, "output_shape"):
            assert connection.output_shape(source) == target
        else:
            assert connection.weight.shape == (np.prod(target), np.prod(source))
    return True


def test_fewer_channels_reach_the_layers_on_both_sides():
    found = with_channels(NETWORK, "l1", 5)
    assert consistent(found)
    assert shapes(found) == {**shapes(NETWORK), "l1": (5, 12, 12)}
    assert found.projections[1].connection.weight.shape == (6, 5, 3, 3)
    assert consistent(with_channels(NETWORK, "l2", 2))
    assert consistent(with_channels(NETWORK, "l3", 4))
    assert shapes(with_channels(NETWORK, "in", 1))["in"] == (1, 12, 12)


def test_larger_strides_shrink_what_follows():
    found = with_stride(NETWORK, "l1", 2)
    assert consistent(found)
    assert shapes(found) == {**shapes(NETWORK), "l1": (8, 6, 6), "l2": (6, 2, 2)}
    assert with_stride(NETWORK, "l1", 16) is None  # nothing is left for the next kernel
    assert with_stride(NETWORK, "l3", 2) is None


def test_what_cannot_be_told_is_none():
    grouped = chain((4, 6, 6), conv(8, 4, 3), conv(8, 1, 3, groups=8))
    assert with_channels(grouped, "l1", 4) is None
    assert with_channels(chain((9,), sparse(31, 9), dense(4, 31)), "l1", 10) is None
    assert with_groups(NETWORK, "l2->l3", 2) is None
    assert with_groups(NETWORK, "l1->l2", 5) is None


def test_groups_split_the_sources():
    found = with_groups(NETWORK, "l1->l2", 2)
    assert consistent(found)
    assert found.projections[1].connection.weight.shape == (6, 4, 3, 3)
    assert found.projections[1].connection.groups == 2


def test_loops_and_parameters_of_single_neurons_are_cut_along():
    found = with_channels(skip_and_loop(), "b", 4)
    assert consistent(found)
    neuron = Lif(np.arange(1, 9).reshape(8, 1, 1), 0, 0, bias=np.arange(8 * 144).reshape(8, 12, 12))
    cut = with_stride(chain((2, 12, 12), conv(8, 2, 3, padding=(1, 1)), neuron=neuron), "l1", 2)
    part = cut.populations[0].neuron
    assert (part.threshold.shape, part.bias.shape) == ((8, 1, 1), (8, 6, 6))


@pytest.mark.parametrize("bits", [4, 8])
def test_narrower_weights(bits):
    assert {p.weight_bits for p in with_bits(NETWORK, bits).projections} == {bits}

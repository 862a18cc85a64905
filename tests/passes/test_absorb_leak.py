from dataclasses import replace

import numpy as np

from neurodeploy.graph import frozen_array
from neurodeploy.passes import absorb_leak
from tests.passes.small_graphs import chain, convolution, lif, linear


def leaking(neuron, level):
    return replace(neuron, v_leak=frozen_array(np.broadcast_to(np.asarray(level, float), neuron.shape)))


def test_levels_of_a_dense_layer(rng, same_spikes):
    graph = chain(
        (6,), linear(rng, 6, 8), leaking(lif(8), rng.normal(0, 0.2, 8)), linear(rng, 8, 4, bias=False), lif(4)
    )
    after = absorb_leak(graph)
    assert not after.nodes["n1"].v_leak.any()
    same_spikes(graph, after)


def test_a_level_a_channel(rng, same_spikes):
    level = rng.normal(0, 0.2, (3, 1, 1))
    graph = chain((2, 5, 5), convolution(rng, (2, 3), (3, 3), padding=1, bias=False), leaking(lif(3, 5, 5), level))
    after = absorb_leak(graph)
    assert after.nodes["n0"].bias.shape == (3,)
    same_spikes(graph, after)


def test_what_a_kernel_cannot_carry_stays(rng):
    level = rng.normal(0, 0.2, (3, 5, 5))
    graph = chain((2, 5, 5), convolution(rng, (2, 3), (3, 3), padding=1), leaking(lif(3, 5, 5), level))
    assert absorb_leak(graph) is graph


def test_a_filtered_bias_and_a_start_at_the_level_stay(rng):
    neuron = leaking(lif(4), 0.1)
    filtered = replace(neuron, tau_syn=frozen_array(3e-3), w_in=frozen_array(1.0))
    started = replace(neuron, semantics=replace(neuron.semantics, v_init="v_leak"))
    for kind in (filtered, started):
        graph = chain((6,), linear(rng, 6, 4), kind)
        assert absorb_leak(graph) is graph

"""``lower = fuse . delay . pool . scale . batchnorm . max . identity``: the form that a chip's projections take."""

from __future__ import annotations

from collections.abc import Callable

from neurodeploy.graph import Graph
from neurodeploy.passes.delays_to_edges import delays_to_edges
from neurodeploy.passes.drop_identity import drop_identity
from neurodeploy.passes.fold_batchnorm import fold_batchnorm
from neurodeploy.passes.fold_scale import fold_scale
from neurodeploy.passes.fuse_linear import fuse_linear
from neurodeploy.passes.max_pool_to_or import max_pool_to_or
from neurodeploy.passes.pool_to_convolution import pool_to_convolution

#: The passes of :func:`lower`, in order.
PASSES: tuple[Callable[[Graph], Graph], ...] = (
    drop_identity,
    max_pool_to_or,
    fold_batchnorm,
    fold_scale,
    pool_to_convolution,
    delays_to_edges,
    fuse_linear,
)


def lower(graph: Graph) -> Graph:
    """Return the graph with nothing but synapses (Linear, Convolution) between its neurons.

    A synapse that nothing was folded into keeps its arrays; what was computed is float64.

    Every edge into a Neuron then comes from exactly one synapse whose source is an Input or a Neuron (a Threshold and
    a Delay of several steps stay where they are and bound a synapse likewise); several synapses into one neuron are
    their sum; an Output follows its neurons directly.

    Raises
    ------
    Unsupported : a node has no such form; the message names it and what to do instead.
    """
    for run in PASSES:
        graph = run(graph)
    return graph

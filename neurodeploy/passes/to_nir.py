"""``to_nir = pad . pool . max . batchnorm``: the graph in nodes that NIR has a word for.

NIR has no maximum pool, no pool over one axis, no batch normalisation, and one number for the padding of an axis.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from neurodeploy.graph import Graph
from neurodeploy.passes.even_padding import even_padding
from neurodeploy.passes.fold_batchnorm import fold_batchnorm
from neurodeploy.passes.max_pool_to_or import max_pool_to_or
from neurodeploy.passes.pool_to_convolution import pool_to_convolution

#: The passes of :func:`to_nir`, in order.
PASSES: tuple[Callable[[Graph], Graph], ...] = (
    fold_batchnorm,
    max_pool_to_or,
    partial(pool_to_convolution, axes=1),
    even_padding,
)


def to_nir(graph: Graph) -> Graph:
    """Return an equal graph that can be written as NIR; what it names stays, but for normalisations that are folded.

    Raises
    ------
    Unsupported : a node has no such form; the message names it and what to do instead.
    """
    for run in PASSES:
        graph = run(graph)
    return graph

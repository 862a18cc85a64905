"""``pad (a, b) with b > a: (0 ... 0, W) over pad (b, b)``: padding that is the same before and behind an axis.

Zero taps, one for every dilation between the two sides, stand where the padding was narrower: a window then begins
earlier, or ends later, on cells that it does not weigh.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from neurodeploy.graph import Convolution, Graph, Node, frozen_array
from neurodeploy.passes.surgery import with_nodes
from neurodeploy.shapes import pads_same


def even_padding(graph: Graph) -> Graph:
    """Return the graph in which convolutions pad both sides of an axis alike, where whole taps can make up for it.

    Padding that NIR can name, torch's 'same', stays.
    """
    changed: dict[str, Node] = {}
    for name in graph.of_type(Convolution):
        node = graph.nodes[name]
        assert isinstance(node, Convolution)
        if not pads_same(node) and any(before != after for before, after in node.padding):
            changed[name] = _evened(node)
    return with_nodes(graph, changed)


def _evened(node: Convolution) -> Convolution:
    widths, padding = [(0, 0), (0, 0)], []
    for (before, after), dilation in zip(node.padding, node.dilation, strict=True):
        taps, left = divmod(abs(before - after), dilation)
        if left:
            return node
        widths.append((taps, 0) if before < after else (0, taps))
        padding.append((max(before, after),) * 2)
    return replace(node, weight=frozen_array(np.pad(node.weight, widths)), padding=tuple(padding))

"""``s W x + s (b - mean) + beta`` with ``s = weight / sqrt(variance + epsilon)``: BatchNorm into its synapse.

Where a synapse does not come before the normalisation, one that follows takes it: ``W (s x + t) = (W s) x + W t`` with
``t = beta - s mean``. A padded convolution pads with zeros after the normalisation, so there this is exact only for
``t = 0``. Computed in float64. A network must be in evaluation mode, its statistics constants.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.errors import Unsupported
from neurodeploy.graph import BatchNorm, Convolution, Flatten, Graph, Linear, Node
from neurodeploy.passes.channels import Vector, scale_columns, scale_rows
from neurodeploy.passes.surgery import dissolve, with_nodes
from neurodeploy.shapes import infer_shapes


def fold_batchnorm(graph: Graph) -> Graph:
    """Return the graph without BatchNorm nodes.

    Raises
    ------
    Unsupported : a normalisation has no synapse before it, and none after it that can take it exactly; names the node.
    """
    for name in graph.of_type(BatchNorm):
        norm = graph.nodes[name]
        assert isinstance(norm, BatchNorm)
        factor = np.asarray(norm.weight, np.float64) / np.sqrt(np.asarray(norm.variance, np.float64) + norm.epsilon)
        offset = np.asarray(norm.bias, np.float64) - factor * np.asarray(norm.mean, np.float64)
        changed = _before(graph, name, factor, offset) or _after(graph, name, factor, offset)
        graph = dissolve(with_nodes(graph, changed), name)
    return graph


def _before(graph: Graph, name: str, factor: Vector, offset: Vector) -> dict[str, Node] | None:
    """Scale the rows of the synapses that feed the normalisation alone; the offset belongs to their sum, so to one."""
    one_axis = len(infer_shapes(graph)[name]) == 1
    changed: dict[str, Node] = {}
    for source in graph.sources(name):
        node = graph.nodes[source]
        # The rows of a Linear over several axes are the last axis; the normalisation works on the first.
        rows_are_channels = isinstance(node, Convolution) or (isinstance(node, Linear) and one_axis)
        if not rows_are_channels or graph.targets(source) != [name] or (source, name) in graph.feedback:
            return None
        assert isinstance(node, Linear | Convolution)
        changed[source] = scale_rows(node, factor, None if changed else offset)
    return changed or None


def _after(graph: Graph, name: str, factor: Vector, offset: Vector) -> dict[str, Node]:
    """Scale the columns of every synapse that follows, or raise where one of them cannot take it exactly."""
    changed: dict[str, Node] = {}
    for target, columns_per_channel in _followers(graph, name):
        node = graph.nodes[target]
        if not isinstance(node, Linear | Convolution):
            raise _cannot(name, f"{target!r}, which follows, is a {type(node).__name__} and takes no weights")
        if len(graph.sources(target)) > 1 or any(edge in graph.feedback for edge in _between(graph, name, target)):
            raise _cannot(name, f"{target!r}, which follows, is fed by other nodes or one step later")
        if not np.any(offset):
            shift = None
        elif isinstance(node, Convolution) and any(map(any, node.padding)):
            raise _cannot(name, f"the convolution {target!r} pads with zeros, which it would have to shift")
        else:
            shift = np.repeat(offset, columns_per_channel)
        changed[target] = scale_columns(node, np.repeat(factor, columns_per_channel), shift)
    if not changed:
        raise _cannot(name, "no synapse stands before it or after it")
    return changed


def _followers(graph: Graph, name: str) -> list[tuple[str, int]]:
    """Return (node after the normalisation, its columns per channel), looking through a Flatten of all axes."""
    shape = infer_shapes(graph)[name]
    found: list[tuple[str, int]] = []
    for target in graph.targets(name):
        node = graph.nodes[target]
        merges_all = isinstance(node, Flatten) and (node.start % len(shape), node.end % len(shape)) == (
            0,
            len(shape) - 1,
        )
        if merges_all and graph.sources(target) == [name]:
            found += [(after, int(np.prod(shape[1:]))) for after in graph.targets(target)]
        elif isinstance(node, Linear) and len(shape) > 1:
            raise _cannot(name, f"the Linear {target!r} that follows reads the last axis, not channels")
        else:
            found.append((target, 1))
    return found


def _between(graph: Graph, name: str, target: str) -> list[tuple[str, str]]:
    """Return the edges on the way from the normalisation to the synapse that takes it."""
    (source,) = graph.sources(target)
    return [(source, target)] if source == name else [(name, source), (source, target)]


def _cannot(name: str, problem: str) -> Unsupported:
    return Unsupported(
        name, f"this batch normalisation cannot be folded: {problem}", "place it right after a Linear or Convolution"
    )

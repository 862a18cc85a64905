"""``s W x + s (b - mean) + beta`` with ``s = weight / sqrt(variance + epsilon)``: BatchNorm into its synapse.

Where a synapse does not come before the normalisation, one that follows takes it: ``W (s x + t) = (W s) x + W t`` with
``t = beta - s mean``. A padded convolution pads with zeros after the normalisation, so there this is exact only for
``t = 0``, or with the rest in the leak of the neurons behind it (:mod:`.shift_borders`). Where nothing can take it, the
normalisation becomes a synapse of its own, ``diag(s) x + t``: a grouped convolution of kernel one over maps. Computed
in float64. A network must be in evaluation mode.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.errors import Unsupported
from neurodeploy.graph import BatchNorm, Convolution, Flatten, Graph, Linear, Node, Shape, frozen_array
from neurodeploy.passes.channels import Vector, scale_columns, scale_rows
from neurodeploy.passes.shift_borders import shift_borders
from neurodeploy.passes.surgery import dissolve, with_nodes
from neurodeploy.shapes import infer_shapes

#: Most features of a flat normalisation that becomes a matrix of its own.
MOST_FEATURES = 4096


def fold_batchnorm(graph: Graph) -> Graph:
    """Return the graph without BatchNorm nodes.

    Raises
    ------
    Unsupported : a normalisation of more than :data:`MOST_FEATURES` flat values that no synapse beside it can take.
    """
    for name in graph.of_type(BatchNorm):  # first those that leave synapses and neurons as direct neighbours
        changed = _before(graph, name, *_line(graph, name))
        if changed is not None:
            graph = dissolve(with_nodes(graph, changed), name)
    for name in graph.of_type(BatchNorm):
        factor, offset = _line(graph, name)
        changed = _after(graph, name, factor, offset)
        if changed is not None:
            graph = dissolve(with_nodes(graph, changed), name)
        elif (shifted := shift_borders(graph, name, factor, offset)) is not None:
            graph = shifted
        else:
            graph = with_nodes(graph, {name: _as_synapse(name, infer_shapes(graph)[name], factor, offset)})
    return graph


def _line(graph: Graph, name: str) -> tuple[Vector, Vector]:
    """Return factor and offset of every channel."""
    norm = graph.nodes[name]
    assert isinstance(norm, BatchNorm)
    factor = np.asarray(norm.weight, np.float64) / np.sqrt(np.asarray(norm.variance, np.float64) + norm.epsilon)
    return factor, np.asarray(norm.bias, np.float64) - factor * np.asarray(norm.mean, np.float64)


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


def _after(graph: Graph, name: str, factor: Vector, offset: Vector) -> dict[str, Node] | None:
    """Scale the columns of every synapse that follows; None where one of them cannot take it exactly."""
    changed: dict[str, Node] = {}
    followers = _followers(graph, name)
    for target, columns_per_channel in followers:
        node = graph.nodes[target]
        if not isinstance(node, Linear | Convolution) or len(graph.sources(target)) > 1:
            return None
        if any(edge in graph.feedback for edge in _between(graph, name, target)):
            return None
        padded = isinstance(node, Convolution) and any(map(any, node.padding))
        if padded and np.any(offset):
            return None  # the border holds zeros, which it would have to shift
        shift = np.repeat(offset, columns_per_channel) if np.any(offset) else None
        changed[target] = scale_columns(node, np.repeat(factor, columns_per_channel), shift)
    return changed or None


def _followers(graph: Graph, name: str) -> list[tuple[str, int]]:
    """Return (node after the normalisation, its columns per channel), looking through a Flatten of all axes.

    Empty where a Linear reads the last axis of maps, not their channels.
    """
    shape = infer_shapes(graph)[name]
    found: list[tuple[str, int]] = []
    for target in graph.targets(name):
        node = graph.nodes[target]
        last = len(shape) - 1
        merges_all = isinstance(node, Flatten) and (node.start % len(shape), node.end % len(shape)) == (0, last)
        if merges_all and graph.sources(target) == [name]:
            found += [(after, int(np.prod(shape[1:]))) for after in graph.targets(target)]
        elif isinstance(node, Linear) and len(shape) > 1:
            return []
        else:
            found.append((target, 1))
    return found


def _between(graph: Graph, name: str, target: str) -> list[tuple[str, str]]:
    """Return the edges on the way from the normalisation to the synapse that takes it."""
    (source,) = graph.sources(target)
    return [(source, target)] if source == name else [(name, source), (source, target)]


def _as_synapse(name: str, shape: Shape, factor: Vector, offset: Vector) -> Node:
    """Return the normalisation as a synapse of its own."""
    if len(shape) > 1:
        ones = (1,) * (len(shape) - 1)
        weight, none = factor.reshape(-1, 1, *ones), ((0, 0),) * len(ones)
        return Convolution(frozen_array(weight), frozen_array(offset), ones, none, ones, groups=len(factor))
    if len(factor) > MOST_FEATURES:
        raise Unsupported(
            name,
            f"this batch normalisation of {len(factor)} values cannot be folded, and is too large for a matrix",
            f"place it right after a Linear or Convolution; up to {MOST_FEATURES} values are possible elsewhere",
        )
    return Linear(frozen_array(np.diag(factor)), frozen_array(offset))

"""``C(s x + t) = (C s) x + C t``: a normalisation before a padded convolution, into its weights and the leak behind it.

``C t`` is ``W t``, a bias of the channel, wherever a window lies inside the map. Where it reaches over the edge, onto
zeros that no normalisation shifts, some taps are missing, and every neuron there gets the difference in its leak.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import numpy.typing as npt

from neurodeploy.discrete import constants
from neurodeploy.graph import Convolution, Graph, Neuron, Node, Shape
from neurodeploy.passes.channels import Vector, scale_columns
from neurodeploy.passes.convolve import axes
from neurodeploy.passes.membrane_bias import membrane_bias
from neurodeploy.passes.surgery import dissolve, with_nodes
from neurodeploy.shapes import infer_shapes


def shift_borders(graph: Graph, name: str, factor: Vector, offset: Vector) -> Graph | None:
    """Return the graph without the node ``name``, which computes ``factor * x + offset`` per channel.

    None where something else than padded convolutions follows, or where neurons behind one cannot take a constant in
    their leak: without leak, with a synaptic current, starting at the leak, or dropping an input that resets them.
    """
    shapes = infer_shapes(graph)
    changed: dict[str, Node] = {}
    biases: dict[str, npt.NDArray[np.float64]] = {}
    for target in graph.targets(name):
        node = graph.nodes[target]
        if not isinstance(node, Convolution) or graph.sources(target) != [name]:
            return None
        if (name, target) in graph.feedback or not all(_takes(graph, target, cell) for cell in graph.targets(target)):
            return None
        changed[target] = scale_columns(node, factor, offset)
        missing = _missing(node, offset, shapes[name], shapes[target])
        for cell in graph.targets(target):
            gained = np.asarray(constants(_neuron(graph, cell), graph.dt).gain * missing)
            biases[cell] = biases[cell] + gained if cell in biases else gained
    return dissolve(membrane_bias(with_nodes(graph, changed), biases), name) if changed else None


def _takes(graph: Graph, source: str, name: str) -> bool:
    """Return whether a neuron can take what its input lacks in every step as a pull of its leak."""
    node = graph.nodes[name]
    if not isinstance(node, Neuron) or node.tau_mem is None or node.tau_syn is not None:
        return False
    semantics = node.semantics
    return (
        (source, name) not in graph.feedback
        and semantics.v_init != "v_leak"
        and semantics.reset_when != "next-step-all"
    )


def _neuron(graph: Graph, name: str) -> Neuron:
    node = graph.nodes[name]
    assert isinstance(node, Neuron)
    return node


def _missing(node: Convolution, offset: Vector, shape: Shape, answer: Shape) -> npt.NDArray[np.float64]:
    """Return what windows over the edge lack of the sum that those inside make of a constant ``offset``."""
    rows, columns = node.weight.shape[:2]
    weight = np.asarray(node.weight, np.float64)
    by_group = np.repeat(offset.reshape(node.groups, columns), rows // node.groups, axis=0)
    summed = (weight * by_group.reshape(rows, columns, *(1,) * (weight.ndim - 2))).sum(axis=1)  # [out, *kernel]
    found = np.zeros(answer)
    window = axes(node, shape, answer)
    for taps in product(*(range(axis.taps) for axis in window)):
        inside = np.ones(())
        for tap, axis in zip(taps, window, strict=True):
            place = np.arange(axis.length_out) * axis.stride + tap * axis.dilation - axis.before
            inside = np.multiply.outer(inside, (place >= 0) & (place < axis.length_in))
        found += np.multiply.outer(summed[(slice(None), *taps)], inside)
    inner: npt.NDArray[np.float64] = summed.reshape(rows, -1).sum(axis=1).reshape(rows, *(1,) * len(window))
    return found - inner

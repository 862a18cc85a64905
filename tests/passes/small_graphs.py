"""Small float networks to run passes on."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np

from neurodeploy.graph import Convolution, Flatten, Graph, Input, Linear, Neuron, Node, Output, Shape, frozen_array
from neurodeploy.semantics import Semantics


def lif(*shape: int) -> Neuron:
    zero, tau = frozen_array(0.0), frozen_array(5e-3)
    return Neuron(
        shape=shape,
        semantics=Semantics(reset="zero"),
        r=frozen_array(5.0),
        tau_mem=tau,
        v_leak=zero,
        v_reset=zero,
        threshold=frozen_array(0.5),
    )


def convolution(
    rng: np.random.Generator,
    channels: tuple[int, int],
    kernel: Shape,
    *,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    groups: int = 1,
    bias: bool = True,
) -> Convolution:
    axes = len(kernel)
    weight = rng.normal(0.1, 0.5, (channels[1], channels[0] // groups, *kernel)).astype(np.float32)
    return Convolution(
        weight=weight,
        bias=rng.normal(0, 0.1, channels[1]) if bias else None,
        stride=(stride,) * axes,
        padding=((padding, padding),) * axes,
        dilation=(dilation,) * axes,
        groups=groups,
    )


def linear(rng: np.random.Generator, inputs: int, outputs: int, *, bias: bool = True) -> Linear:
    weight = rng.normal(0.05, 1.0 / np.sqrt(inputs), (outputs, inputs)).astype(np.float32)
    return Linear(weight, rng.normal(0, 0.1, outputs) if bias else None)


def chain(shape: Shape, *nodes: Node | tuple[str, Node]) -> Graph:
    """Return input -> nodes -> output; a node given without a name is called n0, n1, ..."""
    named = [node if isinstance(node, tuple) else (f"n{index}", node) for index, node in enumerate(nodes)]
    last = named[-1][1]
    assert isinstance(last, Neuron)
    every = {"input": Input(shape), **dict(named), "output": Output(last.shape)}
    names = list(every)
    return Graph(every, tuple(pairwise(names)), dt=1e-3)


def runnable(graph: Graph) -> Graph:
    """Put the Flatten back that a lowered graph leaves out before a Linear."""
    nodes, edges, feedback = dict(graph.nodes), list(graph.edges), set(graph.feedback)
    for source, target in graph.edges:
        shape = getattr(graph.nodes[source], "shape", ())
        if isinstance(graph.nodes[target], Linear) and len(shape) > 1:
            between = f"{source} {target}"
            nodes[between] = Flatten()
            edges.remove((source, target))
            edges += [(source, between), (between, target)]
            if (source, target) in feedback:
                feedback = (feedback - {(source, target)}) | {(source, between)}
    return replace(graph, nodes=nodes, edges=tuple(edges), feedback=frozenset(feedback))

"""Random float graphs that NIR can express, for round trips and comparisons."""

from typing import get_args, get_type_hints

import numpy as np

from neurodeploy.graph import (
    Convolution,
    Delay,
    Flatten,
    Graph,
    Input,
    Linear,
    Neuron,
    Node,
    Output,
    Pool,
    Scale,
    Shape,
    Threshold,
    frozen_array,
)
from neurodeploy.semantics import Semantics
from neurodeploy.shapes import output_shape

DT = 1e-3


def semantics(rng: np.random.Generator) -> Semantics:
    """Return a reading with every choice drawn at random."""
    hints = get_type_hints(Semantics)
    drawn = {name: rng.choice(get_args(hint)).item() for name, hint in hints.items() if get_args(hint)}
    return Semantics(**drawn, spike_scale=float(rng.choice([1.0, 1.0, 2.0, 0.25])))


def constants(rng: np.random.Generator, shape: Shape, low: float, high: float) -> np.ndarray:
    """Return an array that broadcasts to ``shape``: full, one value, or one per channel; float32 or float64."""
    chosen = [shape, (), (shape[0], *(1,) * (len(shape) - 1))][rng.integers(3)]
    return frozen_array(rng.uniform(low, high, chosen), rng.choice([np.float32, np.float64]))


def neuron(rng: np.random.Generator, shape: Shape, *, spiking: bool = True, leaky: bool = True) -> Neuron:
    """Return a population whose optional constants are there or not."""

    def maybe(low: float, high: float) -> np.ndarray | None:
        return constants(rng, shape, low, high) if rng.random() < 0.7 else None

    current = leaky and rng.random() < 0.4
    return Neuron(
        shape,
        semantics(rng),
        r=constants(rng, shape, 0.5, 20.0),
        tau_mem=constants(rng, shape, 2 * DT, 20 * DT) if leaky else None,
        tau_syn=constants(rng, shape, 2 * DT, 20 * DT) if current else None,
        w_in=maybe(0.5, 20.0) if current else None,
        v_leak=maybe(-0.2, 0.2) if leaky else None,
        threshold=constants(rng, shape, 0.5, 1.5) if spiking else None,
        v_reset=maybe(-0.3, 0.2) if spiking else None,
    )


def random_graph(seed: int) -> Graph:
    """Return a graph of convolution, pooling and dense layers with a loop, elementwise nodes and a readout."""
    rng = np.random.default_rng(seed)
    nodes: dict[str, Node] = {"in put": Input((2, int(rng.integers(5, 8)), int(rng.integers(5, 8))))}
    edges: list[tuple[str, str]] = []
    shape: Shape = nodes["in put"].shape

    def add(name: str, node: Node, source: str | None = None) -> None:
        nonlocal shape
        edges.append((source or list(nodes)[-1], name))
        shape = output_shape(name, node, shape)
        nodes[name] = node

    kernel, groups = int(rng.integers(1, 4)), int(rng.integers(1, 3))
    weight = frozen_array(rng.normal(size=(4, 2 // groups, kernel, kernel)).astype(np.float32))
    bias = frozen_array(rng.normal(size=4)) if rng.random() < 0.5 else None
    padding = ((int(rng.integers(2)),) * 2, (int(rng.integers(2)),) * 2)
    add("conv", Convolution(weight, bias, (1, int(rng.integers(1, 3))), padding, (1, 1), groups))
    add("lif.1", neuron(rng, shape))
    pooled = tuple(min(2, size) for size in shape[1:])
    add("pool", Pool("sum" if rng.random() < 0.5 else "average", pooled, (1, 2), (0, 0)))
    add("flat", Flatten(0, -1))
    add("scale", Scale(constants(rng, shape, -1, 1)))
    add("dense", Linear(frozen_array(rng.normal(size=(5, *shape)))))
    add("lif", neuron(rng, shape, leaky=bool(rng.random() < 0.7)))
    # Weak, so that several spikes a step do not feed a loop that diverges.
    add("ω", Linear(frozen_array(rng.normal(size=(5, 5)).astype(np.float16) / 64), frozen_array(rng.normal(size=5))))
    edges.append(("ω", "lif"))
    add("wait", Delay(frozen_array(DT * rng.integers(0, 4, 5))), "lif")
    add("gate", Threshold(constants(rng, shape, 0, 0.5)))
    add("readout", neuron(rng, shape, spiking=False, leaky=bool(rng.random() < 0.7)))
    add("out", Output(shape))
    return Graph(
        nodes,
        tuple(edges),
        DT,
        frozenset({("lif", "ω")}),
        notes=("a note", "another ÿ"),
        metadata={"words": "some", "table": frozen_array(rng.integers(0, 9, 4))},
    )

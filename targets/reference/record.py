"""The float simulation as a backend: the same recording that the integer backends make."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.graph import Graph, Neuron
from neurodeploy.recording import Recording
from neurodeploy.targets.reference.simulation import run

_LETTERS = ("s", "u", "v")


def record_run(graph: Graph, spikes: Mapping[str, npt.NDArray[Any]], record: Collection[str] = ("s",)) -> Recording:
    """Simulate a float graph; parameters as in :func:`neurodeploy.simulation.simulate`.

    An Output that is fed by one neuron node is recorded under that node's name; if it does not spike, as a read-out
    that sends nothing. Any other is recorded under its own name, with what arrives there.
    """
    arrays = run(graph, spikes, {"s", *record})
    tables: dict[str, dict[str, npt.NDArray[Any]]] = {letter: {} for letter in _LETTERS}
    for key, values in arrays.items():
        quantity, _, name = key.partition("/")
        if quantity in tables:
            tables[quantity][name] = values
    outputs = []
    for name in graph.outputs:
        sources = graph.sources(name)
        node = graph.nodes[sources[0]] if len(sources) == 1 else None
        if isinstance(node, Neuron):
            outputs.append(sources[0])
            if not node.spiking:
                tables["v"][sources[0]] = arrays[f"output/{name}"]
                tables["s"][sources[0]] = np.zeros(arrays[f"output/{name}"].shape, dtype=np.uint8)
        else:
            tables["s"][name] = arrays[f"output/{name}"]
            outputs.append(name)
    samples, steps = next(iter(spikes.values())).shape[:2]
    return Recording(
        samples=samples,
        steps=steps,
        spikes=tables["s"],
        outputs=tuple(outputs),
        backend="float",
        versions={"numpy": np.__version__},
        u=tables["u"],
        v=tables["v"],
        inputs=dict(spikes),
        readouts=tuple(name for name in outputs if isinstance(node := graph.nodes[name], Neuron) and not node.spiking),
    )

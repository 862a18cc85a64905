"""Files that frameworks wrote, read with their stated semantics, give the frameworks' own spikes."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from neurodeploy.graph import Graph
from neurodeploy.nirfile import read_graph
from neurodeploy.semantics import semantics_from
from neurodeploy.targets.reference import run

CASES = sorted((Path(__file__).parent.parent / "data" / "nir").iterdir())


def read(folder: Path) -> tuple[Graph, dict[str, str]]:
    case = json.loads((folder / "case.json").read_text())
    graph = read_graph(folder / "net.nir", dt=case["dt"], semantics=semantics_from(case["semantics"], folder.name))
    return graph, case["layers"]


def arrays(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as stored:
        return dict(stored)


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_spikes_equal_the_frameworks(folder):
    graph, layers = read(folder)
    given, native = arrays(folder / "input.npz"), arrays(folder / "native.npz")
    spikes = {key.partition("/")[2] or graph.inputs[0]: values for key, values in given.items()}
    taken = run(graph, spikes, ("s", "v"))
    compared = 0
    for key, expected in native.items():
        kind, _, layer = key.partition("/")
        name = layers.get(layer, layer)
        if kind == "spikes":
            np.testing.assert_array_equal(taken[f"s/{name}"][: len(expected)], expected)
            compared += expected.size
        elif kind == "v":
            # The frameworks compute in float32.
            np.testing.assert_allclose(taken[f"v/{name}"][: len(expected)], expected, atol=1e-4)
    assert compared > 0


@pytest.mark.parametrize(
    ("case", "note"),
    [
        ("nir-batch-axis-in-shapes", r"input: shape \[1, 5\] read as \[5\]"),
        ("nir-flatten-default-dims", "flat: its axes 1 to -1 count the batch; read as 0 to -1"),
        ("nir-scalar-params-0d", "lif: its single values apply to every neuron"),
        ("nir-nested-recurrent", "nested graphs were taken apart"),
        ("nir-self-loop", "feedback: lif -> lif carries the spikes of the step before"),
    ],
)
def test_every_repair_is_told(case, note):
    graph, _ = read(CASES[0].parent / case)
    assert any(re.search(note, line) for line in graph.notes)

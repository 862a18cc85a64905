"""Graphs written as torch modules: spikes equal to the float simulation, the same network read back, clean code."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import neurodeploy as nd
from neurodeploy.conformance import read_case
from neurodeploy.conformance.files import read_declared
from neurodeploy.errors import Unsupported, UsageError
from neurodeploy.export.framework import open_module
from neurodeploy.export.torchcode import module_files, to_torch, write_module
from neurodeploy.graph import Graph, Neuron
from neurodeploy.nirfile import write_graph
from neurodeploy.simulation import simulate
from tests.cli.conftest import run  # noqa: F401  # the fixture that runs the command line
from tests.conformance.corpus import CASES
from tests.test_quantization import convolutional

torch.set_num_threads(1)

#: Cases that both frameworks, or one of them, have layers for; every kind of node and neuron is among them.
SNNTORCH = (
    "nir-avgpool-padding", "nir-conv1d", "nir-conv-depthwise", "nir-conv-same", "nir-cuba-w-in", "nir-fan-in-sum",
    "nir-flatten-ranges", "nir-if-r-per-time", "snntorch-li-readout", "nir-li-readout", "nir-v-leak",
    "nir-odd-names", "nir-self-loop",
    "nir-sumpool-padding",
    "norse-bn", "norse-digits", "snntorch-digits-default-reset", "snntorch-graded", "snntorch-conv-bn",
    "snntorch-per-neuron", "snntorch-residual", "snntorch-rleaky-all-to-all", "snntorch-rleaky-one-to-one",
    "snntorch-rsynaptic", "snntorch-rsynaptic-zero", "snntorch-synaptic", "snntorch-linear-lif-subtract",
    "snntorch-linear-lif-zero-delayed",
)  # fmt: skip
NORSE = (
    "nir-avgpool-padding", "nir-conv-nonsquare", "nir-cuba-w-in", "norse-bn", "nir-fan-in-sum",
    "nir-li-readout", "nir-v-leak",
    "norse-v-leak", "norse-v-reset", "norse-conv-iaf", "norse-digits", "norse-per-neuron", "norse-recurrent-lif",
    "norse-subtract-reset", "norse-li-readout", "norse-lifcell-dt1", "snntorch-digits", "snntorch-residual",
)  # fmt: skip


def graph_of(name: str) -> tuple[Graph, np.ndarray]:
    case = read_case(CASES / name)
    path = case.file("expected.nir") or case.file("net.nir")
    return read_declared(case, path), next(iter(case.inputs.values()))[:2]


def neurons(graph: Graph) -> list[str]:
    return [name for name in graph.order() if isinstance(graph.nodes[name], Neuron)]


@pytest.mark.parametrize(
    ("framework", "name"), [*(("snntorch", name) for name in SNNTORCH), *(("norse", name) for name in NORSE)]
)
@pytest.mark.filterwarnings("ignore:Using padding='same'")
def test_spikes_are_those_of_the_float_simulation_there_and_back(framework, name):
    graph, x = graph_of(name)
    module = to_torch(graph, framework)
    live = open_module(module, framework=framework, shape=graph.nodes[graph.inputs[0]].shape, dt=graph.dt)
    wanted, native, back = simulate(graph, x, "float", ("s", "v")), live.record(x), simulate(live.graph, x, "float")
    assert live.graph.dt == graph.dt
    fired = 0
    for mine, theirs in zip(neurons(graph), neurons(live.graph), strict=True):
        if graph.nodes[mine].spiking:
            np.testing.assert_array_equal(native[theirs], wanted.spikes[mine], mine)
            np.testing.assert_array_equal(back.spikes[theirs], wanted.spikes[mine], mine)
            fired += int((wanted.spikes[mine] != 0).sum())
        else:
            np.testing.assert_allclose(native[theirs], wanted.v[mine], rtol=1e-4, atol=1e-4)
            fired += 1
    assert fired


@pytest.mark.parametrize(
    ("framework", "name", "message"),
    [
        ("snntorch", "sinabs-linear-iaf", "fires by 'floor-multi', snnTorch fires above"),
        ("snntorch", "spikingjelly-linear-lif", "fires by '>='"),
        ("snntorch", "norse-v-leak", "leaks towards another value than 0"),
        ("snntorch", "nir-v-reset", "resets by 'value' in 'same-step', which no layer of snnTorch does"),
        ("snntorch", "nir-two-layer-loop", "closes a loop over several layers"),
        ("snntorch", "nir-two-inputs", "has 2 inputs, a generated module one"),
        ("snntorch", "nir-delay", "is a Delay, for which torch has no layer"),
        ("snntorch", "nir-scale", "scales its input"),
        ("norse", "snntorch-digits-default-reset", "resets in 'next-step', Norse in the same step"),
        ("norse", "snntorch-graded", "scales its spikes, Norse's are 1|resets in"),
        ("norse", "nir-self-loop", "is recurrent and reads other than one matrix without bias"),
        ("norse", "nir-integrator", "is a NIR I, for which Norse has no cell"),
    ],
)
def test_what_a_framework_lacks_is_refused_by_name(framework, name, message):
    graph, _ = graph_of(name)
    with pytest.raises(Unsupported, match=message):
        module_files(graph, framework)


def test_code_is_clean_and_its_weights_stand_beside_it(tmp_path):
    for name, framework in (
        ("snntorch-per-neuron", "snntorch"),
        ("snntorch-rsynaptic", "snntorch"),
        ("norse-recurrent-lif", "norse"),
        ("norse-subtract-reset", "norse"),
        ("nir-odd-names", "norse"),
    ):
        write_module(graph_of(name)[0], tmp_path / f"{framework}_{name.replace('-', '_')}.py", framework)
    write_module(convolutional(np.random.default_rng(1)), tmp_path / "convolutional.py", "snntorch")
    assert len(list(tmp_path.glob("*.safetensors"))) == len(list(tmp_path.glob("*.py"))) == 6
    config = Path(nd.__file__).parents[1] / "pyproject.toml"
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--no-cache", "--config", str(config), str(tmp_path)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_names_of_nodes_become_names_of_layers(tmp_path):
    graph = convolutional(np.random.default_rng(1))
    odd = {"in": "x", "c1": "class", "n1": "0", "pool": "train", "flat": "a b", "fc": "a.b", "n2": "_", "out": "out"}
    nodes = {odd[name]: node for name, node in graph.nodes.items()}
    text, state = module_files(Graph(nodes, tuple((odd[a], odd[b]) for a, b in graph.edges), graph.dt), "snntorch")
    compile(text, "net.py", "exec")
    assert {name.partition(".")[0] for name in state} == {"class_", "layer_0", "a_b_", "layer__"}


def test_neither_file_is_left_where_one_cannot_be(tmp_path, monkeypatch):
    graph, _ = graph_of("snntorch-synaptic")
    (tmp_path / "net.safetensors").write_text("mine")
    with pytest.raises(UsageError, match="already exists"):
        write_module(graph, tmp_path / "net.py", "snntorch")
    assert [path.name for path in tmp_path.iterdir()] == ["net.safetensors"]
    with pytest.raises(Unsupported):
        write_module(graph_of("nir-delay")[0], tmp_path / "other.py", "norse")
    with pytest.raises(UsageError, match="one of snntorch, norse"):
        module_files(graph, "tensorflow")
    monkeypatch.setattr("neurodeploy.export.torchcode.writing._save", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_module(graph, tmp_path / "third.py", "snntorch")
    assert [path.name for path in tmp_path.iterdir()] == ["net.safetensors"]


def test_the_command_line_writes_a_module_that_export_reads_back(run, tmp_path):  # noqa: F811
    graph, x = graph_of("snntorch-synaptic")
    write_graph(graph, tmp_path / "net.nir")
    outcome = run("convert", tmp_path / "net.nir", "-o", tmp_path / "net.py", "--to", "snntorch", "--json")
    assert outcome.code == 0
    assert json.loads(outcome.out)["notes"][-1] == "its weights are in net.safetensors"
    again = ("export", tmp_path / "net.safetensors", "--factory", f"{tmp_path / 'net.py'}:build", "--from", "snntorch")
    assert run(*again, "--dt", "1e-4", "-o", tmp_path / "back.nir").code == 0
    back = simulate(nd.load(tmp_path / "back.nir"), x, "float")
    assert back.output.tolist() == simulate(graph, x, "float").output.tolist()
    assert run("convert", tmp_path / "net.nir", "-o", tmp_path / "other.py").code == 2
    assert (
        run("convert", tmp_path / "net.nir", "-o", tmp_path / "x.onnx", "--to", "norse", "--target", "loihi2").code == 2
    )


def test_a_gain_goes_into_the_threshold():
    graph, x = graph_of("snntorch-synaptic")
    name = neurons(graph)[0]
    stronger = replace(graph.nodes[name], r=graph.nodes[name].r * 3, threshold=graph.nodes[name].threshold * 3)
    other = replace(graph, nodes={**graph.nodes, name: stronger})
    module = open_module(to_torch(other, "snntorch"), shape=graph.nodes[graph.inputs[0]].shape, dt=graph.dt)
    layer = neurons(module.graph)[0]
    np.testing.assert_array_equal(module.record(x)[layer], simulate(graph, x, "float").spikes[name])

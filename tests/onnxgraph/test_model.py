"""The two ONNX models of a network: their interface, a second implementation that agrees, and what is in the file."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

from neurodeploy.errors import Unsupported, UsageError
from neurodeploy.network import Convolution, Dense, Sparse
from neurodeploy.onnxgraph import STATES, Options, model, require_onnxruntime, scan_model, step_model
from neurodeploy.onnxgraph.synapses import KERNELS
from neurodeploy.simulation import simulate
from tests.random_networks import random_network, random_spikes
from tests.targets.onnx_nets import NETWORKS

EVERYTHING = ("s", "u", "v")


def session(proto):
    options = require_onnxruntime().SessionOptions()
    options.log_severity_level = 3
    return require_onnxruntime().InferenceSession(proto.SerializeToString(), options)


def by_steps(proto, feed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Run a step model over the steps, its state carried by hand, and stack what it sends and holds."""
    engine = session(proto)
    states = json.loads({p.key: p.value for p in proto.metadata_props}[STATES])
    samples, steps = next(iter(feed.values())).shape[:2]
    state = {}
    for s in states:
        clock = s["before"] == "before/step"
        state[s["before"]] = np.zeros(() if clock else (samples, *s["shape"]), s["type"])
    names = [output.name for output in engine.get_outputs()]
    rows = []
    for t in range(steps):
        row = dict(zip(names, engine.run(None, {k: v[:, t] for k, v in feed.items()} | state), strict=True))
        state = {s["before"]: row[s["after"]] for s in states}
        rows.append(row)
    return {name: np.stack([row[name] for row in rows], axis=1) for name in names if name != "after/step"}


@pytest.mark.parametrize("name", [*NETWORKS, *range(4)])
def test_steps_with_explicit_state_are_golden(name):
    network = random_network(name) if isinstance(name, int) else NETWORKS[name]()
    spikes = random_spikes(network, 1, samples=2, steps=8)
    golden = simulate(network, spikes, "golden", EVERYTHING)
    found = by_steps(step_model(network), {f"spikes/{k}": v.astype(bool) for k, v in spikes.items()})
    for population in network.populations:
        assert np.array_equal(found[f"s/{population.name}"], golden.spikes[population.name])
        for quantity, part in zip(("u", "v"), population.neuron.recorded, strict=True):
            expected = getattr(golden, quantity)[population.name]
            assert np.array_equal(found[f"after/{part}/{population.name}"].astype(np.int32), expected)


@pytest.mark.parametrize("name", ["byte weights", "ternary payloads", "encoder", "convolution", "sparse rows"])
def test_the_reference_implementation_of_onnx_agrees(name):
    network = NETWORKS[name]()
    spikes = random_spikes(network, 1, samples=2, steps=6)
    golden = simulate(network, spikes, "golden", EVERYTHING)
    feed = {f"spikes/{k}": v.astype(bool) for k, v in spikes.items()}
    proto = step_model(network)
    reference = ReferenceEvaluator(proto)
    engine = session(proto)
    state = {i.name: np.zeros([2, *i.shape[1:]], i.type[7:-1]) for i in engine.get_inputs() if "before/" in i.name}
    for t in range(6):
        names = reference.output_names
        row = dict(zip(names, reference.run(None, {k: v[:, t] for k, v in feed.items()} | state), strict=True))
        state = {name: row[name.replace("before/", "after/")] for name in state}
        for population in network.populations:
            assert np.array_equal(row[f"s/{population.name}"], golden.spikes[population.name][:, t])


@pytest.mark.parametrize("name", [*NETWORKS, 0, 1])
def test_integers_only_is_the_same_without_floating_point(name):
    network = random_network(name) if isinstance(name, int) else NETWORKS[name]()
    spikes = random_spikes(network, 1, samples=2, steps=8)
    proto = scan_model(network, Options(integers_only=True), EVERYTHING)
    floats = {onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE}
    casts = [a.i for node in every_node(proto.graph) if node.op_type == "Cast" for a in node.attribute]
    assert not floats & {*casts, *(tensor.data_type for tensor in proto.graph.initializer)}
    names = [output.name for output in proto.graph.output]
    found = session(proto).run(names, {f"spikes/{k}": v.astype(bool) for k, v in spikes.items()})
    golden = simulate(network, spikes, "golden", EVERYTHING)
    tables = {"s": golden.spikes, "u": golden.u, "v": golden.v}
    for name, values in zip(names, found, strict=True):
        assert np.array_equal(values, tables[name[0]][name[2:]])


def every_node(graph):
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from every_node(attribute.g)


def operations(name, **options) -> set[str]:
    return {node.op_type for node in every_node(scan_model(NETWORKS[name](), Options(**options)).graph)}


def test_networks_reach_every_kernel():
    assert "MatMulInteger" in operations("byte weights")
    assert "ConvInteger" in operations("convolution", integers_only=True)
    assert "Conv" in operations("convolution")
    assert {"MatMul", "Slice"} <= operations("convolution beyond float32")
    assert "CumSum" in operations("sparse rows")
    types = [types_of(name) for name in ("wide weights", "weights beyond float32")]
    assert [sorted(t & {"FLOAT", "DOUBLE"}) for t in types] == [["FLOAT"], ["DOUBLE"]]
    assert set(KERNELS) == {Dense, Convolution, Sparse}


def types_of(name) -> set[str]:
    proto = scan_model(NETWORKS[name]())
    casts = [a.i for node in every_node(proto.graph) if node.op_type == "Cast" for a in node.attribute]
    return {onnx.TensorProto.DataType.Name(cast) for cast in casts}


def test_models_are_standard_and_say_what_they_are():
    network = random_network(5)
    for build, form in ((scan_model, "scan"), (step_model, "step")):
        proto = build(network)
        onnx.checker.check_model(proto, full_check=True)
        assert [(opset.domain, opset.version) for opset in proto.opset_import] == [("", 21)]
        assert not [node for node in every_node(proto.graph) if node.domain]
        entries = {entry.key: entry.value for entry in proto.metadata_props}
        assert entries["neurodeploy.form"] == form
        assert entries["neurodeploy.format"] == "1"
        assert json.loads(entries["neurodeploy.outputs"]) == ["c"]
        assert json.loads(entries["neurodeploy.latencies"]) == {p.name: p.latency for p in network.populations}


def test_scan_has_free_axes_and_the_names_of_recordings():
    proto = scan_model(random_network(5), record=("v",))
    assert [value.name for value in proto.graph.input] == ["spikes/input"]
    assert [value.name for value in proto.graph.output] == ["s/a", "s/b", "s/c", "v/a", "v/b", "v/c"]
    axes = [axis.dim_param for axis in proto.graph.input[0].type.tensor_type.shape.dim[:2]]
    assert axes == ["samples", "steps"]


def test_same_network_same_bytes():
    for build in (scan_model, step_model):
        first, second = (build(random_network(7)).SerializeToString(deterministic=True) for _ in range(2))
        assert first == second


def test_weights_are_stored_in_as_few_bytes_as_they_need():
    proto = scan_model(NETWORKS["byte weights"]())
    assert max(tensor.ByteSize() for tensor in proto.graph.initializer) < 5 * 6 + 64


def test_what_one_file_cannot_hold_is_refused(monkeypatch):
    monkeypatch.setattr(model, "_LARGEST", 100)
    with pytest.raises(Unsupported, match=r"network: its weights take [\d,]+ bytes, an ONNX file holds 100; cut it"):
        scan_model(random_network(0))


def test_unknown_payload_is_wrong_use():
    with pytest.raises(UsageError, match="'float' is no element type; one of bool, uint8, int8, int32, int64"):
        scan_model(random_network(0), Options("float"))

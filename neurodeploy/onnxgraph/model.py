"""An integer network as an ONNX model: one step with explicit state, or all steps of a sample in a Scan.

Inputs and outputs bear the names that event files and recordings use.

==================  ==========================================  =================================================
model               inputs                                      outputs
==================  ==========================================  =================================================
:func:`step_model`  ``spikes/PORT`` [samples, *shape],          ``s/POPULATION`` [samples, *shape], and each
                    ``before/STATE`` as ``STATES`` lists them   state after the step as ``after/STATE``
:func:`scan_model`  ``spikes/PORT`` [samples, steps, *shape]    ``s/POPULATION`` (``u/``, ``v/`` on request)
                                                                [samples, steps, *shape]
==================  ==========================================  =================================================

State is 0 before the first step of a sample. Time is that of the input, as in :mod:`neurodeploy.network`: nothing has
to be shifted. Both models use operations of the ONNX standard alone, of opset 21.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

import numpy as np

from neurodeploy.errors import Unsupported, UsageError
from neurodeploy.network import Network, Shape
from neurodeploy.onnxgraph.body import Body, Options, Variable, emit_step, variables
from neurodeploy.onnxgraph.emitter import Emitter, Value
from neurodeploy.onnxgraph.package import IR_VERSION, OPSET, require_onnx
from neurodeploy.onnxgraph.signals import PAYLOADS, sent_type

#: Version of the names and metadata of these files.
FORMAT = 1
#: Metadata entry that says which model it is: ``step`` or ``scan``.
FORM = "neurodeploy.form"
#: Metadata entry of a step model: a JSON list of {before, after, type, shape}; shapes without the samples.
STATES = "neurodeploy.states"

_SAMPLES, _STEPS = "samples", "steps"
#: Protocol buffers end at 2 GiB; this leaves room for the nodes.
_LARGEST = (1 << 31) - (1 << 24)


def step_model(network: Network, options: Options | None = None) -> Any:
    """Return one step of ``network`` as an ``onnx.ModelProto``.

    Raises
    ------
    BackendMissing : onnx is not installed.
    Unsupported : the weights exceed what one ONNX file holds.
    """
    options = _checked(options)
    emit = Emitter()
    remembered = variables(network, options)
    ports = {port.name: emit.reserve(f"spikes/{port.name}") for port in network.ports}
    before = {variable.name: emit.reserve(f"before/{variable.name}") for variable in remembered}
    after = {variable.name: emit.reserve(f"after/{variable.name}") for variable in remembered}
    sent = {population.name: emit.reserve(f"s/{population.name}") for population in network.populations}
    body = emit_step(emit, network, options, dict(ports), dict(before))
    for name, output in sent.items():
        emit.name(body.sent[name], output)
    for name, output in after.items():
        emit.name(body.after[name], output)
    inputs = _declared_ports(emit, network, options, (_SAMPLES,))
    outputs = [_declare_sent(emit, network, options, name, (_SAMPLES,)) for name in sent]
    inputs += [_declare(emit, before[v.name], v) for v in remembered]
    outputs += [_declare(emit, after[v.name], v) for v in remembered]
    states = [
        {"before": before[v.name], "after": after[v.name], "type": v.dtype.name, "shape": list(v.shape)}
        for v in remembered
    ]
    return _model(emit, network, "step", inputs, outputs, {STATES: json.dumps(states)})


def scan_model(network: Network, options: Options | None = None, record: Collection[str] = ("s",)) -> Any:
    """Return all steps of ``network`` as an ``onnx.ModelProto``: a Scan over an axis of any length.

    Parameters
    ----------
    record : any of "u" and "v", int32, beside the spikes of every population; "wraps" and "clips" are int32
        [samples, steps], how many of its neurons wrapped a register and saturated in a step.

    Raises
    ------
    BackendMissing, Unsupported : as :func:`step_model`.
    """
    options = _checked(options)
    emit = Emitter()
    remembered = variables(network, options)
    inputs = _declared_ports(emit, network, options, (_SAMPLES, _STEPS))
    ports = [emit.reserve(declared.name) for declared in inputs]
    letters = [letter for letter in ("s", "u", "v", "wraps", "clips") if letter == "s" or letter in record]
    names = [emit.reserve(f"{letter}/{p.name}") for letter in letters for p in network.populations]
    body, kept = _scan_body(emit, network, options, names)
    emit.scope = "start"
    start = [_start(emit, ports[0], variable) for variable in remembered]
    ends = [emit.reserve(f"last/{variable.name}") for variable in remembered]
    onnx = require_onnx()
    emit.nodes.append(
        onnx.helper.make_node(
            "Scan",
            [*start, *ports],
            [*ends, *names],
            "steps",
            num_scan_inputs=len(ports),
            scan_input_axes=[1] * len(ports),
            scan_output_axes=[1] * len(names),
            body=body,
        )
    )
    outputs = [emit.typed(name, dtype, (_SAMPLES, _STEPS, *shape)) for name, dtype, shape in kept]
    return _model(emit, network, "scan", inputs, outputs, {})


def _scan_body(emit: Emitter, network: Network, options: Options, names: list[str]) -> tuple[Any, list[Any]]:
    """Return the graph of one step, and (name, type, shape) of each of ``names`` that it records."""
    inner = Emitter(emit)
    remembered = variables(network, options)
    before = {v.name: inner.reserve(f"before/{v.name}") for v in remembered}
    after = {v.name: inner.reserve(f"after/{v.name}") for v in remembered}
    ports = {port.name: inner.reserve(f"now/{port.name}") for port in network.ports}
    body = emit_step(inner, network, options, dict(ports), dict(before))
    for name, output in after.items():
        inner.name(body.after[name], output)
    inner.scope = "recorded"
    kept = []
    outputs = [_declare(inner, after[v.name], v) for v in remembered]
    for name in names:
        dtype, value, shape = _recorded(inner, network, options, body, name)
        outputs.append(inner.typed(inner.name(value, inner.reserve(f"now/{name}")), dtype, (_SAMPLES, *shape)))
        kept.append((name, dtype, shape))
    inputs = [_declare(inner, before[v.name], v) for v in remembered]
    for port in network.ports:
        inputs.append(inner.typed(ports[port.name], np.dtype(options.payload), (_SAMPLES, *port.shape)))
    return require_onnx().helper.make_graph(inner.nodes, "step", inputs, outputs), kept


def _recorded(
    emit: Emitter, network: Network, options: Options, body: Body, name: str
) -> tuple[np.dtype[np.generic], Value, Shape]:
    """Return type, value and shape in one step and sample of what is recorded as ``name``."""
    letter, _, population = name.partition("/")
    shape = network.by_name[population].shape
    if letter == "s":
        return sent_type(network, population, options.payload), body.sent[population], shape
    number = np.dtype(np.int32)
    if letter in ("u", "v"):
        return number, emit.cast(body.recorded[name], number), shape
    cells = emit.constant(range(1, 1 + len(shape)), np.int64)
    return number, emit.op("ReduceSum", emit.cast(body.over[name](), number), cells, keepdims=0), ()


def _start(emit: Emitter, port: Value, variable: Variable) -> Value:
    """Return the state before the first step: zeros for as many samples as the input has."""
    if variable.scalar:
        return emit.constant(np.zeros((), variable.dtype), variable.dtype)
    samples = emit.op("Shape", port, start=0, end=1)
    shape = emit.op("Concat", samples, emit.constant(variable.shape, np.int64), axis=0) if variable.shape else samples
    zero = require_onnx().numpy_helper.from_array(np.zeros(1, variable.dtype))
    return emit.op("ConstantOfShape", shape, value=zero)


def _declared_ports(emit: Emitter, network: Network, options: Options, axes: tuple[str, ...]) -> list[Any]:
    dtype = np.dtype(options.payload)
    return [emit.typed(f"spikes/{port.name}", dtype, (*axes, *port.shape)) for port in network.ports]


def _declare_sent(emit: Emitter, network: Network, options: Options, name: str, axes: tuple[str, ...]) -> Any:
    dtype = sent_type(network, name, options.payload)
    return emit.typed(f"s/{name}", dtype, (*axes, *network.by_name[name].shape))


def _declare(emit: Emitter, name: str, variable: Variable) -> Any:
    return emit.typed(name, variable.dtype, () if variable.scalar else (_SAMPLES, *variable.shape))


def _model(
    emit: Emitter, network: Network, form: str, inputs: list[Any], outputs: list[Any], metadata: dict[str, str]
) -> Any:
    """Put a graph and what is known about it together, and let onnx check it."""
    onnx = require_onnx()
    size = sum(tensor.ByteSize() for tensor in emit.constants)
    if size > _LARGEST:
        raise Unsupported(
            "network", f"its weights take {size:,} bytes, an ONNX file holds {_LARGEST:,}", "cut it into parts"
        )
    graph = onnx.helper.make_graph(emit.nodes, "network", inputs, outputs, emit.constants)
    opset = onnx.helper.make_opsetid("", OPSET)
    model = onnx.helper.make_model(graph, opset_imports=[opset], producer_name="neurodeploy")
    model.ir_version = IR_VERSION
    latencies = {population.name: population.latency for population in network.populations}
    entries = {
        "neurodeploy.format": str(FORMAT),
        FORM: form,
        "neurodeploy.target": network.target,
        "neurodeploy.dt": repr(network.dt),
        "neurodeploy.outputs": json.dumps(list(network.outputs)),
        "neurodeploy.latencies": json.dumps(latencies),
        **metadata,
    }
    onnx.helper.set_model_props(model, entries)
    onnx.checker.check_model(model)
    return model


def _checked(options: Options | None) -> Options:
    options = options or Options()
    if options.payload not in PAYLOADS:
        raise UsageError("payload", f"{options.payload!r} is no element type", f"one of {', '.join(PAYLOADS)}")
    return options

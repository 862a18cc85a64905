"""The temporal difference of STSep in a Graph: spikes, and what was sent one step ago with the sign turned.

``W d[t] = W s[t] - W s[t-1]``: the kernel acts twice, the second time negated and behind a Delay of one step. A delay
line is empty at first, so this is ``d[0] = s[0]``, which is what the boundary ``history`` asks for. For the boundary
``zero``, ``d[0] = 0``, the undelayed spikes pass relays that are closed in the first step of a sample::

    awake[t] = 1                            neurons that a constant drives above threshold in every step
    relay[t] = [s[t] + awake[t-1] > 3/2]    nothing came before the first step, so no relay fires in it

which discards the difference of step 0 exactly, whatever stands before or behind it; relays cost one neuron and two
synapses a source neuron, and one hop on a chip. Priming the delay with the first frame instead, by showing it twice,
would charge neurons with memory and shift the blocks behind. A difference of values that are linear in spikes is taken
of the spikes, and constants cancel.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from neurodeploy.errors import Unsupported
from neurodeploy.export.joining import PLACES
from neurodeploy.export.recorder import Recorder, Value
from neurodeploy.export.spiking import forgetful
from neurodeploy.graph import (
    BatchNorm,
    Convolution,
    Delay,
    Linear,
    Neuron,
    Node,
    Pool,
    Scale,
    Shape,
    frozen_array,
)
from neurodeploy.models.stsep.difference import Difference


class Differences:
    """What a trace makes of every :class:`Difference` of a network; sources that several share are relayed once."""

    def __init__(self) -> None:
        self._awake: dict[Shape, str] = {}
        self._relays: dict[str, str] = {}
        self._before: dict[tuple[str, float], str] = {}

    def __call__(self, recorder: Recorder, module: Difference, name: str, value: Value) -> Value:
        """Add the nodes of one difference and return what it answers.

        Raises
        ------
        Unsupported : it is of values that no spikes make up, or it needs a constant in the first step only.
        """
        if module.rectify:
            return self._rectified(recorder, module, name, value)
        return Value(tuple(self._terms(recorder, module, name, value.sources)), value.shape)

    def _terms(self, recorder: Recorder, module: Difference, name: str, sources: tuple[str, ...]) -> list[str]:
        found: list[str] = []
        for source in sources:
            node = recorder.node_of(source)
            if _spike(recorder, source) is not None:
                now = source if module.history else self._relay(recorder, source)
                found += [now, self._earlier(recorder, source, -1.0)]
            elif type(node) in _LINEAR:
                inner = self._terms(recorder, module, name, recorder.sources_of(source))
                moved = Value(tuple(inner), ())
                found.append(recorder.insert("of", _without_constant(node, name, history=module.history), moved))
            else:
                raise _no_spikes(name, source, node)
        return found

    def _rectified(self, recorder: Recorder, module: Difference, name: str, value: Value) -> Value:
        """Add the two populations of what appears and of what disappears, the one's channels before the other's."""
        (source,) = value.sources if len(value.sources) == 1 else ("",)
        spike = _spike(recorder, source) if source else None
        if spike is None:
            problem = "rectifies the difference of sums of spikes, which are more than 0 and 1"
            raise Unsupported(name, problem, "train with model.rectify = false, or model.shortcut = 'membrane'")
        gate = () if module.history else (self._gate(recorder, source, spike),)
        least = 0.5 * spike if module.history else 1.5 * spike
        neurons = (
            forgetful(value.shape, recorder.dt, least, spike=spike),
            forgetful(value.shape, recorder.dt, spike / 2),
        )
        came = Value((source, self._earlier(recorder, source, -1.0), *gate), value.shape)
        went = Value((self._turned(recorder, source), self._earlier(recorder, source, 1.0)), value.shape)
        total, channels = 2 * value.shape[0], value.shape[0]
        placed = []
        for place, (label, neuron, given) in enumerate(
            zip(("appears", "disappears"), neurons, (came, went), strict=True)
        ):
            node = recorder.insert(label, neuron, given)
            matrix = frozen_array(np.eye(total, channels, -place * channels, dtype=np.float32))
            placed.append(recorder.insert("place", PLACES[len(value.shape)](matrix), Value((node,), value.shape)))
        return Value(tuple(placed), (total, *value.shape[1:]))

    def _earlier(self, recorder: Recorder, source: str, sign: float) -> str:
        """Return the node that answers what ``source`` sent one step ago, times ``sign``."""
        if (source, sign) not in self._before:
            shape = recorder.shape_of(source)
            late = recorder.insert("delay", Delay(frozen_array(recorder.dt)), Value((source,), shape))
            self._before[source, sign] = recorder.insert("earlier", Scale(frozen_array(sign)), Value((late,), shape))
        return self._before[source, sign]

    def _turned(self, recorder: Recorder, source: str) -> str:
        return recorder.insert("turned", Scale(frozen_array(-1.0)), Value((source,), recorder.shape_of(source)))

    def _relay(self, recorder: Recorder, source: str) -> str:
        """Return the population that repeats ``source`` from the second step on."""
        if source not in self._relays:
            spike, shape = _spike(recorder, source), recorder.shape_of(source)
            assert spike is not None
            both = Value((source, self._gate(recorder, source, spike)), shape)
            neuron = forgetful(shape, recorder.dt, 1.5 * spike, spike=spike)
            self._relays[source] = recorder.insert("relay", neuron, both)
        return self._relays[source]

    def _gate(self, recorder: Recorder, source: str, spike: float) -> str:
        """Return the node that answers ``spike`` in every step but the first, in the shape of ``source``."""
        shape = recorder.shape_of(source)
        key = (1, *shape[1:])
        if key not in self._awake:
            driven = recorder.insert("drive", _pointwise(np.zeros((1, shape[0])), 1.0), Value((source,), shape))
            neuron = forgetful(key, recorder.dt, 0.5)
            self._awake[key] = recorder.insert("awake", neuron, Value((driven,), key))
            recorder.note(
                f"{self._awake[key]}: fires in every step and is heard one step late, so that the first difference of "
                "a sample is 0; train with model.boundary = 'history' to do without it and its relays"
            )
        late = recorder.insert("delay", Delay(frozen_array(recorder.dt)), Value((self._awake[key],), key))
        return recorder.insert("gate", _pointwise(np.full((shape[0], 1), spike), None), Value((late,), key))


def _spike(recorder: Recorder, name: str) -> float | None:
    """Return what a spike of a node is worth that answers single spikes, None for any other."""
    node = recorder.node_of(name)
    if isinstance(node, Pool) and node.kind == "max":
        sources = recorder.sources_of(name)
        return _spike(recorder, sources[0]) if len(sources) == 1 else None
    if isinstance(node, Neuron) and node.spiking and node.semantics.fire != "floor-multi":
        return node.semantics.spike_scale
    return None


def _no_spikes(name: str, source: str, node: Node) -> Unsupported:
    problem = f"is a difference of what {source!r} answers, a {type(node).__name__}, which sends no single spikes"
    return Unsupported(name, problem, "let the difference be of spikes: model.difference = 'input'")


def _without_constant(node: Node, name: str, *, history: bool) -> Node:
    constant, linear = _LINEAR[type(node)](node)
    if history and constant:
        problem = "is a difference behind a constant, which would have to act in the first step alone"
        advice = "train with model.boundary = 'zero', or model.difference = 'input'"
        raise Unsupported(name, problem, advice)
    return linear


def _of_synapse(node: Linear | Convolution) -> tuple[bool, Node]:
    return node.bias is not None and bool(np.any(node.bias)), replace(node, bias=None)


def _of_norm(node: BatchNorm) -> tuple[bool, Node]:
    still = replace(node, mean=frozen_array(np.zeros_like(node.mean)), bias=frozen_array(np.zeros_like(node.bias)))
    return bool(np.any(node.mean) or np.any(node.bias)), still


#: Type of a node that is linear but for a constant -> (whether it adds one, the node without it).
_LINEAR: Mapping[type, Callable[[Any], tuple[bool, Node]]] = {
    Linear: _of_synapse,
    Convolution: _of_synapse,
    BatchNorm: _of_norm,
    Scale: lambda node: (False, node),
}


def _pointwise(matrix: Any, bias: float | None) -> Convolution:
    ones, weight = (1, 1), matrix.astype(np.float64)[:, :, np.newaxis, np.newaxis]
    shift = None if bias is None else frozen_array(np.full(len(matrix), bias))
    return Convolution(frozen_array(weight), shift, ones, ((0, 0), (0, 0)), ones)

"""One step of a whole network in ONNX operations: spikes and state in, spikes and state out."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import numpy as np

from neurodeploy.network import Network, Population, Projection, Shape
from neurodeploy.onnxgraph.arithmetic import Width, total
from neurodeploy.onnxgraph.emitter import Emitter, Value
from neurodeploy.onnxgraph.models import MODELS
from neurodeploy.onnxgraph.signals import Signal, sent_type
from neurodeploy.onnxgraph.step import Flags, Step
from neurodeploy.onnxgraph.synapses import arriving

#: Counts the steps of a sample, where populations are cleared on a schedule.
CLOCK = "step"


@dataclass(frozen=True)
class Options:
    """How a network is written.

    Attributes
    ----------
    payload : element type of the ports, a key of :data:`neurodeploy.onnxgraph.signals.PAYLOADS`.
    integers_only : use no floating point; slower, and exact on every runtime.
    """

    payload: str = "bool"
    integers_only: bool = False


@dataclass(frozen=True)
class Variable:
    """Something remembered from step to step: [samples, *shape], or one number for the clock."""

    name: str
    dtype: np.dtype[np.generic]
    shape: Shape
    scalar: bool = False


@dataclass
class Body:
    """The values of one step, by the names under which a recording or a state knows them.

    ``over`` emits bool [samples, *shape] of what wrapped ("wraps/POPULATION") and saturated ("clips/POPULATION").
    """

    after: dict[str, Value] = field(default_factory=dict)
    sent: dict[str, Value] = field(default_factory=dict)
    recorded: dict[str, Value] = field(default_factory=dict)
    over: dict[str, Flags] = field(default_factory=dict)


def variables(network: Network, options: Options) -> list[Variable]:
    """Return what a step remembers: states of populations, spikes that are still on their way, the clock."""
    found = []
    for population in network.populations:
        model = MODELS[type(population.neuron)]
        width = np.dtype(model.width(network, population, options.payload))
        for state in model.carried(population.neuron):
            found.append(Variable(f"{state}/{population.name}", width, population.shape))
    for source, depth in _depths(network).items():
        dtype = sent_type(network, source, options.payload)
        found.append(Variable(f"sent/{source}", dtype, (depth, *network.by_name[source].shape)))
    if network.reset_interval:
        found.append(Variable(CLOCK, np.dtype(np.int64), (), scalar=True))
    return found


def _depths(network: Network) -> dict[str, int]:
    """Return for every source of a projection with lag how many steps of its spikes are kept."""
    lags = {source: max(map(network.lag, network.out_of(source)), default=0) for source in network.by_name}
    return {source: lag for source, lag in lags.items() if lag}


def emit_step(
    emit: Emitter, network: Network, options: Options, ports: dict[str, Value], before: dict[str, Value]
) -> Body:
    """Emit one step.

    Parameters
    ----------
    ports : port -> its spikes in this step, [samples, *shape].
    before : name of each of :func:`variables` -> its value before the step.
    """
    return _Writer(emit, network, options, ports, before).result()


class _Writer:
    """One walk over the populations in the order in which they depend on each other."""

    def __init__(
        self, emit: Emitter, network: Network, options: Options, ports: dict[str, Value], before: dict[str, Value]
    ) -> None:
        self.emit, self.network, self.options, self.before = emit, network, options, before
        self.body = Body(sent=dict(ports))

    def result(self) -> Body:
        for population in self.network.order:
            self.emit.scope = population.name
            self._population(population)
        for source in _depths(self.network):
            self.emit.scope = f"sent/{source}"
            self.body.after[f"sent/{source}"] = self._remember(source)
        if self.network.reset_interval:
            self.body.after[CLOCK] = self.emit.op("Add", self.before[CLOCK], self.emit.constant(1, np.int64))
        return self.body

    def _population(self, population: Population) -> None:
        emit, name, neuron = self.emit, population.name, population.neuron
        model = MODELS[type(neuron)]
        width = model.width(self.network, population, self.options.payload)
        state = {s: self.before[f"{s}/{name}"] for s in model.carried(neuron)}
        if self.network.reset_interval:
            state = {s: self._cleared(value, self.network.reset_phases[name], width) for s, value in state.items()}
        sums = [self._sum(population, part, width) for part in range(neuron.inputs)]
        emit.scope = name
        result: Step = model.step(emit, neuron, state, sums, width)
        self.body.sent[name] = result.sent
        self.body.after |= {f"{s}/{name}": value for s, value in result.state.items()}
        for quantity, part in zip(("u", "v"), neuron.recorded, strict=True):
            self.body.recorded[f"{quantity}/{name}"] = result.state[part]
        never = partial(self._never, self.body.recorded[f"v/{name}"])
        self.body.over |= {f"wraps/{name}": result.wrapped or never, f"clips/{name}": result.clipped or never}

    def _never(self, value: Value) -> Value:
        return self.emit.op("Less", value, value)

    def _cleared(self, value: Value, phase: int, width: Width) -> Value:
        """Return 0 in the steps in which a scheduled reset falls, else the value."""
        emit = self.emit
        place = emit.op("Mod", self.before[CLOCK], emit.constant(self.network.reset_interval, np.int64))
        due = emit.op("Equal", place, emit.constant(phase, np.int64))
        return emit.op("Where", due, emit.constant(0, width), value)

    def _sum(self, population: Population, part: int, width: Width) -> Value | None:
        """Return what arrives at one input of a population."""
        terms = []
        for projection in self.network.into(population.name):
            if int(projection.imaginary) == part:
                self.emit.scope = projection.name
                terms.append(self._arriving(projection, population, width))
        return total(self.emit, *terms)

    def _arriving(self, projection: Projection, population: Population, width: Width) -> Value:
        source = projection.source
        signal = Signal(
            self._sent(source, self.network.lag(projection)),
            self.network.by_name[source].shape,
            sent_type(self.network, source, self.options.payload),
        )
        only = self.options.integers_only
        return arriving(self.emit, projection, signal, population.shape, width, integers_only=only)

    def _sent(self, source: str, lag: int) -> Value:
        """Return what ``source`` sent ``lag`` steps ago."""
        if lag == 0:
            return self.body.sent[source]
        return self.emit.op("Gather", self.before[f"sent/{source}"], self.emit.constant(lag - 1, np.int64), axis=1)

    def _remember(self, source: str) -> Value:
        """Return the spikes on their way after this step, the newest first, [samples, depth, *shape]."""
        emit = self.emit
        kept = self.before[f"sent/{source}"]
        newest = emit.op("Unsqueeze", self.body.sent[source], emit.constant([1], np.int64))
        depth = _depths(self.network)[source]
        if depth == 1:
            return newest
        bounds = (emit.constant([bound], np.int64) for bound in (0, depth - 1, 1))
        return emit.op("Concat", newest, emit.op("Slice", kept, *bounds), axis=1)

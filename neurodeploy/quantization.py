"""From the float graph to the integers of a chip, with the error of every value and the peaks of every register.

A population is quantized in one piece: the gain of its membrane, the synaptic gain and the payload of its sources fold
into its weights (float64), then :mod:`neurodeploy.scaling` finds one scale for all of them. Calibration runs the
integer network on real samples; where a current wrapped or a membrane saturated, that population's scale is halved and
the run repeated. What the chip cannot express is refused with the node's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy import network as net
from neurodeploy.approximation import approximated
from neurodeploy.audit import Values, account
from neurodeploy.calibration import Peaks, Spikes, calibrate
from neurodeploy.connections import connection
from neurodeploy.errors import InputError
from neurodeploy.expressible import require_expressible
from neurodeploy.graph import Graph, Input, Neuron
from neurodeploy.membrane import FloatPopulation, approximations, fold
from neurodeploy.neurons import Lif
from neurodeploy.passes.lower import lower
from neurodeploy.passes.two_axes import two_axes
from neurodeploy.scaling import Scaling, choose_scaling, round_bias, round_decay, round_threshold, round_weights
from neurodeploy.targets.chip import Chip, Formats
from neurodeploy.wiring import Synapse, delay, latencies, synapses

Calibration = Spikes | Mapping[str, Spikes]

#: A population whose registers still leave their range after this many halvings is reported as it is.
MAX_HEADROOM = 16


@dataclass(frozen=True, eq=False)
class Quantization:
    """An integer network and the account of how it came about; ``peaks`` is empty without calibration."""

    network: net.Network
    values: tuple[Values, ...]
    peaks: Mapping[str, Peaks]


def quantize(
    graph: Graph, chip: Chip, calibration: Calibration | None = None, *, approximate_reset: bool = False
) -> net.Network:
    """Return the integer network of ``graph`` in the number formats of ``chip``.

    Parameters
    ----------
    calibration : spikes of real samples as :func:`neurodeploy.simulation.simulate` takes them; without them no register
        is checked against its range.
    approximate_reset : give neurons whose reset the chip lacks the nearest one it has, instead of refusing them; what
        that changes is measured on the calibration samples and told in the notes.

    Raises
    ------
    Unsupported : the chip cannot express a node; the message names it and the choices.
    """
    return quantization(graph, chip, calibration, approximate_reset=approximate_reset).network


def quantization(
    graph: Graph, chip: Chip, calibration: Calibration | None = None, *, approximate_reset: bool = False
) -> Quantization:
    """Return the integer network together with every value's error and the peaks seen in calibration."""
    if not approximate_reset:
        return _quantization(graph, chip, calibration)
    graph, changes = approximated(graph, chip, calibration)
    result = _quantization(graph, chip, calibration)
    provenance = {**result.network.provenance, "approximation": [change.as_dict() for change in changes]}
    return replace(result, network=replace(result.network, provenance=provenance))


def _quantization(graph: Graph, chip: Chip, calibration: Calibration | None) -> Quantization:
    lowered = two_axes(lower(graph))
    paths = synapses(lowered)
    require_expressible(lowered, chip)
    populations = [fold(lowered, name, paths) for name in lowered.order() if name in set(lowered.of_type(Neuron))]
    if not populations:
        raise InputError("graph", "holds no neurons", "give the network with its neurons")
    headroom = dict.fromkeys((p.name for p in populations), 0)
    while True:
        result = _build(lowered, chip, populations, headroom)
        if calibration is None:
            return result
        peaks = calibrate(result.network, calibration)
        over = [name for name, peak in peaks.items() if (peak.wraps or peak.clips) and headroom[name] < MAX_HEADROOM]
        if not over:
            network = replace(result.network, provenance=_with_peaks(result.network.provenance, peaks))
            return Quantization(network, result.values, peaks)
        for name in over:
            headroom[name] += 1


def _build(graph: Graph, chip: Chip, populations: list[FloatPopulation], headroom: Mapping[str, int]) -> Quantization:
    formats = chip.formats
    paths = [path for population in populations for path in population.paths]
    late = latencies(graph, paths)
    values: list[Values] = []
    made: list[net.Population] = []
    projections: list[net.Projection] = []
    table: list[dict[str, Any]] = []
    for population in populations:
        positive = population.threshold[population.threshold > 0]
        scaling = choose_scaling(
            [w for w in population.weights if w.any()],
            float(positive.min(initial=np.inf)) if positive.size else 1.0,
            float(population.threshold.max()),
            formats,
            headroom[population.name],
        )
        neuron, own = _neuron(population, scaling, formats)
        made.append(net.Population(population.name, population.shape, neuron, late[population.name], scaling.scale))
        for place, path in enumerate(population.paths):
            projection, before_after = _projection(population, place, path, scaling, formats, late)
            projections.append(projection)
            own.append(before_after)
        values += own
        table.append(account(population.name, int(np.prod(population.shape)), neuron, scaling, own))
    network = net.Network(
        ports=tuple(net.Port(name, node.shape) for name, node in graph.nodes.items() if isinstance(node, Input)),
        populations=tuple(made),
        projections=tuple(projections),
        outputs=tuple(dict.fromkeys(source for name in graph.outputs for source in graph.sources(name))),
        dt=graph.dt,
        target=chip.name,
        provenance={"quantization": table, "notes": [*graph.notes, *approximations(populations), *_coarse(made)]},
    )
    return Quantization(network, tuple(values), {})


def _neuron(population: FloatPopulation, scaling: Scaling, formats: Formats) -> tuple[Lif, list[Values]]:
    step, scale = population.step, scaling.scale
    threshold = round_threshold(population.threshold, scale, strict=step.semantics.fire != ">=")
    bursts = population.spiking and step.semantics.fire == "floor-multi"
    if bursts:
        threshold = np.maximum(threshold, 1)  # one of 0 fits into any membrane without end
    kept_current = np.zeros(()) if step.beta is None else step.beta
    current_decay, voltage_decay = round_decay(kept_current, formats), round_decay(step.alpha, formats)
    bias, exponent = round_bias(population.bias, scale, formats)
    neuron = Lif(
        threshold=_compact(threshold),
        current_decay=_compact(current_decay),
        voltage_decay=_compact(voltage_decay),
        bias=_compact(bias),
        bias_exponent=exponent,
        reset="burst"
        if bursts
        else "subtract"
        if population.spiking and step.semantics.reset == "subtract"
        else "zero",
        spiking=population.spiking,
        lowest=-_compact(threshold) if bursts and step.v_floor is not None else None,
    )
    name = population.name
    return neuron, [
        Values(name, "threshold", population.threshold, threshold, threshold / scale),
        Values(name, "current_decay", 1 - kept_current, current_decay, current_decay / formats.decay_one),
        Values(name, "voltage_decay", 1 - step.alpha, voltage_decay, voltage_decay / formats.decay_one),
        Values(name, "bias", population.bias, bias, np.asarray(bias * 2.0**exponent / (64 * scale))),
    ]


def _coarse(populations: list[net.Population]) -> list[str]:
    """Return a sentence for each population whose threshold kept so few units that its rounding is felt."""
    smallest = {p.name: int(p.neuron.arrays["threshold"].min()) for p in populations if not p.neuron.answers_by_state}
    return [
        f"{name}: its threshold is {n} units, rounded by up to {50 / max(n, 1):.0f} %"
        for name, n in smallest.items()
        if n < 50
    ]


def _compact(values: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return one number where all are equal, one a channel where each channel's are, else the array."""
    if (values == values.flat[0]).all():
        return np.array(values.flat[0])
    first = values.reshape(len(values), -1)[:, :1]
    if values.ndim > 1 and (values.reshape(len(values), -1) == first).all():
        return first.reshape(-1, *([1] * (values.ndim - 1)))
    return values


def _projection(
    population: FloatPopulation,
    place: int,
    path: Synapse,
    scaling: Scaling,
    formats: Formats,
    late: Mapping[str, int],
) -> tuple[net.Projection, Values]:
    integer = round_weights(population.weights[place], scaling.weight_scale, formats)
    projection = net.Projection(
        name=path.name,
        source=path.source,
        target=path.target,
        connection=connection(path.node, integer),
        weight_exponent=scaling.exponent,
        delay=delay(path, late, formats.delay_maximum),
        weight_bits=formats.weight_bits,
    )
    stored = net.stored_weights(projection.connection)
    kept = stored if stored.shape == integer.shape else integer  # a kernel may have been padded
    before = partial(population.weights.__getitem__, place)
    after = partial(np.divide, kept, scaling.weight_scale)
    return projection, Values(path.target, f"weight {path.name}", before, kept, after)


def _with_peaks(provenance: Mapping[str, Any], peaks: Mapping[str, Peaks]) -> dict[str, Any]:
    rows = [{**row, "calibration": peaks[row["name"]].as_dict()} for row in provenance["quantization"]]
    return {**provenance, "quantization": rows}

"""From the float graph to the integers of a chip, with the error of every value and the peaks of every register.

A population is quantized in one piece: the gain of its membrane, the synaptic gain and the payload of its sources fold
into its weights (float64), :mod:`neurodeploy.clipping` finds its scale and :mod:`neurodeploy.realization` rounds it.
With calibration samples the float network runs on some of them, and each population takes the plan that brings it
nearest to its float twin (:mod:`neurodeploy.candidates`); then the integer network runs on all of them. Where a current
wrapped or a membrane saturated, that population's scale is halved and the run repeated. What the chip cannot express is
refused with the node's name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy import network as net
from neurodeploy.approximation import approximated
from neurodeploy.assembly import assemble
from neurodeploy.audit import Values
from neurodeploy.calibration import Peaks, Spikes, calibrate, require_alive, require_weights
from neurodeploy.candidates import Bench, Candidate
from neurodeploy.choices import Choices
from neurodeploy.errors import InputError, UsageError
from neurodeploy.evidence import Evidence, observe
from neurodeploy.expressible import require_expressible
from neurodeploy.graph import Graph, Neuron
from neurodeploy.membrane import FloatPopulation, fold
from neurodeploy.mixed_precision import mixed
from neurodeploy.passes.lower import lower
from neurodeploy.passes.split_signs import split_signs
from neurodeploy.passes.two_axes import two_axes
from neurodeploy.realization import Realization, realize, with_headroom
from neurodeploy.registers import Reach, reaches
from neurodeploy.simulation import simulate
from neurodeploy.state_width import with_state_bits
from neurodeploy.targets.chip import Chip
from neurodeploy.widths import needs_split_signs
from neurodeploy.wiring import synapses

Calibration = Spikes | Mapping[str, Spikes]

#: A population whose registers still leave their range after this many halvings is reported as it is.
MAX_HEADROOM = 16


@dataclass(frozen=True, eq=False)
class Quantization:
    """An integer network and the account of how it came about.

    Attributes
    ----------
    values : every array before and after.
    peaks : population -> what the calibration samples did to its registers; empty without calibration.
    realized : every population in integers, with its plan.
    candidates : population -> what was measured of each plan tried; empty without calibration.
    bench : where the plans were measured, with what the float network did; None without calibration.
    """

    network: net.Network
    values: tuple[Values, ...]
    peaks: Mapping[str, Peaks]
    realized: tuple[Realization, ...] = ()
    candidates: Mapping[str, tuple[Candidate, ...]] = field(default_factory=dict)
    bench: Bench | None = None


def quantize(
    graph: Graph,
    chip: Chip,
    calibration: Calibration | None = None,
    choices: Choices | None = None,
    *,
    approximate_reset: bool = False,
) -> net.Network:
    """Return the integer network of ``graph`` in the number formats of ``chip``.

    Parameters
    ----------
    calibration : spikes of real samples as :func:`neurodeploy.simulation.simulate` takes them; without them nothing is
        measured, and no register is checked against its range.
    choices : bits, rounding, clipping, scales and budgets; what it leaves open is decided on the calibration samples.
    approximate_reset : give neurons whose reset the chip lacks the nearest one it has, instead of refusing them; what
        that changes is measured on the calibration samples and told in the notes.

    Raises
    ------
    Unsupported : the chip cannot express a node; the message names it and the choices.
    UsageError : choices that contradict the chip or each other, or need calibration samples.
    InputError : samples that do not fit, or a population that is dead in integers only.
    """
    return quantization(graph, chip, calibration, choices, approximate_reset=approximate_reset).network


def quantization(
    graph: Graph,
    chip: Chip,
    calibration: Calibration | None = None,
    choices: Choices | None = None,
    labels: npt.NDArray[Any] | None = None,
    *,
    approximate_reset: bool = False,
) -> Quantization:
    """Return the integer network together with every value's error and the peaks seen in calibration.

    Parameters
    ----------
    labels : classes of the samples, int [samples]; without them, budgets of accuracy count changed answers.
    """
    if not approximate_reset:
        return _quantization(graph, chip, calibration, choices or Choices(), labels)
    graph, changes = approximated(graph, chip, calibration)
    result = _quantization(graph, chip, calibration, choices or Choices(), labels)
    provenance = {**result.network.provenance, "approximation": [change.as_dict() for change in changes]}
    return replace(result, network=replace(result.network, provenance=provenance))


def _quantization(
    graph: Graph, chip: Chip, calibration: Calibration | None, choices: Choices, labels: npt.NDArray[Any] | None
) -> Quantization:
    lowered = two_axes(lower(graph))
    if needs_split_signs(chip, choices.bits(chip)):
        lowered = split_signs(lowered)
    paths = synapses(lowered)
    require_expressible(lowered, chip)
    populations = [fold(lowered, name, paths) for name in lowered.order() if name in set(lowered.of_type(Neuron))]
    if not populations:
        raise InputError("graph", "holds no neurons", "give the network with its neurons")
    first = [realize(p, choices.first(p, chip), chip.formats) for p in populations]
    if calibration is None:
        if choices.measured:
            raise UsageError("choices", "ask for what calibration samples decide", "give --calibrate data.npz")
        _require_weights(first, choices)
        network = with_state_bits(assemble(lowered, chip, first), chip.formats.state_bits)
        return Quantization(network, _values(first), {}, tuple(first))
    evidence = observe(lowered, populations, calibration, labels)
    bench = Bench(lowered, assemble(lowered, chip, first), chip, evidence)
    chosen, candidates = _chosen(first, bench, choices, lambda made: _loss(assemble(lowered, chip, made), evidence))
    made, network, peaks = _within_range(lowered, bench, chosen, calibration, choices)
    rates = _float_rates(populations, evidence)
    _require_weights(made, choices)
    if not choices.allow_dead:
        require_alive(peaks, rates)
    network = with_state_bits(network, chip.formats.state_bits)
    proofs = _proofs(network, evidence) if choices.ranges == "every-input" else []
    network = replace(network, provenance=_with_peaks(network.provenance, peaks, rates, proofs))
    return Quantization(network, _values(made), peaks, tuple(made), candidates, bench)


def _chosen(
    first: Sequence[Realization], bench: Bench, choices: Choices, loss: Callable[[Sequence[Realization]], float]
) -> tuple[list[Realization], dict[str, tuple[Candidate, ...]]]:
    """Return every population by its best plan, and what was measured."""
    if choices.weight_bits == "auto":
        first = mixed(first, bench, choices, loss)
    contests = []
    for realized in first:
        plans = choices.plans(realized.population, bench.chip, realized.plan.bits)
        contests.append(bench.contest(realized, plans))
    refined = bench.refined(contests)
    names = [realized.population.name for realized in first]
    return [c.winner for c in refined], {name: c.measured for name, c in zip(names, refined, strict=True)}


def _within_range(
    graph: Graph, bench: Bench, made: list[Realization], calibration: Calibration, choices: Choices
) -> tuple[list[Realization], net.Network, dict[str, Peaks]]:
    """Return the populations, scaled down until no register leaves its range, with their network and peaks."""
    bits = bench.chip.formats.state_bits
    while True:
        network = assemble(graph, bench.chip, made)
        over = _unproved(network, bench, made) if choices.ranges == "every-input" else set()
        peaks: dict[str, Peaks] = {}
        if not over:
            peaks = calibrate(network, calibration, bits)
            over = {name for name, peak in peaks.items() if peak.wraps or peak.clips}
        over = {r.population.name for r in made if r.population.name in over and r.plan.headroom < MAX_HEADROOM}
        if not over:
            return made, network, peaks
        made = [bench.realize(r, with_headroom(r.plan)) if r.population.name in over else r for r in made]


def _unproved(network: net.Network, bench: Bench, made: Sequence[Realization]) -> set[str]:
    """Return the populations whose registers some input could drive out of their range.

    Raises
    ------
    InputError : one for which no scale is left to try.
    """
    bits = bench.chip.formats.state_bits
    over = {name for name, reach in _bounds(network, bench.evidence).items() if not reach.within(bits)}
    for realized in made:
        name = realized.population.name
        if name in over and realized.plan.headroom == MAX_HEADROOM:
            advice = "shorten the samples, or prove it for the calibration samples only (--ranges calibration)"
            raise InputError(f"population {name!r}", f"no scale keeps {bits} bits safe from every input", advice)
    return over


def _bounds(network: net.Network, evidence: Evidence) -> dict[str, Reach]:
    """Return how far any input of the samples' length and payloads can drive the registers of each population."""
    return reaches(network, evidence.recording.steps, _payloads(evidence))


def _payloads(evidence: Evidence) -> dict[str, tuple[float, float]]:
    return {name: (min(int(v.min()), 0), max(int(v.max()), 1)) for name, v in evidence.inputs.items()}


def _proofs(network: net.Network, evidence: Evidence) -> list[str]:
    """Return a sentence a population that says how far its registers can go at most."""
    extent = min(low for low, _ in _payloads(evidence).values()), max(high for _, high in _payloads(evidence).values())
    given = f"no input of {evidence.recording.steps} steps with values {extent[0]:g} to {extent[1]:g}"
    bits = {p.name: getattr(p.neuron, "state_bits", 0) for p in network.populations}
    return [
        f"{name}: {given} carries |u| beyond {reach.u:,.0f} or |v| beyond {reach.v:,.0f}; {bits[name]} bits hold "
        f"{(1 << (bits[name] - 1)) - 1:,}"
        for name, reach in _bounds(network, evidence).items()
    ]


def _require_weights(made: Sequence[Realization], choices: Choices) -> None:
    for r in () if choices.allow_dead else made:
        require_weights(r.population.name, r.population.weights, r.weights, r.plan.headroom)


def _loss(network: net.Network, evidence: Evidence) -> float:
    """Return the points of accuracy lost, or without labels the share of answers changed, in percent."""
    whole, real = simulate(network, evidence.inputs).predictions(), evidence.recording.predictions()
    if evidence.labels is None:
        return float(100 * np.mean(whole != real))
    return float(100 * (np.mean(real == evidence.labels) - np.mean(whole == evidence.labels)))


def _float_rates(populations: Sequence[FloatPopulation], evidence: Evidence) -> dict[str, float]:
    return {p.name: float(np.mean(evidence.recording.spikes[p.name])) for p in populations if p.spiking}


def _values(made: Sequence[Realization]) -> tuple[Values, ...]:
    return tuple(value for realized in made for value in realized.values)


def _with_peaks(
    provenance: Mapping[str, Any], peaks: Mapping[str, Peaks], rates: Mapping[str, float], proofs: Sequence[str]
) -> dict[str, Any]:
    rows = [{**row, "calibration": peaks[row["name"]].as_dict()} for row in provenance["quantization"]]
    told = "silent in the float network on the calibration samples, which tell nothing of it"
    silent = [f"{name}: {told}" for name, rate in rates.items() if rate == 0]
    return {**provenance, "quantization": rows, "notes": [*provenance["notes"], *silent, *proofs]}

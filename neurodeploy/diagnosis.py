"""The account of a quantization as one document: every parameter, every population, the whole network.

It holds for the calibration samples on which the float network was run. ``distance``, ``agreement`` and ``counts`` are
those of :mod:`neurodeploy.fidelity`; ``own_distance`` is that of a population which hears the float network, ``cost``
that of :mod:`neurodeploy.attribution`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from neurodeploy.attribution import costs
from neurodeploy.audit import Values
from neurodeploy.candidates import Bench, answer_distance
from neurodeploy.confidence import difference_interval, share_interval
from neurodeploy.errors import UsageError
from neurodeploy.evidence import Evidence
from neurodeploy.fidelity import fidelity, state_distance
from neurodeploy.fixedpoint import DECAY_ONE, STATE_SHIFT
from neurodeploy.network import Network, Population
from neurodeploy.quantization import Quantization
from neurodeploy.realization import Realization
from neurodeploy.recording import Recording
from neurodeploy.remedies import remedy
from neurodeploy.simulation import simulate

Document = dict[str, Any]


def diagnose(result: Quantization) -> Document:
    """Return the account of a quantization with calibration, as JSON values.

    Raises
    ------
    UsageError : it was made without calibration samples.
    """
    if result.bench is None:
        raise UsageError("report", "tells what integers do to spikes", "give samples: --calibrate data.npz")
    network, evidence = result.network, result.bench.evidence
    run = simulate(network, evidence.inputs, record=("s", "v"))
    share = costs(network, evidence)
    rows = [_population(r, run, share[r.population.name], result, result.bench) for r in result.realized]
    worst = max(rows, key=lambda row: row["cost"])
    return {
        "schema": 1,
        "target": network.target,
        "samples": evidence.recording.samples,
        "steps": evidence.recording.steps,
        "network": _network(result, network, run, evidence),
        "populations": rows,
        "costliest": {"name": worst["name"], "cost": worst["cost"], "try": remedy(worst)},
        "notes": list(network.provenance["notes"]),
    }


def _network(result: Quantization, network: Network, run: Recording, evidence: Evidence) -> Document:
    real, whole = evidence.recording.predictions(), run.predictions()
    weights = [w.size * r.plan.bits for r in result.realized for w in r.weights]
    answers: Document = {
        "answer_distance": answer_distance(network, run, evidence.recording),
        "changed_answers": _share(real != whole),
        "weight_bytes": sum(weights) / 8,
        "accuracy": None,
    }
    if evidence.labels is not None:
        right = real == evidence.labels, whole == evidence.labels
        low, high = difference_interval(*right)
        change = {"value": float(right[1].mean() - right[0].mean()), "low": low, "high": high}
        answers["accuracy"] = {"float": _share(right[0]), "integer": _share(right[1]), "change": change}
    return answers


def _share(flags: np.ndarray[Any, np.dtype[np.bool_]]) -> Document:
    low, high = share_interval(int(flags.sum()), len(flags))
    return {"value": float(flags.mean()), "low": low, "high": high}


def _population(realized: Realization, run: Recording, cost: float, result: Quantization, bench: Bench) -> Document:
    population, plan, evidence = realized.population, realized.plan, bench.evidence
    name = population.name
    row: Document = {
        "name": name,
        "neurons": math.prod(population.shape),
        "spiking": population.spiking,
        "weight_bits": plan.bits,
        "plan": vars(plan),
        "scale": realized.scaling.scale,
        "weight_exponent": realized.scaling.exponent,
        "threshold_units": int(realized.neuron.threshold.min()),
        "parameters": list(_parameters(realized)),
        "weight_sqnr_db": _sqnr([v for v in realized.values if v.parameter.startswith("weight ")]),
        "own_distance": bench.judge(realized).distance if population.paths else 0.0,
        "cost": cost,
        "registers": result.peaks[name].as_dict(),
        "candidates": [{**vars(c.plan), "distance": c.distance} for c in result.candidates.get(name, ())],
    }
    part = result.network.by_name[name]
    assert isinstance(part, Population)
    if population.spiking:
        return row | fidelity(evidence.recording.spikes[name], run.spikes[name]).as_dict()
    restored = run.v[name] / (2.0**STATE_SHIFT * part.scale)
    silent = dict.fromkeys(("agreement", "counts", "rate", "float_rate", "first_step"))
    return row | {"distance": state_distance(evidence.recording.v[name], restored), **silent}


def _parameters(realized: Realization) -> Iterator[Document]:
    scaling = realized.scaling
    units = {"threshold": scaling.scale, "bias": scaling.scale * 2.0 ** (STATE_SHIFT - realized.neuron.bias_exponent)}
    units |= {"current_decay": DECAY_ONE, "voltage_decay": DECAY_ONE}
    for value in realized.values:
        name = value.parameter
        yield {"name": name, "scale": units.get(name, scaling.weight_scale), **value.summary()}


def _sqnr(weights: list[Values]) -> float | None:
    """Return signal over quantization noise of all weights in decibel; None where there is no noise or no weight."""
    signal = sum(float(np.square(v.original).sum()) for v in weights)
    noise = sum(float(np.square(v.error).sum()) for v in weights)
    return 10 * math.log10(signal / noise) if signal > 0 and noise > 0 else None

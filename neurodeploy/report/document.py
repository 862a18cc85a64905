"""The document of a deployment: everything the report says, as JSON values under stable keys.

It holds no times, paths or names of machines, so that the same inputs give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

import neurodeploy
from neurodeploy.deployment import Findings, Parity
from neurodeploy.network import Network, stored_weights
from neurodeploy.recording import Recording

SCHEMA = 1

#: The float network's file, which is there before the document is.
FLOAT_FILE = "net.nir"

#: Samples shown one by one.
EXAMPLES = 3

#: Versions that the figures depend on.
_PACKAGES = ("numpy", "numba", "nir", "h5py")


def build_document(findings: Findings) -> dict[str, Any]:
    """Return what ``report.json`` holds.

    ``accuracy`` is None without labels, ``calibration`` None for a source that was quantized before, and ``proof`` None
    for one that no export preceded. Counts under ``layers`` and ``estimate`` are per inference.
    """
    estimate = findings.estimate.as_dict()
    document = {
        "schema": SCHEMA,
        "source": {**_file(findings.source.path), "kind": findings.source.kind},
        "data": {**_file(findings.data.path), "labels": findings.data.labels is not None},
        "calibration": _calibration(findings),
        "target": findings.placement.chip.name,
        "target_title": findings.placement.chip.title,
        "samples": findings.recording.samples,
        "steps": findings.recording.steps,
        "dt": findings.network.dt,
        "accuracy": _accuracy(findings),
        "agreement": _agreement(findings),
        "proof": findings.source.proof,
        "parity": [comparison.as_dict() for comparison in findings.parity.comparisons],
        "lava": _lava(findings.parity),
        "pipeline": _pipeline(findings),
        "layers": _layers(findings, estimate),
        "examples": _examples(findings),
        "approximation": list(findings.network.provenance.get("approximation", [])),
        "quantization": list(findings.network.provenance.get("quantization", [])),
        "registers": _registers(findings.network, findings.recording),
        "placement": findings.placement.as_dict(),
        "cores": _cores(findings),
        "estimate": estimate,
        "notes": _notes(findings),
        "left_out": estimate["left_out"],
        "versions": _versions(),
        "files": _files(findings.placement.chip.name),
    }
    # What is returned is what the file will hold: tuples are lists, and nothing is NaN.
    plain: dict[str, Any] = json.loads(json.dumps(document, allow_nan=False))
    return plain


def _file(path: str | Path) -> dict[str, str]:
    path = Path(path)
    with path.open("rb") as stream:
        return {"file": path.name, "sha256": hashlib.file_digest(stream, "sha256").hexdigest()}


def _calibration(findings: Findings) -> dict[str, Any] | None:
    if findings.calibration is None:
        return None
    events, how = findings.calibration
    return {**_file(events.path), "samples": events.samples, "chosen": how}


def _accuracy(findings: Findings) -> dict[str, Any] | None:
    labels = findings.data.labels
    if labels is None:
        return None
    return {
        "float": float(np.mean(findings.float_predictions == labels)),
        "integer": findings.recording.accuracy(labels),
        "samples": findings.recording.samples,
    }


def _agreement(findings: Findings) -> dict[str, int]:
    """Return on how many samples the float and the integer network give the same answer."""
    same = findings.float_predictions == findings.recording.predictions()
    return {"equal_answers": int(same.sum()), "samples": int(same.size)}


def _lava(parity: Parity) -> dict[str, Any]:
    if parity.lava_consulted:
        return {"consulted": True, "versions": dict(parity.lava_versions)}
    return {"consulted": False, "reason": parity.lava_absent}


def _pipeline(findings: Findings) -> dict[str, Any]:
    """Return how many chip steps a sample takes: its own, and those in which its last spikes reach the output."""
    network, steps = findings.network, findings.recording.steps
    fill = max(network.latency(name) for name in network.outputs)
    return {
        "input_steps": steps,
        "fill_steps": fill,
        "steps": steps + fill,
        "latency": {population.name: population.latency for population in network.order},
    }


def _layers(findings: Findings, estimate: dict[str, Any]) -> list[dict[str, Any]]:
    samples, steps = findings.recording.samples, findings.recording.steps
    uses = {use.name: use for use in findings.placement.populations}
    energies = {part["name"]: part["energy_joule"] for part in estimate["populations"]}
    rows = []
    for population in findings.network.order:
        counts, use = findings.activity.populations[population.name], uses[population.name]
        rows.append(
            {
                "name": population.name,
                "shape": list(population.shape),
                "neurons": population.size,
                "weights": sum(stored_weights(p.connection).size for p in findings.network.into(population.name)),
                "cores": use.cores,
                "tightest_limit": use.tightest_limit,
                "use": use.use,
                "spikes": counts.spikes / samples,
                "rate": counts.spikes / (samples * steps * population.size),
                "synaptic_operations": counts.synaptic_operations / samples,
                "messages": counts.messages / samples,
                "energy_joule": energies[population.name],
            }
        )
    return rows


def _examples(findings: Findings) -> list[dict[str, Any]]:
    answers, labels = findings.recording.predictions(), findings.data.labels
    fired = findings.recording.spikes[findings.recording.outputs[0]]
    counts = fired.reshape(findings.recording.samples, findings.recording.steps, -1).sum(axis=1)
    return [
        {
            "sample": sample,
            "label": None if labels is None else int(labels[sample]),
            "answer": int(answers[sample]),
            "float_answer": int(findings.float_predictions[sample]),
            "spikes": int(counts[sample].max()),
            "all_spikes": int(counts[sample].sum()),
        }
        for sample in range(min(EXAMPLES, findings.recording.samples))
    ]


def _registers(network: Network, recording: Recording) -> list[dict[str, Any]]:
    """Return how often registers left their range, and its width, over all data."""
    return [
        {
            "name": population.name,
            "state_bits": getattr(population.neuron, "state_bits", None),
            "wraps": recording.wraps[population.name],
            "clips": recording.clips[population.name],
        }
        for population in network.populations
    ]


def _cores(findings: Findings) -> list[dict[str, Any]]:
    return [
        {
            "chip": core.chip,
            "core": core.core,
            "population": core.population,
            "tightest_limit": core.tightest[0],
            "use": core.tightest[1],
        }
        for core in findings.placement.cores
    ]


def _notes(findings: Findings) -> list[str]:
    """Return every choice and approximation once, in the order of the steps."""
    notes: Iterable[str] = (*findings.source.notes, *findings.network.provenance.get("notes", ()))
    return list(dict.fromkeys(notes))


def _versions() -> dict[str, str]:
    own = {"neurodeploy": neurodeploy.__version__, "python": platform.python_version()}
    return own | {package: version(package) for package in _PACKAGES}


def _files(chip: str) -> dict[str, str]:
    return {
        "float": FLOAT_FILE,
        "network": f"net.{re.sub(r'[^A-Za-z0-9_-]', '_', chip)}.nir",
        "placement": "placement.json",
        "report": "report.json",
        "page": "report.html",
    }

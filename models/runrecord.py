"""``run.json``: what a run was made from, so that a figure found later can be traced and a resumed run held to it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy.errors import InputError, UsageError
from neurodeploy.events import EventInput
from neurodeploy.models.checkpoint import current_versions
from neurodeploy.models.data.dense import DenseDataset, DenseSamples
from neurodeploy.models.processes import Processes
from neurodeploy.models.recipe import Recipe
from neurodeploy.models.spikes import Fingerprinted, HeldSpikes, LabelledSpikes, SpikeDataset

SCHEMA = 1

#: Samples that are read at a time where they do not lie in memory.
_BLOCK = 256


def run_record(recipe: Recipe, data: SpikeDataset | DenseDataset, processes: Processes) -> dict[str, Any]:
    """Return what a run is made from: recipe, seed, data with their hash, versions and device, but no time."""
    return {
        "schema": SCHEMA,
        "recipe": recipe.to_toml(),
        "seed": recipe.seed,
        "data": {
            "dataset": recipe.data.dataset,
            "train_samples": len(data.train),
            "test_samples": len(data.test),
            "sha256": data_hash(data),
        },
        "versions": current_versions(),
        "device": processes.device.type,
        "processes": processes.size,
    }


def data_hash(data: SpikeDataset | DenseDataset) -> str:
    """Return the SHA-256 of all training and test samples, their shapes, types and order.

    Samples that know a fingerprint of theirs are told by that; others are read as a whole.
    """
    digest = hashlib.sha256()
    for samples in (data.train, data.test):
        _feed(digest, samples)
    return digest.hexdigest()


def check_same_data(file: Path, record: dict[str, Any]) -> None:
    """Raise :class:`UsageError` when the run whose record lies in ``file`` was trained on other data than ``record``'s.

    A run without a record passes. Raises :class:`InputError` for a record that cannot be read.
    """
    if not file.exists():
        return
    try:
        before = json.loads(file.read_text(encoding="utf-8"))["data"]["sha256"]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise InputError(str(file), f"is no record of a run ({error})", "delete it to resume without") from error
    if before != (now := record["data"]["sha256"]):
        found = f"was started on data of SHA-256 {str(before)[:12]}..., now they have {now[:12]}..."
        raise UsageError(str(file.parent), found, "bring the data back, or start again with --force")


def _feed(digest: hashlib._Hash, samples: LabelledSpikes | DenseSamples) -> None:
    if isinstance(samples, Fingerprinted):
        digest.update(samples.fingerprint())
        return
    if not isinstance(samples, HeldSpikes):
        for start in range(0, len(samples), _BLOCK):
            _feed(digest, samples.take(np.arange(start, min(start + _BLOCK, len(samples)))))
        return
    spikes = samples.spikes
    lists = (spikes.step_numbers(), spikes.index, spikes.payloads()) if isinstance(spikes, EventInput) else (spikes,)
    for array in (*lists, samples.labels):
        digest.update(f"{array.dtype} {array.shape};".encode())
        digest.update(np.ascontiguousarray(array).data)

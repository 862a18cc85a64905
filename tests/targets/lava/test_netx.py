"""lava-dl's own loader, running a file in Lava, agrees with our reading of that file in every s, u and v."""

from __future__ import annotations

import numpy as np
import pytest

from neurodeploy.comparison import compare
from neurodeploy.loading import load_netx
from neurodeploy.simulation import simulate
from neurodeploy.targets.lava.netx_run import run_many
from tests.export.netx import files

pytestmark = pytest.mark.usefixtures("lava")

QUANTITIES = ("s", "u", "v")
SEEDS = range(18)
#: Layers of which the loader spoils a weight: the file's value is kept, and a note says so.
SPOILED = {
    "clipped": files.dense([[0, -128, -2, -64]] * 3, cell=files.neuron(90), bias=np.array([150] * 3)),
    "vanished": files.dense([[0, -131, -6, -3]] * 3, cell=files.neuron(90), bias=np.array([150] * 3)),
    "unscaled": files.dense(
        [[7, -3, 6, 5]] * 4, kind="dense_rec", weight_rec=np.eye(4, dtype=np.float32), delay=np.arange(4)
    ),
}


def spikes_of(*shape: int, seed: int = 0) -> dict[str, np.ndarray]:
    return {"input": (np.random.default_rng(seed).random((1, 30, *shape)) < 0.4).astype(np.uint8)}


def test_random_files(tmp_path) -> None:
    pairs = []
    for seed in SEEDS:
        path, shape = files.random_file(tmp_path / f"{seed}.net", seed)
        pairs.append((load_netx(path), spikes_of(*shape, seed=seed)))
    fired = 0
    for seed, (file, spikes), found in zip(SEEDS, pairs, run_many(pairs, QUANTITIES), strict=True):
        expected = simulate(file.network, spikes, record=QUANTITIES)
        outcome = compare(expected, found)
        assert outcome.equal, f"seed {seed}: {outcome.summary()}, {file.network.provenance['notes']}"
        assert (found.wraps, found.clips) == (expected.wraps, expected.clips), f"seed {seed}"
        fired += int(found.output.sum())
    assert fired > 100


def test_what_the_loader_spoils_is_noted_and_differs(tmp_path) -> None:
    pairs = [
        (load_netx(files.write(tmp_path / f"{name}.net", files.source(4), layer)), spikes_of(4))
        for name, layer in SPOILED.items()
    ]
    for (file, spikes), found in zip(pairs, run_many(pairs, QUANTITIES), strict=True):
        assert not compare(simulate(file.network, spikes, record=QUANTITIES), found).equal
        assert any("would not run it as written" in note for note in file.network.provenance["notes"])

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from neurodeploy.errors import BackendMissing, UsageError
from neurodeploy.models.checkpoint import load_checkpoint
from neurodeploy.models.processes import Processes, joined
from neurodeploy.models.recipe import load_recipe
from neurodeploy.models.training import train

SETTINGS = [
    *("name=shared", "epochs=1", "steps=4", "test_samples=1600", "calibration_samples=20", "layers.0.channels=2"),
    *("layers.4.channels=4", "batch_size=33", "sync_batchnorm=true", "accumulate=1"),
]


def run_processes(recipe: Path, folder: Path, number: int) -> list[subprocess.CompletedProcess[str]]:
    """Train ``recipe`` in ``number`` processes that find each other as torchrun's do."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [sys.executable, "-m", "neurodeploy", "train", str(recipe), "-o", str(folder), "--json", "--quiet"]
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": str(number)}
    pipe: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    started = [
        subprocess.Popen(command, env=os.environ | place | {"RANK": str(k), "LOCAL_RANK": str(k)}, **pipe)
        for k in range(number)
    ]
    try:
        return [
            subprocess.CompletedProcess(command, p.returncode, *texts)
            for p in started
            for texts in [p.communicate(timeout=120)]
        ]
    finally:
        for process in started:
            process.kill()


def test_two_processes_take_the_steps_of_one(tmp_path: Path) -> None:
    recipe = load_recipe("digits", SETTINGS)
    train(recipe, tmp_path / "one")
    (tmp_path / "recipe.toml").write_text(recipe.to_toml())
    first, second = run_processes(tmp_path / "recipe.toml", tmp_path / "two", 2)
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert json.loads(first.stdout)["recipe"] == "shared"
    assert second.stdout == ""
    one, two = (json.loads((tmp_path / name / "metrics.jsonl").read_text()) for name in ("one", "two"))
    assert two["loss"] == pytest.approx(one["loss"], rel=1e-5)
    assert two["test_accuracy"] == pytest.approx(one["test_accuracy"], abs=0.005)
    alone, shared = (load_checkpoint(tmp_path / name / "model.safetensors").model for name in ("one", "two"))
    for name, value in alone.items():
        assert torch.allclose(value.float(), shared[name].float(), rtol=1e-2, atol=1e-4), name
    assert json.loads((tmp_path / "two" / "run.json").read_text())["processes"] == 2


def test_every_process_gets_its_share_in_equally_many_parts() -> None:
    batch = np.arange(11)
    shares = [Processes(rank, 3).parts(batch, 4) for rank in range(3)]
    assert [len(parts) for parts in shares] == [3, 3, 3]
    assert np.concatenate([part for parts in shares for part in parts]).tolist() == batch.tolist()
    assert min(len(part) for parts in shares for part in parts) == 1
    with pytest.raises(UsageError, match="a batch of 2 samples cannot be shared by 3 processes"):
        Processes(0, 3).parts(batch[:2], 1)


def test_a_device_and_a_place_that_are_not_there_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", None)
    with pytest.raises(BackendMissing, match=r"device cuda: torch .* is built without CUDA; install a CUDA build"):
        joined("cuda").__enter__()
    monkeypatch.setattr(torch.version, "cuda", "12.8")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("LOCAL_RANK", "1")
    with pytest.raises(BackendMissing, match="finds 1 GPUs, and process 1 of this machine needs one of its own"):
        joined("cuda").__enter__()
    monkeypatch.setenv("RANK", "2")
    with pytest.raises(UsageError, match=r"RANK='2', WORLD_SIZE='2', .* is no place among processes"):
        joined("cpu").__enter__()

"""NeuroBench beside the environment of the tests: fetched once into the user's cache, and run in a process of its own.

Its declared requirements (torchaudio, tonic) serve data sets that are not needed here, and stay away.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import platformdirs
import pytest

#: The version whose figures ours are equal to, and the one package it needs beyond torch and snnTorch.
REQUIREMENTS = ("neurobench==2.3.0", "tqdm==4.67.1")

Measure = Callable[[dict], dict]


@pytest.fixture(scope="session")
def packages() -> Path:
    """Return the folder that holds NeuroBench."""
    folder = platformdirs.user_cache_path("neurodeploy") / "-".join(REQUIREMENTS).replace("==", "-")
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=folder.parent))
        try:
            command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(made)]
            subprocess.run([*command, *REQUIREMENTS], check=True)
            made.rename(folder)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    return folder


@pytest.fixture(scope="session")
def measure(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Measure:
    """Return a function from descriptions of networks by name to NeuroBench's results by name."""

    def run(networks: dict) -> dict:
        folder = tmp_path_factory.mktemp("neurobench")
        given, answer = folder / "networks.json", folder / "results.json"
        given.write_text(json.dumps(networks))
        child = Path(__file__).with_name("child.py")
        environment = {**os.environ, "PYTHONPATH": str(packages), "PYTHONWARNINGS": "ignore"}
        done = subprocess.run(
            [sys.executable, str(child), str(given), str(answer)], env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return dict(json.loads(answer.read_text()))

    return run

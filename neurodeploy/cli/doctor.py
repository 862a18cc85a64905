"""``neurodeploy doctor``: what is installed here, where, and whether it works."""

from __future__ import annotations

import importlib.util
import platform
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import click

from neurodeploy.cli.common import json_option, print_json

#: What neurodeploy needs, and what only some verbs do, with what installs it.
NEEDED = ("neurodeploy", "numpy", "scipy", "numba", "nir", "h5py")
OPTIONAL = {
    "torch": "models",
    "safetensors": "models",
    "snntorch": "snntorch",
    "norse": "norse",
    "spikingjelly": "spikingjelly",
    "scikit-learn": "digits",
    "onnx": "onnx",
    "onnxruntime": "onnx",
}


@click.command("doctor")
@json_option
def doctor(*, as_json: bool) -> None:
    """Tell what is installed and works here; the exit code is 0 unless neurodeploy itself cannot work."""
    document = diagnosis()
    if as_json:
        print_json(document)
    else:
        _show(document)
    sys.exit(0 if document["healthy"] else 4)


def diagnosis() -> dict[str, Any]:
    """Return what was found, as JSON values; torch is looked up, not loaded."""
    from neurodeploy.targets.lava.environment import cache_root

    packages = {name: _version(name) for name in (*NEEDED, *OPTIONAL)}
    return {
        "healthy": all(packages[name] for name in NEEDED),
        "python": {"version": platform.python_version(), "executable": sys.executable},
        "platform": platform.platform(),
        "packages": packages,
        "cuda": _cuda(),
        "lava": _lava(),
        "cache": str(cache_root()),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cuda() -> dict[str, Any]:
    """Return whether torch can use a GPU, asked in a process of its own so that torch is not loaded into this one."""
    if importlib.util.find_spec("torch") is None:
        return {"available": False, "reason": "torch is not installed"}
    question = "import torch; print(torch.cuda.get_device_name() if torch.cuda.is_available() else '')"
    try:
        answer = subprocess.run([sys.executable, "-c", question], capture_output=True, text=True, timeout=120)
    except (OSError, subprocess.TimeoutExpired):
        return {"available": False, "reason": "torch does not answer"}
    if answer.returncode:
        return {"available": False, "reason": f"torch does not load ({(answer.stderr.splitlines() or ['?'])[-1]})"}
    device = answer.stdout.strip()
    if device:
        return {"available": True, "device": device}
    reason = "torch sees no GPU" if shutil.which("nvidia-smi") else "no NVIDIA driver"
    return {"available": False, "reason": reason}


def _lava() -> dict[str, Any]:
    """Return where Lava's environment is and whether a neuron runs in it."""
    from neurodeploy.errors import BackendError
    from neurodeploy.targets.lava import environment

    place = {"path": str(environment.location())}
    if (found := environment.find()) is None:
        return {**place, "installed": False, "runs": False, "reason": "run `neurodeploy lava install`"}
    try:
        return {**place, "installed": True, "runs": True, "versions": environment.prove(found.python)}
    except BackendError as error:
        return {**place, "installed": True, "runs": False, "reason": str(error)}


def _show(document: dict[str, Any]) -> None:
    cuda, lava = document["cuda"], document["lava"]
    rows = {"python": f"{document['python']['version']}  {document['python']['executable']}"}
    for name, found in document["packages"].items():
        missing = f"missing: pip install 'neurodeploy[{OPTIONAL[name]}]'" if name in OPTIONAL else "MISSING"
        rows[name] = found or missing
    rows["cuda"] = cuda["device"] if cuda["available"] else f"no ({cuda['reason']})"
    rows["lava"] = f"{lava['versions']['lava-nc']} runs  {lava['path']}" if lava["runs"] else f"no ({lava['reason']})"
    rows["cache"] = document["cache"]
    for name, text in rows.items():
        click.echo(f"{name:14}{text}")

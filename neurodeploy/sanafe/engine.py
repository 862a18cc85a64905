"""Run SANA-FE in its environment on files, and hold its answer against our counts."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neurodeploy.activity import Activity
from neurodeploy.errors import BackendError, BackendMissing
from neurodeploy.network import Convolution, Network
from neurodeploy.placement import Placement
from neurodeploy.recording import Recording
from neurodeploy.sanafe.files import Files, write_files
from neurodeploy.targets.lava.environment import cache_root
from neurodeploy.targets.lava.pythons import call, clean_environment

VERSION = "2.2.9"
_MARKER = "complete.json"
_SECONDS = 600
#: Joules may differ by rounding alone.
_RELATIVE = 1e-9

#: What its interpreter is told: read both files, run, and print the answer as the last line.
_PROGRAM = """
import json, sys, sanafe
chip = sanafe.load_arch(sys.argv[1])
network = sanafe.load_net(sys.argv[2], chip)
run = sanafe.SpikingChip(chip)
run.load(network)
found = run.sim(int(sys.argv[3]))
print()
print(json.dumps({key: found[key] for key in ("energy", "sim_time", "spikes", "packets_sent", "neurons_fired")}))
"""


@dataclass(frozen=True)
class Row:
    """One quantity on the same activity: ours, SANA-FE's, and whether they are equal."""

    name: str
    ours: float
    theirs: float
    equal: bool


@dataclass(frozen=True)
class Peer:
    """SANA-FE's answer beside ours, over all samples and steps, for what passes between populations.

    Attributes
    ----------
    step_second : its time of a step with its model of the mesh, in which messages wait for each other; neurons take
        none in it.
    """

    version: str
    rows: tuple[Row, ...]
    step_second: float

    @property
    def equal(self) -> bool:
        """Whether every row is."""
        return all(row.equal for row in self.rows)

    def as_dict(self) -> dict[str, Any]:
        """Return the comparison as JSON values."""
        rows = [vars(row) for row in self.rows]
        return {"version": self.version, "equal": self.equal, "rows": rows, "step_second": self.step_second}


def location() -> Path:
    """Return where SANA-FE's environment stands, or would."""
    return cache_root() / f"sanafe-{VERSION}"


def find() -> Path | None:
    """Return its interpreter, or None when it is not installed."""
    return location() / "bin" / "python" if (location() / _MARKER).is_file() else None


def install(say: Callable[[str], None] = lambda _: None, *, force: bool = False) -> Path:
    """Make the environment unless it is there; return its interpreter.

    Raises
    ------
    BackendMissing : there is no wheel for this system, or the download failed.
    """
    found = None if force else find()
    if found:
        return found
    path, python = location(), location() / "bin" / "python"
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(path, ignore_errors=True)
    try:
        say(f"making {path}")
        call([sys.executable, "-m", "venv", str(path)], "SANA-FE's environment")
        say(f"installing sanafe {VERSION} (GPL-3)")
        options = ["--no-deps", "--only-binary", ":all:", "--no-input", "--quiet"]
        call([str(python), "-m", "pip", "install", *options, f"sanafe=={VERSION}"], "SANA-FE")
        call([str(python), "-c", "import sanafe"], "SANA-FE")
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
        raise
    (path / _MARKER).write_text(json.dumps({"sanafe": VERSION}), encoding="utf-8")
    return python


def run(files: Files, *, timeout: float = _SECONDS) -> dict[str, Any]:
    """Run SANA-FE on files and return its answer.

    Raises
    ------
    BackendMissing : it is not installed.
    BackendError : it ended abnormally, or took too long.
    """
    python = find()
    if python is None:
        raise BackendMissing("SANA-FE", f"is not installed at {location()}", "run `neurodeploy sanafe install`")
    with tempfile.TemporaryDirectory(prefix="nd-sanafe-") as folder:
        chip, network = Path(folder) / "arch.yaml", Path(folder) / "snn.yaml"
        chip.write_text(files.architecture, encoding="utf-8")
        network.write_text(files.network, encoding="utf-8")
        command = [str(python), "-I", "-c", _PROGRAM, str(chip), str(network), str(files.steps)]
        try:
            done = subprocess.run(  # its interpreter, our files
                command, capture_output=True, text=True, timeout=timeout, env=clean_environment(), cwd=folder
            )
        except subprocess.TimeoutExpired as error:
            raise BackendError("SANA-FE", f"did not finish within {timeout:g} s", "give fewer samples") from error
    if done.returncode:
        failure = BackendError("SANA-FE", f"ended with exit code {done.returncode}", "--verbose shows what it wrote")
        failure.add_note(done.stderr)
        raise failure
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def compare_with_sanafe(network: Network, placement: Placement, recording: Recording, activity: Activity) -> Peer:
    """Return SANA-FE's counts and joules beside ours, of the messages between populations.

    Raises
    ------
    Unsupported, UsageError : what SANA-FE's files cannot say; see :func:`~neurodeploy.sanafe.files.write_files`.
    BackendMissing, BackendError : as :func:`run`.
    """
    files = write_files(network, placement, recording)
    found = run(files)
    energy = placement.chip.energy
    parts = [(p, activity.projections[p.name]) for p in network.projections if p.source in placement.tilings]
    synapses = messages = hops = 0.0
    for projection, counts in parts:
        kind = "convolution" if isinstance(projection.connection, Convolution) else "dense"
        synapses += counts.synaptic_operations * energy[f"synaptic_operation_{kind}"].value
        messages += counts.messages * (energy["message_out"].value + energy["message_in"].value)
        hops += counts.hops_x * energy["hop_x"].value + counts.hops_y * energy["hop_y"].value
    rows = (
        _row("spikes", activity.total("spikes"), found["neurons_fired"]),
        _row("synaptic operations", sum(c.synaptic_operations for _, c in parts), found["spikes"]),
        _row("messages", sum(c.messages for _, c in parts), found["packets_sent"]),
        _row("synapses, J", synapses, found["energy"]["synapse"]),
        _row("messages and hops, J", messages + hops, found["energy"]["network"]),
    )
    return Peer(VERSION, rows, found["sim_time"] / max(files.steps, 1))


def _row(name: str, ours: float, theirs: float) -> Row:
    return Row(name, ours, theirs, abs(ours - theirs) <= _RELATIVE * max(abs(ours), abs(theirs)))

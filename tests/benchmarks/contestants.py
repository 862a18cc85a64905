"""Who takes part in the benchmark of the emulator, and as what it is started."""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from neurodeploy.errors import BackendMissing, NeurodeployError
from neurodeploy.targets.lava import environment as lava
from neurodeploy.targets.lava.child import WORKER, job_folder, submit
from neurodeploy.targets.lava.netlist import write_netlist
from neurodeploy.targets.lava.pythons import clean_environment
from neurodeploy.targets.lava.supervisor import sweep
from tests.benchmarks import environments
from tests.benchmarks.children import Child
from tests.benchmarks.workloads import CURRENT_DECAY, NAMES, VOLTAGE_DECAY, Workload

ROOT, PEERS = Path(__file__).parents[2], Path(__file__).parent / "peers"
#: Samples at once, beside one.
MANY = {"W1": 64, "W2": 64, "W3": 16, "W4": 64}
Say = Callable[[str], None]
#: (workload, batch, folder for files, processors) -> what its process is told to make.
Describe = Callable[[Workload, int, Path, int], dict[str, Any]]


@dataclass(frozen=True)
class Kind:
    """One who takes part.

    Attributes
    ----------
    group : what ``--peers`` chooses by.
    python : returns its interpreter, or says with :class:`BackendMissing` why there is none.
    script : what that runs, in the folder ``peers``, and its arguments.
    exact : whether it computes our integers, so that every population has to fire as often as ours.
    batched : whether it takes several samples at once.
    """

    name: str
    group: str
    python: Callable[[Say], Path]
    script: tuple[str, ...]
    describe: Describe
    workloads: tuple[str, ...] = NAMES
    exact: bool = False
    batched: bool = True


@dataclass
class Contestant:
    """A kind on one batch of a workload, its process, and what it has shown."""

    kind: Kind
    batch: int
    child: Child
    job: dict[str, Any]
    seconds: list[float] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    notes: list[dict[str, Any]] = field(default_factory=list)
    problem: str = ""

    @property
    def name(self) -> str:
        return self.kind.name

    def prepare(self) -> None:
        """Have it make everything ready, run once and say what it computed."""
        self.facts = self.child.ask(do="prepare", key=str(self.batch), job=self.job)
        self.problem = self.facts.pop("error", "")

    def run(self, least: float) -> list[float]:
        """Have it run for some seconds, once at least; return seconds per sample of each run, none if it fails."""
        answer = self.child.ask(do="run", key=str(self.batch), least=least)
        self.problem = answer.get("error", "")
        self.notes += [answer["notes"]] if answer.get("notes") else []
        return [seconds / self.batch for seconds in answer.get("seconds", ())]


def here(say: Say) -> Path:
    """Return the interpreter that runs this."""
    return Path(sys.executable)


def _installed(recipe: environments.Recipe) -> Callable[[Say], Path]:
    return lambda say: environments.prepare(recipe, say)


def _lava(say: Say) -> Path:
    return lava.install(say).python


def _ours(form: str, threads: int | None = None) -> Describe:
    return lambda load, batch, folder, processors: {
        "workload_name": load.name,
        "batch": batch,
        "form": form,
        "threads": threads,
    }


def write_data(load: Workload, batch: int, folder: Path) -> str:
    """Write a workload for who does not import ours; return the file."""
    path = folder / f"{load.name}-{batch}.npz"
    if path.exists():
        return str(path)
    keeps = {"keep_u": 1 - CURRENT_DECAY / 4096, "keep_v": 1 - VOLTAGE_DECAY / 4096}
    arrays: dict[str, Any] = {"layers": len(load.layers), "spikes": load.spikes(batch), **keeps}
    for i, layer in enumerate(load.layers):
        arrays[f"weight{i}"], arrays[f"threshold{i}"] = layer.connection.weight, layer.threshold
        arrays |= {f"{name}{i}": getattr(layer.connection, name, (0, 0)) for name in ("stride", "padding")}
        if layer.recurrent is not None:
            arrays[f"recurrent{i}"] = layer.recurrent.weight
    np.savez(path, **arrays)
    return str(path)


def _on_torch(load: Workload, batch: int, folder: Path, processors: int) -> dict[str, Any]:
    return {"data": write_data(load, batch, folder), "threads": processors}


def _on_nengo(load: Workload, batch: int, folder: Path, processors: int) -> dict[str, Any]:
    return {"data": write_data(load, batch, folder)}


def _on_lava(load: Workload, batch: int, folder: Path, processors: int) -> dict[str, Any]:
    submit(folder, 0, write_netlist(load.network(), {"in": load.spikes(batch)}, ()))
    return {"job": str(job_folder(folder, 0))}


def _torch(name: str, key: str, python: Callable[[Say], Path]) -> Kind:
    return Kind(name, "float", python, ("torch_peers.py", key), _on_torch)


OURS, EVENTS, ONE_THREAD = "neurodeploy", "neurodeploy, events", "neurodeploy, 1 thread"
LAVA, NENGO = "Lava", "nengo-loihi"
_EXACT_ONE_BY_ONE: dict[str, Any] = {"exact": True, "batched": False}
KINDS = (
    Kind(OURS, "ours", here, ("ours.py",), _ours("dense"), exact=True),
    Kind(EVENTS, "ours", here, ("ours.py",), _ours("events"), exact=True),
    Kind(ONE_THREAD, "ours", here, ("ours.py",), _ours("dense", 1), exact=True),
    Kind(LAVA, "lava", _lava, ("lava_peer.py", str(WORKER)), _on_lava, **_EXACT_ONE_BY_ONE),
    Kind(
        NENGO, "nengo", _installed(environments.NENGO), ("nengo_peer.py",), _on_nengo, ("W1", "W4"), **_EXACT_ONE_BY_ONE
    ),
    _torch("snnTorch Leaky", "snntorch-leaky", here),
    _torch("snnTorch Synaptic", "snntorch-synaptic", here),
    _torch("Norse LIFCell", "norse", here),
    _torch("sinabs LIF", "sinabs", _installed(environments.SINABS)),
    _torch("SpikingJelly LIFNode", "spikingjelly", _installed(environments.SPIKINGJELLY)),
)
GROUPS = tuple(dict.fromkeys(kind.group for kind in KINDS))
FLOATS = tuple(kind.name for kind in KINDS if kind.group == "float")


def find_pythons(groups: set[str], say: Say) -> dict[str, Path]:
    """Return the interpreter of every kind that can take part; say of every other why it does not."""
    found: dict[str, Path] = {}
    for kind in KINDS:
        if kind.group in groups | {"ours"}:
            try:
                found[kind.name] = kind.python(say)
            except NeurodeployError as error:
                said = f"{error.subject}: {error.problem}" if isinstance(error, BackendMissing) else str(error)
                say(f"{kind.name}: left out, {said}")
    return found


@contextlib.contextmanager
def started(
    python: Path,
    script: tuple[str, ...],
    folder: Path,
    limit: float,
    variables: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Child]:
    """Yield a process of a script in the folder ``peers``; end it, and what shared memory it left, on the way out."""
    prefix = f"psm_nd{secrets.token_hex(4)}_"
    # Threads of OpenMP that spin while they wait would take the processors from whoever's turn it is; on a virtual
    # machine their default, to spin for a while, made some peers ten times slower than waiting at once.
    own = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONWARNINGS": "ignore", "OMP_WAIT_POLICY": "PASSIVE"}
    own["TMPDIR"] = str(folder)
    paths = {"PYTHONPATH": str(ROOT)} if str(python) == sys.executable else {}
    arguments = [*script[1:], str(folder), prefix]
    child = Child(
        [str(python), str(PEERS / script[0]), *arguments], {**clean_environment(), **own, **paths, **variables}, limit
    )
    try:
        yield child
    finally:
        child.close()
        sweep(prefix)


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

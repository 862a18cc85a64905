"""Runs networks on Lava and returns what it saw, as every backend does."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.errors import Unsupported
from neurodeploy.network import Network, Population
from neurodeploy.recording import Recording
from neurodeploy.targets.lava.cells import cell_order
from neurodeploy.targets.lava.child import Engine, Progress, execute, job_folder
from neurodeploy.targets.lava.environment import require
from neurodeploy.targets.lava.netlist import Netlist, tape, write_netlist
from neurodeploy.targets.lava.ranges import verify_ranges
from neurodeploy.verify_network import verify_network

Tape = npt.NDArray[Any]
Spikes = Mapping[str, npt.NDArray[np.integer[Any]]]


def run(
    network: Network,
    spikes: Spikes,
    record: Collection[str] = ("s", "u", "v"),
    timeout: float | None = None,
    progress: Progress | None = None,
    engine: Engine = "runtime",
) -> Recording:
    """Simulate ``network`` with lava-nc's bit-accurate CPU models.

    Parameters
    ----------
    spikes : port -> integer [samples, steps, *shape].
    record : any of "u" and "v" for what to keep beside the spikes.
    timeout : seconds; by default NEURODEPLOY_LAVA_TIMEOUT, or an ample estimate.
    progress : is told (steps done, steps in all).
    engine : "runtime" is Lava's own; "threads" runs the same models within one process, see the module ``child``.

    Raises
    ------
    BackendMissing : the Lava environment is not installed.
    BackendError : Lava raised an exception, ended abnormally or took too long.
    Unsupported : something in the network that Lava's processes cannot represent exactly.
    InputError : a network that contradicts itself.
    """
    return run_many([(network, spikes)], record, timeout, progress, engine)[0]


def run_many(
    jobs: Sequence[tuple[Network, Spikes]],
    record: Collection[str] = ("s", "u", "v"),
    timeout: float | None = None,
    progress: Progress | None = None,
    engine: Engine = "threads",
) -> list[Recording]:
    """Simulate each network on its input, all in one start of Lava, and return their recordings in order.

    The parameters are those of :func:`run`, and so is what it raises: the first failure ends all.
    """
    environment = require()
    for network, _ in jobs:
        verify_network(network)
    netlists = [write_netlist(network, spikes, counted(record)) for network, spikes in jobs]
    with tempfile.TemporaryDirectory(prefix="nd-lava-", ignore_cleanup_errors=True) as name:
        versions = execute(environment.python, netlists, Path(name), timeout, progress, engine)
        return [
            read_job(network, spikes, netlist, job_folder(Path(name), index), record, versions)
            for index, ((network, spikes), netlist) in enumerate(zip(jobs, netlists, strict=True))
        ]


def counted(record: Collection[str]) -> tuple[str, ...]:
    """Return what to keep of a run whose recording :func:`read_job` makes: what is asked for, and counts."""
    return (*record, "counts")


def read_job(
    network: Network,
    spikes: Spikes,
    netlist: Netlist,
    folder: Path,
    record: Collection[str],
    versions: dict[str, str],
) -> Recording:
    """Return the recording of a job that is done, from the tapes in its folder."""
    samples, steps = next(iter(spikes.values())).shape[:2]
    kept = _read_tapes(network, netlist, folder, samples, steps)
    verify_ranges(network, spikes, kept)
    wraps, clips = read_counts(network, netlist, folder, samples, steps)
    v = kept.get("v", {}) if "v" in record else {name: kept["v"][name] for name in network.readouts}
    return Recording(
        samples=samples,
        steps=steps,
        spikes=kept["s"],
        outputs=network.outputs,
        backend="lava",
        versions=versions,
        u=kept["u"] if "u" in record else {},
        v=v,
        inputs=dict(spikes),
        wraps=wraps,
        clips=clips,
        readouts=network.readouts,
    )


def read_counts(
    network: Network, netlist: Netlist, folder: Path, samples: int, steps: int
) -> tuple[dict[str, int], dict[str, int]]:
    """Return population -> wraps and -> saturations in the steps of the samples."""
    found: tuple[dict[str, int], dict[str, int]] = ({}, {})
    alone = samples * steps // netlist.runs
    for index, population in enumerate(network.populations):
        first = population.latency
        tapes = [np.load(tape(folder, run, index, "counts")) for run in netlist.spec["runs"]]
        totals = np.sum([rows[first : first + alone].sum(axis=0) for rows in tapes], axis=0)
        for table, count in zip(found, totals.tolist(), strict=True):
            table[population.name] = count
    return found


def _read_tapes(
    network: Network, netlist: Netlist, folder: Path, samples: int, steps: int
) -> dict[str, dict[str, Tape]]:
    """Return quantity -> population -> [samples, steps, *shape]."""
    kept: dict[str, dict[str, Tape]] = {quantity: {} for quantity in netlist.spec["record"] if quantity != "counts"}
    for index, population in enumerate(network.populations):
        for quantity, table in kept.items():
            tapes = [np.load(tape(folder, each, index, quantity)) for each in netlist.spec["runs"]]
            if quantity == "s":
                _refuse_early_spikes(network, population, tapes)
            table[population.name] = _in_input_time(population, tapes, samples, steps)
    return kept


def _in_input_time(population: Population, tapes: list[Tape], samples: int, steps: int) -> Tape:
    """Return [samples, steps, *shape] from the tapes of one or several runs, each [chip steps, cells]."""
    alone = samples * steps // len(tapes)
    rows = np.concatenate([tape[population.latency : population.latency + alone] for tape in tapes])
    cells = np.empty_like(rows)
    cells[:, cell_order(population.shape)] = rows
    return cells.reshape(samples, steps, *population.shape)


def _refuse_early_spikes(network: Network, population: Population, tapes: list[Tape]) -> None:
    """Refuse a run in which a spike from before the sample reached into it.

    On the way forward such a spike is over when its target starts the sample; a projection with lag would carry it in.
    The netlist holds populations with a bias back, but there are biases beyond what it can hold.
    """
    lag = max((network.lag(projection) for projection in network.out_of(population.name)), default=0)
    first = max(0, population.latency - lag)
    if any(tape[first : population.latency].any() for tape in tapes):
        raise Unsupported(
            f"population {population.name!r}",
            "its bias makes it fire before the input reaches it, and a loop or skip carries that into the sample",
            "lower its bias, or compare in chip time (network.in_chip_time())",
        )

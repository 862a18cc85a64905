"""Runs netx files on lava-dl's own loader and Lava's own runtime, and returns what it saw, as every backend does."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.errors import InputError, Unsupported
from neurodeploy.network import Convolution, Network, Population
from neurodeploy.netxfile import NetxFile
from neurodeploy.neurons import Lif
from neurodeploy.recording import Recording
from neurodeploy.targets.lava.cells import cell_order
from neurodeploy.targets.lava.child import Progress, execute, job_folder
from neurodeploy.targets.lava.environment import require
from neurodeploy.verify_network import verify_network

Spikes = Mapping[str, npt.NDArray[np.integer[Any]]]

SCRIPT = "netx_engine.py"
#: The host's bias and a payload, as Lava's neurons and messages hold them.
_BIAS_RANGE, _PAYLOAD_RANGE = np.iinfo(np.int16), np.iinfo(np.int32)
#: What Lava's delayed connection multiplies in every step: the matrix once for each delay that it could have.
_DELAYS = 63


@dataclass(frozen=True, eq=False)
class Job:
    """A file and its input, as the worker takes them.

    Attributes
    ----------
    spec : how the file is loaded and run, as JSON values.
    values : int32 [samples, steps, cells], in the order of the loader's input.
    processes, multiplications : as :class:`neurodeploy.targets.lava.child.Work` has them.
    """

    spec: Mapping[str, Any]
    values: npt.NDArray[np.int32]
    processes: int
    multiplications: int

    def save(self, path: Path) -> None:
        """Write it for ``numpy.load`` without pickle."""
        np.savez(path, spec=np.array(json.dumps(self.spec)), input=self.values)

    @property
    def runs(self) -> int:
        """How often Lava is started: once a sample."""
        return len(self.values)

    @property
    def steps(self) -> int:
        """How many steps there are in all runs."""
        return len(self.values) * int(self.spec["steps"])


def run(
    file: NetxFile,
    spikes: Spikes,
    record: Collection[str] = ("s", "u", "v"),
    timeout: float | None = None,
    progress: Progress | None = None,
) -> Recording:
    """Simulate ``file`` as lava-dl loads it.

    Payloads other than 0 and 1 reach the loader as graded input (``input_message_bits`` 32). A layer driven by the host
    takes its bias from the first step's payload, which must stay; its u, which only our emulator uses, is left out.

    Parameters
    ----------
    spikes : port -> integer [samples, steps, *shape].
    record, timeout, progress : as in :func:`neurodeploy.targets.lava.witness.run`.

    Raises
    ------
    BackendMissing : the Lava environment is not installed.
    BackendError : Lava or lava-dl raised an exception, ended abnormally or took too long.
    Unsupported : input or resets that the loader cannot be given.
    """
    return run_many([(file, spikes)], record, timeout, progress)[0]


def run_many(
    pairs: Sequence[tuple[NetxFile, Spikes]],
    record: Collection[str] = ("s", "u", "v"),
    timeout: float | None = None,
    progress: Progress | None = None,
) -> list[Recording]:
    """Simulate several files in one worker process; parameters and errors as in :func:`run`."""
    environment = require()
    jobs = [prepare(file, spikes, record) for file, spikes in pairs]
    with tempfile.TemporaryDirectory(prefix="nd-netx-", ignore_cleanup_errors=True) as name:
        versions = execute(environment.python, jobs, Path(name), timeout, progress, script=SCRIPT)
        return [
            _recording(job_folder(Path(name), index), file, spikes, record, versions)
            for index, (file, spikes) in enumerate(pairs)
        ]


def prepare(file: NetxFile, spikes: Spikes, record: Collection[str]) -> Job:
    """Return what the worker needs to run a file on its spikes."""
    network = file.network
    verify_network(network)
    values = spikes[network.ports[0].name]
    low, high = int(values.min()), int(values.max())
    if low < _PAYLOAD_RANGE.min or high > _PAYLOAD_RANGE.max:
        raise Unsupported("input", f"payloads {low:,} to {high:,}, Lava's messages hold 32 bits", "scale them")
    samples, steps = values.shape[:2]
    quantities = {"s", "counts", *record, *(["v"] if network.readouts else [])}
    spec = {
        "file": str(file.path.absolute()),
        "layers": file.layers,
        "driven": _driven_by(file, values),
        "graded": low < 0 or high > 1,
        "samples": samples,
        "steps": steps,
        "runs": [{"steps": steps}] * samples,
        "record": sorted(quantities),
        **_resets(file),
    }
    cells = values.reshape(samples, steps, -1)[:, :, _input_order(file)].astype(np.int32)
    return Job(spec, cells, 3 * len(network.populations) + 4, _multiplications(network))


def _input_order(file: NetxFile) -> npt.NDArray[np.intp]:
    """Return the cell of the (C, H, W) flattening at each place of the loader's input; a dense layer takes it flat."""
    port, first = file.network.ports[0], file.network.projections[0].connection
    spatial = file.driven or isinstance(first, Convolution)
    return cell_order(port.shape if spatial else (int(np.prod(port.shape)),))


def _driven_by(file: NetxFile, values: npt.NDArray[Any]) -> str:
    """Return how the host drives the first population: "bias", "input" of an encoder, or "" where spikes enter."""
    if not file.driven:
        return ""
    if not isinstance(file.network.populations[0].neuron, Lif):
        return "input"
    if (values != values[:, :1]).any():
        raise Unsupported("input", "changes from step to step; lava-dl's input layer takes one bias a run", "repeat it")
    if values.min() < _BIAS_RANGE.min or values.max() > _BIAS_RANGE.max:
        raise InputError("input", f"biases {values.min()} to {values.max()}", "Lava's neurons hold 16 bits")
    return "bias"


def _resets(file: NetxFile) -> dict[str, int]:
    network = file.network
    others = [p.name for p in network.populations if not isinstance(p.neuron, Lif)]
    if network.reset_interval and others:
        found = f"population {others[0]!r} is no leaky integrate-and-fire neuron"
        raise Unsupported("reset interval", f"{found}; lava-dl resets no other", "run without it")
    return {
        "reset_interval": network.reset_interval,
        "reset_offset": network.reset_offset - file.driven,
    }


def _multiplications(network: Network) -> int:
    total = 0
    for projection in network.projections:
        source, target = (network.by_name[name].shape for name in (projection.source, projection.target))
        if isinstance(projection.connection, Convolution):
            weight = projection.connection.weight
            total += int(np.prod(target[1:])) * weight.size * int(np.prod(projection.connection.stride))
        else:
            total += int(np.prod(source)) * int(np.prod(target)) * (_DELAYS if projection.delay else 1)
    return total


def _recording(
    folder: Path,
    file: NetxFile,
    spikes: Spikes,
    record: Collection[str],
    versions: Mapping[str, str],
) -> Recording:
    network = file.network
    samples, steps = next(iter(spikes.values())).shape[:2]
    kept: dict[str, dict[str, npt.NDArray[Any]]] = {quantity: {} for quantity in ("s", "u", "v")}
    for layer, population in enumerate(network.populations):
        for quantity, table in kept.items():
            hosted = (quantity, layer) == ("u", 0) and file.driven and isinstance(population.neuron, Lif)
            answers = quantity == "v" and population.name in network.readouts
            if hosted or not (quantity == "s" or quantity in record or answers):
                continue
            tapes = [
                np.load(folder / f"{sample}.{layer}.{quantity}.npy").reshape(steps, -1) for sample in range(samples)
            ]
            values = _in_torch_order(population, np.stack(tapes))
            binary = quantity == "s" and not population.neuron.graded
            table[population.name] = values.astype(np.uint8) if binary else values
    wraps, clips = _counts(folder, network, samples)
    return Recording(
        samples=samples,
        steps=steps,
        spikes=kept["s"],
        outputs=network.outputs,
        backend="netx",
        versions=versions,
        u=kept["u"],
        v=kept["v"],
        inputs=dict(spikes),
        wraps=wraps,
        clips=clips,
        readouts=network.readouts,
    )


def _counts(folder: Path, network: Network, samples: int) -> tuple[dict[str, int], dict[str, int]]:
    """Return population -> wraps and -> saturations over all samples."""
    found: tuple[dict[str, int], dict[str, int]] = ({}, {})
    for layer, population in enumerate(network.populations):
        tapes = [np.load(folder / f"{sample}.{layer}.counts.npy") for sample in range(samples)]
        for table, count in zip(found, np.sum(tapes, axis=(0, 1)).tolist(), strict=True):
            table[population.name] = count
    return found


def _in_torch_order(population: Population, rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return [samples, steps, *shape] from cells in Lava's order."""
    cells = np.empty_like(rows)
    cells[:, :, cell_order(population.shape)] = rows
    return cells.reshape(*rows.shape[:2], *population.shape)

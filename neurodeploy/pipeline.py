"""The whole line in one call: from a trained network and real data to a folder with the integers and a report.

::

    open -> quantize -> map -> simulate -> prove equal -> count -> estimate -> write

Everything is computed before anything takes its name: the folder appears whole, or not at all.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from neurodeploy.activity import count_activity
from neurodeploy.comparison import compare
from neurodeploy.deployment import Deployment, Findings, Parity
from neurodeploy.energy import estimate
from neurodeploy.errors import BackendMissing, NotEqual, Unsupported, UsageError
from neurodeploy.graph import Graph
from neurodeploy.mapping import map_network, require_choices, require_fit
from neurodeploy.netfile import write_network
from neurodeploy.network import Network
from neurodeploy.npz import Events, read_events
from neurodeploy.placement import Placement
from neurodeploy.quantization import quantize
from neurodeploy.recording import Recording
from neurodeploy.report.document import FLOAT_FILE, build_document
from neurodeploy.report.folder import REPORT, refuse_folder, replacing_folder
from neurodeploy.report.html import render
from neurodeploy.simulation import simulate
from neurodeploy.source import Source, open_source
from neurodeploy.targets.chip import Chip, load_chip

Lava = Literal["auto", "require", "off"]
Progress = Callable[[str], None]

STEPS = ("open", "quantize", "map", "simulate", "simulate in float", "prove equal", "estimate", "write")

#: Samples of the float simulation at a time: it holds every neuron's spikes of these only.
_CHUNK = 64


@dataclass(frozen=True)
class Options:
    """How a deployment is made.

    Attributes
    ----------
    calibration : event file for the ranges of the registers; the first half of the data if None.
    samples : use the first so many of the data; all if None.
    parity_samples : samples on which the emulator is compared with the golden model and Lava, cell by cell.
    lava : ``auto`` consults Lava where it is installed and can run the network, ``require`` makes its absence an
        error, ``off`` leaves it out. The report says which it was.
    force : replace the directory if it holds an earlier deployment and nothing else.
    dt, semantics : for a .nir that does not say; ``dt`` also for a checkpoint.
    factory : ``module:function`` that builds your own module, whose weights the source holds.
    framework : what wrote the checkpoint, a key of ``DOORS`` in :mod:`neurodeploy.export.door`.
    approximate_reset : as in :func:`neurodeploy.quantization.quantize`.
    margin, optimize, share, partition : as in :func:`neurodeploy.mapping.map_network`; objectives other than ``cores``
        weigh what the populations fired on the data.
    """

    calibration: str | Path | None = None
    samples: int | None = None
    parity_samples: int = 20
    lava: Lava = "auto"
    force: bool = False
    dt: float | None = None
    semantics: str | None = None
    factory: str | None = None
    framework: str | None = None
    approximate_reset: bool = False
    margin: float | None = None
    optimize: str = "cores"
    share: bool = False
    partition: str = "own"

    def __post_init__(self) -> None:
        if self.lava not in get_args(Lava):
            raise UsageError("lava", f"{self.lava!r} is none", f"one of {', '.join(get_args(Lava))}")
        for name, value in (("parity_samples", self.parity_samples), ("samples", self.samples)):
            if value is not None and value < 1:
                raise UsageError(name, f"is {value}", "take at least one sample")


def deploy(
    source: str | Path,
    chip: str | Path,
    data: str | Path,
    directory: str | Path,
    *,
    calibration: str | Path | None = None,
    samples: int | None = None,
    parity_samples: int = 20,
    lava: Lava = "auto",
    force: bool = False,
    dt: float | None = None,
    semantics: str | None = None,
    factory: str | None = None,
    framework: str | None = None,
    approximate_reset: bool = False,
    margin: float | None = None,
    optimize: str = "cores",
    share: bool = False,
    partition: str = "own",
    progress: Progress | None = None,
) -> Deployment:
    """Take ``source`` to ``chip`` and write what came out, with a report, into ``directory``.

    Parameters
    ----------
    source : a checkpoint (.safetensors, .pt) or a .nir file, float or quantized for this chip.
    chip : a chip's name, or the path of its .toml.
    data : event file (.npz) on which everything is measured; with labels, accuracy as well.
    calibration, ..., partition : see :class:`Options`.
    progress : called with each step's name, of :data:`STEPS`, when it begins.

    Raises
    ------
    UsageError : unknown chip or option, or the directory may not be written.
    InputError : a file that cannot be read, or data that do not fit the network.
    DoesNotFit : the network exceeds a limit of the chip.
    NotEqual : two executions differ, or the exported network and the trained model.
    BackendMissing : Lava is required and missing.
    """
    options = Options(
        calibration=calibration,
        samples=samples,
        parity_samples=parity_samples,
        lava=lava,
        force=force,
        dt=dt,
        semantics=semantics,
        factory=factory,
        framework=framework,
        approximate_reset=approximate_reset,
        margin=margin,
        optimize=optimize,
        share=share,
        partition=partition,
    )
    target = load_chip(chip)
    require_choices(target, margin=margin, optimize=optimize, share=share, partition=partition)
    return _deploy(Path(source), target, Path(data), Path(directory), options, _Clock(progress))


def _deploy(source: Path, chip: Chip, data: Path, directory: Path, options: Options, clock: _Clock) -> Deployment:
    refuse_folder(directory, force=options.force)
    with replacing_folder(directory, force=options.force) as folder:
        with clock("open"):
            events = read_events(data)
            opened = open_source(
                source,
                folder / FLOAT_FILE,
                samples=data,
                dt=options.dt,
                semantics=options.semantics,
                factory=options.factory,
                framework=options.framework,
            )
        findings = _find(opened, chip, events.first(options.samples or events.samples), options, clock)
        with clock("write"):
            report = build_document(findings)
            names = _write(folder, findings, report)
    return Deployment(directory, report, tuple(directory / name for name in names), findings, clock.seconds)


def _find(source: Source, chip: Chip, data: Events, options: Options, clock: _Clock) -> Findings:
    """Take every step from the opened source to the estimate."""
    with clock("quantize"):
        chosen = None if source.network else _calibration(options.calibration, data)
        network = _integers(source, chip, chosen, options)
    with clock("map"):
        placement = _map(network, chip, options)
        require_fit(placement)
    with clock("simulate"):
        recording = simulate(network, data.spikes)
        if options.optimize != "cores":
            placement = _map(network, chip, options, recording)
    with clock("simulate in float"):
        float_predictions = _predict(source.graph, data)
    with clock("prove equal"):
        parity = _prove(network, data.first(options.parity_samples), options.lava)
    with clock("estimate"):
        activity = count_activity(network, recording, placement)
        cost = estimate(activity, placement, chip)
    return Findings(source, data, chosen, network, placement, recording, float_predictions, parity, activity, cost)


def _map(network: Network, chip: Chip, options: Options, recording: Recording | None = None) -> Placement:
    """Place the network: on the fewest cores while nothing has been recorded, else as the objective has it."""
    place = partial(map_network, network, chip, margin=options.margin, share=options.share, partition=options.partition)
    return place() if recording is None else place(optimize=options.optimize, rates=recording.rates())


def _calibration(path: str | Path | None, data: Events) -> tuple[Events, str]:
    """Return the calibration events and how they came to be chosen."""
    if path is not None:
        return read_events(path), "a file of its own"
    half = -(-data.samples // 2)
    return data.first(half), f"the first {half} of the {data.samples} data samples, which are measured as well"


def _integers(source: Source, chip: Chip, calibration: tuple[Events, str] | None, options: Options) -> Network:
    network = source.network
    if network is None:
        assert calibration is not None
        return quantize(source.graph, chip, calibration[0].spikes, approximate_reset=options.approximate_reset)
    if network.target not in ("", chip.name):
        advice = f"give the float network, or --target {network.target}"
        raise UsageError(str(source.path), f"is quantized for {network.target}, not for {chip.name}", advice)
    return network


def _predict(graph: Graph, data: Events) -> npt.NDArray[np.int64]:
    """Return what the float network answers to each sample."""
    answers = []
    for start in range(0, data.samples, _CHUNK):
        part = {name: values[start : start + _CHUNK] for name, values in data.spikes.items()}
        answers.append(simulate(graph, part, "float").predictions())
    return np.concatenate(answers)


def _prove(network: Network, data: Events, lava: Lava) -> Parity:
    """Hold the emulator against the golden model and Lava, in s, u and v of every neuron and step.

    Raises
    ------
    NotEqual : with the first cell that differs.
    """
    emulated = _record(network, data, "emulator")
    witnesses, absent = [_record(network, data, "golden")], ""
    versions: Mapping[str, str] = {}
    if lava == "off":
        absent = "it was switched off"
    else:
        try:
            witnesses.append(_record(network, data, "lava"))
            versions = witnesses[-1].versions
        except (BackendMissing, Unsupported) as error:
            if lava == "require":
                raise
            # Where Lava was looked for is this machine's business; the report is to be the same everywhere.
            missing = isinstance(error, BackendMissing)
            absent = f"it is missing here; {error.advice}" if missing else str(error)
    comparisons = tuple(compare(emulated, witness) for witness in witnesses)
    for comparison in comparisons:
        if not comparison.equal:
            raise NotEqual(
                " and ".join(comparison.backends), comparison.summary(), "please report it; nothing was kept"
            )
    return Parity(comparisons, dict(versions), absent)


def _record(network: Network, data: Events, backend: str) -> Recording:
    return simulate(network, data.spikes, backend, record=("s", "u", "v"))


def _write(folder: Path, findings: Findings, report: Mapping[str, Any]) -> list[str]:
    """Write every file beside the ``net.nir`` that is there already; return the names of all."""
    write_network(findings.network, folder / report["files"]["network"])
    documents = {report["files"]["placement"]: findings.placement.as_dict(cores=True), REPORT: report}
    for name, document in documents.items():
        text = json.dumps(document, indent=2, allow_nan=False) + "\n"
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    page = render(report, findings.recording.spikes[findings.recording.outputs[0]])
    (folder / report["files"]["page"]).write_text(page, encoding="utf-8", newline="\n")
    return list(report["files"].values())


class _Clock:
    """Announces each step and keeps its wall time."""

    def __init__(self, progress: Progress | None) -> None:
        self.progress = progress
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, step: str) -> Iterator[None]:
        if self.progress is not None:
            self.progress(step)
        start = time.perf_counter()
        yield
        self.seconds[step] = time.perf_counter() - start

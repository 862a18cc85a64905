"""From a trained network without spikes to a spiking one that answers by rates, with what that costs at each length."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.errors import InputError, UsageError
from neurodeploy.export.onnx.ann import Ann
from neurodeploy.export.onnx.coding import Coding, choose_coding
from neurodeploy.export.onnx.engine import Measured, measure
from neurodeploy.export.onnx.spiking import Recipe, spiking
from neurodeploy.export.onnx.translation import Choices, read_ann
from neurodeploy.files import refuse_existing, replacing
from neurodeploy.graph import Graph
from neurodeploy.nirfile import read_graph, write_graph
from neurodeploy.npz import read_npz, write_npz
from neurodeploy.targets.reference import run

Array = npt.NDArray[Any]

#: Samples whose activations are measured, samples on which both networks are compared, and how many of them at a time.
CALIBRATION_SAMPLES, TEST_SAMPLES, _PART = 1024, 500, 25
#: Lengths of a run that are reported, up to that of the conversion.
LENGTHS = (4, 8, 16, 32, 64, 128, 256, 512, 1024)
_MOST_STEPS = 4096


@dataclass(frozen=True)
class Settings:
    """How a network is converted.

    Attributes
    ----------
    steps : length of a run.
    percentile : of a layer's activations, that one spike a step stands for; larger ones are cut off.
    coding, levels : of the input, see :mod:`neurodeploy.export.onnx.coding`.
    reset, readout : see :class:`neurodeploy.export.onnx.spiking.Recipe`.
    max_pool : ``refuse``, or ``or``: a maximum of spikes for a maximum of rates.
    dt : seconds of a step.
    """

    steps: int = 32
    percentile: float = 99.9
    coding: str = "payload"
    levels: int = 255
    reset: str = "subtract"
    readout: str = "spikes"
    max_pool: str = "refuse"
    dt: float = 1e-3

    def __post_init__(self) -> None:
        if not 1 <= self.steps <= _MOST_STEPS:
            raise UsageError("--steps", f"is {self.steps}", f"1 to {_MOST_STEPS} are allowed")
        if not 0 < self.percentile <= 100:
            raise UsageError("--percentile", f"is {self.percentile}", "above 0, at most 100")
        if not 1 <= self.levels <= (1 << 15):
            raise UsageError("--levels", f"is {self.levels}", f"1 to {1 << 15} are allowed")
        if self.max_pool not in ("refuse", "or"):
            raise UsageError("--max-pool", f"{self.max_pool!r} is none", "one of refuse, or")


@dataclass(frozen=True, eq=False)
class Conversion:
    """A written file and what was measured of it.

    Attributes
    ----------
    graph : as read back from the file.
    coding : how inputs are turned into what the network takes.
    levels : layer -> the activation that one spike a step stands for.
    samples : on how many the two networks were compared.
    agreement : length -> share of samples on which both give the same answer.
    accuracy : ``float`` and each length -> share of right answers; empty without labels.
    """

    file: Path
    graph: Graph
    coding: Coding
    levels: Mapping[str, float]
    samples: int
    agreement: Mapping[int, float]
    accuracy: Mapping[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the outcome as JSON values."""
        return {
            "file": str(self.file),
            "nodes": len(self.graph.nodes),
            "coding": self.coding.as_dict(),
            "levels": dict(self.levels),
            "samples": self.samples,
            "agreement": {str(steps): share for steps, share in self.agreement.items()},
            "accuracy": dict(self.accuracy),
            "notes": list(self.graph.notes),
        }


def convert_ann(
    source: str | Path,
    output: str | Path,
    calibration: str | Path,
    settings: Settings | None = None,
    *,
    test: str | Path | None = None,
    encoded: str | Path | None = None,
    force: bool = False,
) -> Conversion:
    """Write the spiking form of an ``.onnx`` network to a ``.nir`` file and compare the two.

    Parameters
    ----------
    calibration : .npz with ``inputs`` [samples, *shape] and, where accuracy is wanted, ``labels`` [samples].
    test : another one, on which the two are compared; ``calibration`` if None, which a note then says.
    encoded : event file to write, with the inputs of the comparison as the spiking network takes them.
    force : replace existing files.

    Raises
    ------
    InputError : a file that cannot be read, or an operation that cannot become spiking neurons.
    UsageError : settings out of range, data that do not fit, or files that exist.
    BackendMissing : onnx or onnxruntime is not installed.
    """
    settings = settings or Settings()
    output = Path(output)
    if output.suffix != ".nir":
        raise UsageError(str(output), f"has the suffix {output.suffix or 'none'!r}", "give a name that ends in .nir")
    for path in (output, *([] if encoded is None else [encoded])):
        refuse_existing(path, force=force)
    ann, model = read_ann(source, Choices(settings.max_pool))
    seen, _ = _inputs(calibration, CALIBRATION_SAMPLES)
    inputs, labels = _inputs(test or calibration, TEST_SAMPLES)
    measured = measure(ann, model, seen, settings.percentile)
    coding = choose_coding(settings.coding, seen, settings.levels)
    expected = measure(ann, model, inputs).answers
    graph = spiking(ann, _recipe(ann, settings, coding, measured))
    with replacing(output) as temporary:
        write_graph(graph, temporary, force=True)
        graph = read_graph(temporary)
        answers = _answers(graph, coding, inputs, settings)
    if encoded is not None:
        _write_events(encoded, coding.encode(inputs, settings.steps), labels)
    accuracy = {} if labels is None else {"float": _share(expected.argmax(axis=1), labels)}
    if labels is not None:
        accuracy |= {str(steps): _share(found, labels) for steps, found in answers.items()}
    agreement = {steps: _share(found, expected.argmax(axis=1)) for steps, found in answers.items()}
    return Conversion(output, graph, coding, measured.levels, len(inputs), agreement, accuracy)


def _recipe(ann: Ann, settings: Settings, coding: Coding, measured: Measured) -> Recipe:
    """Turn what was measured into levels; a layer that never answered keeps its scale."""
    ceilings = {name: part.ceiling for name, part in ann.activations.items()}
    levels = {}
    for name, level in measured.levels.items():
        ceiling = ceilings[name]
        levels[name] = (level if ceiling is None else min(level, ceiling)) or 1.0
    low, high = np.percentile(measured.answers, [100 - settings.percentile, settings.percentile])
    span = (float(low), float(high) if high > low else float(low) + 1.0)
    return Recipe(coding, levels, span, settings.steps, settings.reset, settings.readout, settings.dt)


def _inputs(path: str | Path, most: int) -> tuple[Array, Array | None]:
    """Return inputs and labels of a data file, the first so many."""
    arrays = read_npz(path)
    if "inputs" not in arrays:
        raise InputError(
            str(path), f"holds {', '.join(arrays) or 'nothing'} but no 'inputs'", "name the array 'inputs'"
        )
    inputs, labels = arrays["inputs"], arrays.get("labels")
    if inputs.dtype.kind not in "fiub" or inputs.ndim < 2 or 0 in inputs.shape:
        found = f"inputs are {inputs.dtype} {list(inputs.shape)}"
        raise InputError(str(path), found, "give numbers [samples, *shape]")
    if not np.isfinite(inputs).all():
        raise InputError(str(path), "inputs hold NaN or infinity", "give finite numbers")
    if labels is not None and (labels.shape != inputs.shape[:1] or labels.dtype.kind not in "iu"):
        found = f"labels are {labels.dtype} {list(labels.shape)} for {len(inputs)} samples"
        raise InputError(str(path), found, "give one whole number per sample")
    return inputs[:most], None if labels is None else labels[:most]


def _answers(graph: Graph, coding: Coding, inputs: Array, settings: Settings) -> dict[int, npt.NDArray[np.int64]]:
    """Return length -> what the spiking network answers after so many steps, int64 [samples]."""
    lengths = [*(n for n in LENGTHS if n < settings.steps), settings.steps]
    (source,), (output,) = graph.inputs, graph.outputs
    found: dict[int, list[Array]] = {steps: [] for steps in lengths}
    for start in range(0, len(inputs), _PART):
        spikes = coding.encode(inputs[start : start + _PART], settings.steps)
        answer = run(graph, {source: spikes}, ("s",))[f"output/{output}"]
        answer = answer.reshape(*answer.shape[:2], -1)
        if settings.readout == "spikes":
            answer = np.cumsum(answer, axis=1)
        for steps in lengths:
            found[steps].append(answer[:, steps - 1].argmax(axis=1))
    return {steps: np.concatenate(parts) for steps, parts in found.items()}


def _share(found: Array, expected: Array) -> float:
    return float(np.mean(found == expected))


def _write_events(path: str | Path, spikes: Array, labels: Array | None) -> None:
    arrays = {"spikes": spikes} if labels is None else {"spikes": spikes, "labels": labels}
    with replacing(path) as temporary:
        write_npz(temporary, arrays)

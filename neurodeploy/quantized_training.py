"""From a float network and labelled samples to integers that were trained as integers, in a folder."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodeploy.choices import Choices
from neurodeploy.errors import InputError, UsageError
from neurodeploy.events import EventInput
from neurodeploy.files import replacing
from neurodeploy.graph import Graph
from neurodeploy.netfile import write_network
from neurodeploy.npz import Events
from neurodeploy.quantization import quantization
from neurodeploy.simulation import ports, simulate
from neurodeploy.targets.chip import Chip

if TYPE_CHECKING:
    from neurodeploy.models.finetune import FinetuneEpoch, FinetuneSettings
    from neurodeploy.models.spikes import LabelledSpikes, Samples

NETWORK, EPOCHS = "quantized.nir", "finetuning.jsonl"
#: Training samples that the integer ranges are chosen on before training.
CALIBRATION = 256


@dataclass(frozen=True)
class QuantizedTraining:
    """What came of it.

    Attributes
    ----------
    float_accuracy, rounded_accuracy, trained_accuracy : shares of the test samples, None without any: of the float
        network, of its integers before training, and after.
    proved_cells : spikes in which the trained forward pass was found equal to the emulator.
    """

    target: str
    float_accuracy: float | None
    rounded_accuracy: float | None
    trained_accuracy: float | None
    epochs: int
    proved_cells: int
    seconds: float
    files: dict[str, Path]

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {**asdict(self), "files": {name: str(path) for name, path in self.files.items()}}


def samples_of(events: Events, graph: Graph) -> Samples:
    """Return labelled events for the port of ``graph`` as training samples.

    Raises
    ------
    UsageError : they have no labels, or are for several ports.
    """
    from neurodeploy.models.spikes import Samples

    if events.labels is None:
        raise UsageError(events.path, "holds no labels", "give an .npz with the keys spikes and labels")
    if len(events.spikes) != 1 or len(graph.inputs) != 1:
        found = f"holds {len(events.spikes)} inputs for the {len(graph.inputs)} of the network"
        raise UsageError(events.path, found, "fine-tuning knows networks of one input")
    (spikes,) = events.spikes.values()
    (shape,) = ports(graph).values()
    return Samples(spikes.dense(shape).astype(np.uint8) if isinstance(spikes, EventInput) else spikes, events.labels)


def train_quantized(
    graph: Graph,
    chip: Chip,
    train: LabelledSpikes,
    test: LabelledSpikes | None,
    folder: Path,
    settings: FinetuneSettings,
    *,
    weight_bits: int | None = None,
    force: bool = False,
    on_epoch: Callable[[FinetuneEpoch], None] | None = None,
) -> QuantizedTraining:
    """Quantize ``graph`` for ``chip``, train its integers on ``train``, and write network and epochs to ``folder``.

    ``weight_bits`` is the width of all weights, by default the chip's widest.

    Raises
    ------
    UsageError : the files are there already and ``force`` is not set.
    InputError : samples of another shape, labels beyond the output, or training that stopped being finite.
    Unsupported : the chip cannot express the network.
    """
    from neurodeploy.models.finetune import finetune
    from neurodeploy.models.spikes import all_spikes

    files = {"network": folder / NETWORK, "epochs": folder / EPOCHS}
    for path in files.values():
        if path.exists() and not force:
            raise UsageError(str(path), "already exists", "replace it with --force, or choose another folder with -o")
    began = time.monotonic()
    # Training keeps one scale a population: its weights, thresholds and biases are float values times that scale.
    seen = train.take(np.arange(min(CALIBRATION, len(train)))).spikes
    start = quantization(graph, chip, seen, Choices(scales="population", weight_bits=weight_bits))
    result = finetune(start, chip, train, test, settings, on_epoch)
    networks = () if test is None else (start.network, result.network)
    scored = [simulate(network, all_spikes(test)).accuracy(test.labels) for network in networks if test is not None]
    full = None if test is None else simulate(graph, all_spikes(test), "float").accuracy(test.labels)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(str(folder), f"cannot be made ({error.strerror})", "choose another folder with -o") from error
    with replacing(files["epochs"]) as temporary:
        lines = (json.dumps(asdict(epoch)) + "\n" for epoch in result.history)
        temporary.write_text("".join(lines), encoding="utf-8", newline="\n")
    write_network(result.network, files["network"], force=force)
    return QuantizedTraining(
        target=chip.name,
        float_accuracy=full,
        rounded_accuracy=scored[0] if scored else None,
        trained_accuracy=scored[1] if scored else None,
        epochs=len(result.history),
        proved_cells=result.proved_cells,
        seconds=time.monotonic() - began,
        files=files,
    )

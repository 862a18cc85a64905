"""Quantization-aware fine-tuning: some epochs in which a network is trained as the integers that the chip will hold."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from neurodeploy.errors import InputError
from neurodeploy.events import EventInput
from neurodeploy.models.quantized import QuantizedNetwork
from neurodeploy.models.spikes import LabelledSpikes, all_spikes
from neurodeploy.models.tables import bounded
from neurodeploy.models.threads import one_thread
from neurodeploy.network import Network
from neurodeploy.quantization import Quantization
from neurodeploy.simulation import simulate
from neurodeploy.targets.chip import Chip

#: Spike counts and potentials differ in size: what they are multiplied by before the softmax starts at the power of two
#: with the least loss on the first batch, and is trained at this rate, for that batch may come from a broken network.
_LOGIT_SCALES = tuple(2.0**k for k in range(-4, 5))
_LOGIT_RATE = 0.05
_PROOF_SAMPLES = 16


@dataclass(frozen=True)
class FinetuneSettings:
    """Adam with a cosine to zero.

    Attributes
    ----------
    learning_rate : per step relative to the root mean square of each parameter array, whose sizes differ by orders.
    learn : which parameters change, see :class:`neurodeploy.models.quantized.QuantizedNetwork`.
    """

    epochs: int = bounded(1, 100_000, 5)
    learning_rate: float = bounded(0.0, 1e3, 0.02)
    batch_size: int = bounded(1, 65_536, 64)
    seed: int = bounded(0, 2**32 - 1, 0)
    learn: tuple[str, ...] = ("weight", "bias", "threshold")


@dataclass(frozen=True)
class FinetuneEpoch:
    """One epoch: mean loss and accuracy over the training samples on the way, then of the integers on ``test``."""

    epoch: int
    loss: float
    train_accuracy: float
    test_accuracy: float | None


@dataclass(frozen=True, eq=False)
class Finetuned:
    """The fine-tuned integers, the epochs, and over how many cells the forward pass was found equal to the emulator."""

    quantization: Quantization
    history: tuple[FinetuneEpoch, ...]
    proved_cells: int

    @property
    def network(self) -> Network:
        """The fine-tuned integer network."""
        return self.quantization.network


def finetune(
    quantization: Quantization,
    chip: Chip,
    train: LabelledSpikes,
    test: LabelledSpikes | None = None,
    settings: FinetuneSettings | None = None,
    on_epoch: Callable[[FinetuneEpoch], None] | None = None,
) -> Finetuned:
    """Return the quantized network trained further on ``train`` as the integers that it is made of.

    The answer is the class with most spikes of the first output (or the largest last potential of a read-out). One
    thread does the work: equal arguments give equal integers. Afterwards the forward pass is held against the emulator
    in every spike of some training samples.

    Raises
    ------
    InputError : the labels do not fit the output, the loss stopped being finite, or the forward pass is not the
        emulator's.
    """
    settings = settings or FinetuneSettings()
    with one_thread():
        model = QuantizedNetwork(quantization, chip, settings.learn, _largest(all_spikes(train)))
        _check_labels(model, train)
        history = []
        for epoch in _epochs(model, train, settings):
            integers = model.network()
            scored = None if test is None else simulate(integers, all_spikes(test)).accuracy(test.labels)
            history.append(replace(epoch, test_accuracy=scored))
            if on_epoch is not None:
                on_epoch(history[-1])
        return Finetuned(model.quantization(), tuple(history), _prove(model, train))


def _epochs(model: QuantizedNetwork, train: LabelledSpikes, settings: FinetuneSettings) -> Iterator[FinetuneEpoch]:
    """Train epoch by epoch."""
    logit_scale = torch.zeros((), requires_grad=True)  # its logarithm
    optimizer = _optimizer(model, settings.learning_rate, logit_scale)
    batches = math.ceil(len(train) / settings.batch_size)
    for epoch in range(settings.epochs):
        order = np.random.RandomState([settings.seed, epoch]).permutation(len(train))
        loss_sum = right = 0.0
        for index in range(batches):
            batch = train.take(order[index * settings.batch_size : (index + 1) * settings.batch_size])
            labels = torch.from_numpy(batch.labels)
            scores = model.scores(model(torch.from_numpy(batch.spikes)))
            if epoch == index == 0:
                _set_best_scale(logit_scale, scores, labels)
            loss = nn.functional.cross_entropy(scores * logit_scale.exp(), labels)
            _cosine(optimizer, (epoch + index / batches) / settings.epochs)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            _require_finite(model, loss, epoch + 1)
            loss_sum += loss.item() * len(batch)
            right += int((scores.detach().argmax(dim=1) == labels).sum())
        yield FinetuneEpoch(epoch + 1, loss_sum / len(train), right / len(train), None)


def _optimizer(model: QuantizedNetwork, rate: float, logit_scale: Tensor) -> torch.optim.Optimizer:
    groups: list[dict[str, Any]] = [{"params": [logit_scale], "lr": _LOGIT_RATE, "peak": _LOGIT_RATE}]
    for parameter in model.parameters():
        if parameter.requires_grad:
            size = float(parameter.detach().double().square().mean().sqrt())
            # A bias that was trained as 0 has no size of its own: the threshold's hundredth lets it move.
            groups.append({"params": [parameter], "lr": rate * (size or 0.01), "peak": rate * (size or 0.01)})
    return torch.optim.Adam(groups, foreach=False)


def _cosine(optimizer: torch.optim.Optimizer, progress: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * 0.5 * (1.0 + math.cos(math.pi * progress))


@torch.no_grad()
def _set_best_scale(logit_scale: Tensor, scores: Tensor, labels: Tensor) -> None:
    best = min(_LOGIT_SCALES, key=lambda scale: float(nn.functional.cross_entropy(scores * scale, labels)))
    logit_scale.fill_(math.log(best))


def _check_labels(model: QuantizedNetwork, train: LabelledSpikes) -> None:
    name = model.base.outputs[0]
    classes = int(np.prod(model.base.by_name[name].shape))
    if not len(train) or train.labels.min() < 0 or train.labels.max() >= classes:
        found = f"{len(train)} samples" + (f", labels to {train.labels.max()}" if len(train) else "")
        raise InputError("training samples", f"{found}; output {name!r} has {classes} classes", "give labels from 0")


def _require_finite(model: QuantizedNetwork, loss: Tensor, epoch: int) -> None:
    bad = [name for name, parameter in model.named_trained() if not torch.isfinite(parameter).all()]
    if bad or not torch.isfinite(loss):
        raise InputError(
            bad[0] if bad else "the loss",
            f"is no longer finite in epoch {epoch} of fine-tuning",
            "lower the learning rate; the network that it started from is unchanged",
        )


def _largest(spikes: npt.NDArray[np.uint8] | EventInput) -> int:
    values = spikes.payloads() if isinstance(spikes, EventInput) else spikes
    return int(values.max(initial=1))


@torch.no_grad()
def _prove(model: QuantizedNetwork, train: LabelledSpikes) -> int:
    """Return how many spike cells of some training samples were found equal to the emulator's."""
    spikes = train.take(np.arange(min(_PROOF_SAMPLES, len(train)))).spikes
    trace, recording = model(torch.from_numpy(spikes)), simulate(model.network(), spikes)
    cells = 0
    for name, expected in recording.spikes.items():
        found = trace.spikes[name].transpose(0, 1).numpy()
        if differing := int((found != expected).sum()):
            raise InputError(
                name,
                f"{differing} of {expected.size} spikes of the trained forward pass are not the emulator's",
                "this build of torch sums whole numbers inexactly; train on another device",
            )
        cells += expected.size
    return cells

"""One training run in memory: a network, its optimizer and its data, advanced epoch by epoch.

Everything an epoch does follows from the state before it, the seed and the epoch's number, so that a run taken up again
from a checkpoint ends in the same bits.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from neurodeploy.errors import InputError
from neurodeploy.models.checkpoint import Checkpoint, check_tensors
from neurodeploy.models.convnet import ConvNet, as_input, build_model, evaluating
from neurodeploy.models.data.ahead import ahead
from neurodeploy.models.recipe import Recipe
from neurodeploy.models.spikes import LabelledSpikes, Samples, SpikeDataset

_MOMENTS = ("exp_avg", "exp_avg_sq")
_EVALUATION_BATCH = 256


@dataclass(frozen=True)
class EpochMetrics:
    """What one epoch ended with; losses and accuracies are means over samples, the training ones taken on the way."""

    epoch: int
    loss: float
    train_accuracy: float
    test_accuracy: float
    learning_rate: float


class Trainer:
    """Trains ``recipe``'s network on ``data``; draws from and leaves its mark on torch's global generator.

    ``history`` holds one :class:`EpochMetrics` for each epoch done.
    """

    def __init__(self, recipe: Recipe, data: SpikeDataset) -> None:
        self.recipe, self.data = recipe, data
        torch.manual_seed(recipe.seed)
        self.model: ConvNet = build_model(recipe)
        self.history: list[EpochMetrics] = []
        self._parameters = dict(self.model.named_parameters())
        matrices = [p for p in self._parameters.values() if p.ndim > 1]
        others = [p for p in self._parameters.values() if p.ndim <= 1]  # decaying biases and norms only hurts
        decay = recipe.training.weight_decay
        groups = [{"params": matrices, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]
        self._optimizer = torch.optim.AdamW(groups, lr=recipe.training.learning_rate, foreach=False)

    def run_epoch(self) -> EpochMetrics:
        """Train one more epoch and return its metrics.

        Raises :class:`InputError`, naming epoch and layer, when a number stops being finite; the state in memory is
        then spoilt, checkpoints are not.
        """
        settings, train = self.recipe.training, self.data.train
        epoch = len(self.history) + 1
        order = np.random.RandomState([self.recipe.seed, epoch]).permutation(len(train))
        batches = np.array_split(order, range(settings.batch_size, len(train), settings.batch_size))
        self.model.train()
        loss = correct = 0.0
        for index, batch in enumerate(ahead(train.take(indices) for indices in batches)):
            progress = (epoch - 1 + index / len(batches)) / settings.epochs
            rate = self._set_rate(progress)
            batch_loss, batch_correct = self._step(batch, epoch)
            loss += batch_loss * len(batch)
            correct += batch_correct
        if (layer := _first_not_finite(self.model.state_dict())) is not None:
            raise self._diverged(epoch, layer)
        size = len(train)
        self.history.append(EpochMetrics(epoch, loss / size, correct / size, self.accuracy(self.data.test), rate))
        return self.history[-1]

    @torch.no_grad()
    def accuracy(self, samples: LabelledSpikes) -> float:
        """Return the share of ``samples`` whose label is the class with most output spikes, the first one on ties."""
        right = 0
        with evaluating(self.model):
            starts = range(_EVALUATION_BATCH, len(samples), _EVALUATION_BATCH)
            for part in ahead(samples.take(indices) for indices in np.array_split(np.arange(len(samples)), starts)):
                counts = self.model(as_input(part.spikes)).sum(dim=0).numpy()
                right += int((counts.argmax(axis=1) == part.labels).sum())
        return right / len(samples)

    def checkpoint(self) -> Checkpoint:
        """Return all that a run needs to go on from here; the tensors are the living ones, not copies."""
        optimizer = {
            f"{name}/{key}": value
            for name, parameter in self._parameters.items()
            for key, value in self._optimizer.state[parameter].items()
        }
        history = [asdict(metrics) for metrics in self.history]
        return Checkpoint(
            self.recipe, len(history), self.model.state_dict(), history, optimizer, torch.random.get_rng_state()
        )

    def restore(self, checkpoint: Checkpoint, file: str) -> None:
        """Go on from ``checkpoint``, read from ``file``; raise :class:`InputError` when it is damaged."""
        expected: dict[str, Tensor] = {f"{name}/step": torch.zeros(()) for name in self._parameters}
        expected |= {f"{name}/{key}": p for name, p in self._parameters.items() for key in _MOMENTS}
        check_tensors(checkpoint.optimizer, expected, file)
        generator = torch.random.get_rng_state()
        if checkpoint.rng is None or checkpoint.rng.shape != generator.shape or checkpoint.rng.dtype != generator.dtype:
            raise InputError(file, "holds no state of torch's generator that fits", "start again with --force")
        try:
            self.history = [EpochMetrics(**line) for line in checkpoint.history]
        except TypeError as error:
            raise InputError(file, f"its history is damaged ({error})", "start again with --force") from error
        if [metrics.epoch for metrics in self.history] != list(range(1, checkpoint.epoch + 1)):
            raise InputError(
                file, f"its history does not count to epoch {checkpoint.epoch}", "start again with --force"
            )
        self.model.load_state_dict(dict(checkpoint.model))
        for name, parameter in self._parameters.items():
            state = self._optimizer.state[parameter]
            # A copy into the parameter's own memory layout: what runs over it must not run differently.
            state |= {key: torch.empty_like(parameter).copy_(checkpoint.optimizer[f"{name}/{key}"]) for key in _MOMENTS}
            state["step"] = checkpoint.optimizer[f"{name}/step"].clone()
        torch.random.set_rng_state(checkpoint.rng)

    def _set_rate(self, progress: float) -> float:
        """Set and return the learning rate after ``progress`` (0 to 1) of the run: half a cosine down to zero."""
        rate = self.recipe.training.learning_rate * 0.5 * (1.0 + math.cos(math.pi * progress))
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        return rate

    def _step(self, batch: Samples, epoch: int) -> tuple[float, int]:
        """Take one optimizer step and return the batch's mean loss and its number of right answers."""
        x, labels = as_input(batch.spikes), torch.from_numpy(batch.labels)
        counts = self.model(x).sum(dim=0)
        loss = nn.functional.cross_entropy(counts * self.recipe.training.logit_scale, labels)
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        gradients = {name: p.grad for name, p in self._parameters.items() if p.grad is not None}
        if not torch.isfinite(loss) or _first_not_finite(gradients) is not None:
            raise self._diverged(epoch, self._culprit(x, gradients))
        self._optimizer.step()
        return loss.item(), int((counts.detach().numpy().argmax(axis=1) == batch.labels).sum())

    @torch.no_grad()
    def _culprit(self, x: Tensor, gradients: dict[str, Tensor]) -> str:
        """Return the first layer whose parameters, then outputs, then gradients are not all finite."""
        outputs = {f"layers.{name}": output for name, output in self.model.trace(x)}
        found = (_first_not_finite(tensors) for tensors in (self.model.state_dict(), outputs, gradients))
        return next((name for name in found if name), "the loss")

    def _diverged(self, epoch: int, layer: str) -> InputError:
        return InputError(
            f"recipe {self.recipe.name!r}",
            f"training diverged in epoch {epoch}: {layer} is no longer finite",
            f"the state after epoch {epoch - 1} is kept; lower training.learning_rate and start again",
        )


def _first_not_finite(tensors: dict[str, Any]) -> str | None:
    return next((name for name, value in tensors.items() if not torch.isfinite(value).all()), None)

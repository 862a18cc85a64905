"""One training run in memory: a network, its optimizer and its data, advanced epoch by epoch.

Everything a step does follows from the state before it, the seed and the step's number, so that a run taken up again
from a checkpoint ends in the same bits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from neurodeploy.errors import InputError, UsageError
from neurodeploy.models.averaging import WeightAverage
from neurodeploy.models.checkpoint import Checkpoint, check_tensors
from neurodeploy.models.convnet import build_model, evaluating
from neurodeploy.models.data.ahead import ahead
from neurodeploy.models.data.dense import DenseDataset
from neurodeploy.models.optimizers import NamedOptimizer
from neurodeploy.models.processes import ALONE, Indices, Processes
from neurodeploy.models.recipe import Recipe
from neurodeploy.models.schedule import learning_rate
from neurodeploy.models.spikes import Drawn, SpikeDataset
from neurodeploy.models.synchronised import synchronise
from neurodeploy.models.tasks.building import build_task
from neurodeploy.models.tasks.task import Batch, Task
from neurodeploy.models.watching import watching

_AGAIN = "start again with --force"


@dataclass(frozen=True)
class EpochMetrics:
    """What one epoch ended with; losses and accuracies are means over samples, the training ones taken on the way.

    Where a task is judged otherwise, ``test_accuracy`` is what it is judged by (mean IoU, average precision), there is
    no ``train_accuracy``, and ``figures`` are what else its tests tell.
    """

    epoch: int
    loss: float
    train_accuracy: float | None
    test_accuracy: float
    learning_rate: float
    figures: Mapping[str, float] = field(default_factory=dict)

    def as_line(self) -> dict[str, Any]:
        """Return the metrics for JSON, figures only where there are any."""
        return {name: value for name, value in asdict(self).items() if name != "figures" or value}


class Trainer:
    """Trains ``recipe``'s network on ``data``; draws from and leaves its mark on torch's global generator.

    ``history`` holds one :class:`EpochMetrics` for each epoch done, ``step`` counts the optimizer steps of the epoch
    begun after them, ``waited`` the seconds that steps have waited for their samples. ``after_step`` is called after
    each step; what it raises leaves a state that training can go on from. ``task`` is the recipe's.
    """

    def __init__(self, recipe: Recipe, data: SpikeDataset | DenseDataset, processes: Processes = ALONE) -> None:
        self.recipe, self.data, self.processes = recipe, data, processes
        torch.manual_seed(recipe.seed)
        self.model: nn.Module = build_model(recipe).to(processes.device)
        if recipe.training.sync_batchnorm and processes.size > 1:
            synchronise(self.model)
        self.history: list[EpochMetrics] = []
        self.step, self.waited = 0, 0.0
        self.after_step: Callable[[], None] | None = None
        self._loss, self._correct, self._rate = 0.0, 0, 0.0
        module = nn.parallel.DistributedDataParallel(self.model) if processes.size > 1 else self.model
        self._module = module
        self.task: Task = build_task(recipe, self.model, module, processes)
        beside = {f"auxiliary/{name}": p for name, p in self.task.auxiliary.named_parameters()}
        self._parameters = dict(self.model.named_parameters()) | beside
        self._average = WeightAverage(self.model, recipe.training.ema) if recipe.training.ema else None
        trained = {name: p for name, p in self._parameters.items() if p.requires_grad}
        self._optimizer = NamedOptimizer(trained, recipe.training, _heads(recipe, self.model))

    def begin(self) -> None:
        """Give the network the weights that the recipe lets it begin with, where it names some."""
        if file := self.recipe.training.pretrained:
            from neurodeploy.models.metasdt.pretrained import load_backbone

            load_backbone(self.model, file)
            if self._average is not None:
                self._average = WeightAverage(self.model, self.recipe.training.ema)

    @property
    def steps(self) -> int:
        """The optimizer steps of an epoch."""
        return math.ceil(len(self.data.train) / self.recipe.training.batch_size)

    def run_epoch(self) -> EpochMetrics:
        """Train what is left of one more epoch and return its metrics.

        Raises :class:`InputError`, naming epoch and layer, when a number stops being finite; the state in memory is
        then spoilt, checkpoints are not.
        """
        settings, size = self.recipe.training, len(self.data.train)
        epoch = len(self.history) + 1
        order = np.random.RandomState([self.recipe.seed, epoch]).permutation(size)
        batches = np.array_split(order, range(settings.batch_size, size, settings.batch_size))
        self.model.train()
        rate = learning_rate(settings, epoch * self.steps - 1, self.steps)
        left, waited = batches[self.step :], self.waited
        with closing(ahead(self._loaded(batch, epoch) for batch in left)) as loaded:
            for batch, parts in zip(left, loaded, strict=True):
                rate = learning_rate(settings, (epoch - 1) * self.steps + self.step, self.steps)
                self.waited = waited + loaded.waited
                loss, correct = self._take_step(parts, len(batch), epoch, rate)
                self._loss += loss
                self._correct += correct
                self.step += 1
                if self.after_step is not None:
                    self.after_step()
        self.check_finite()
        figures = self.figures(self.data.test)
        right, score = self._correct / size if self.task.counted else None, figures.pop("score")
        self.history.append(EpochMetrics(epoch, self._loss / size, right, score, rate, figures))
        self.step, self._loss, self._correct = 0, 0.0, 0
        return self.history[-1]

    @torch.no_grad()
    def figures(self, samples: Any) -> dict[str, float]:
        """Return the figures of the network that is handed on, on one side of the data; see :class:`Task`."""
        with evaluating(self.model), self._averaged():
            return dict(self.task.figures(samples))

    def accuracy(self, samples: Any) -> float:
        """Return what the network is judged by on one side of the data, such as the share of right answers."""
        return self.figures(samples)["score"]

    def check_finite(self) -> None:
        """Raise :class:`InputError` when a parameter or a running statistic is NaN or infinite."""
        if (layer := _first_not_finite(self.model.state_dict() | self.task.auxiliary.state_dict())) is not None:
            raise self._diverged(len(self.history) + 1, layer)

    def checkpoint(self) -> Checkpoint:
        """Return all that a run needs to go on from here; the tensors are the living ones, not copies."""
        history = [metrics.as_line() for metrics in self.history]
        partial = {"step": self.step, "loss": self._loss, "correct": self._correct}
        return Checkpoint(
            self.recipe,
            len(history),
            self.model.state_dict(),
            history,
            self._optimizer.state(),
            average={} if self._average is None else self._average.values,
            auxiliary=self.task.auxiliary.state_dict(),
            rng=torch.random.get_rng_state(),
            partial=partial if self.step else None,
        )

    def network(self) -> Checkpoint:
        """Return the network that is tested and handed on, its parameters averaged where the recipe says so."""
        state = self.checkpoint()
        model = {**state.model, **state.average}
        return replace(state, model=model, history=(), optimizer={}, average={}, auxiliary={}, rng=None, partial=None)

    def restore(self, checkpoint: Checkpoint, file: str) -> None:
        """Go on from ``checkpoint``, read from ``file``; raise :class:`InputError` when it is damaged."""
        self._optimizer.check(checkpoint.optimizer, file)
        check_tensors(checkpoint.average, {} if self._average is None else self._average.values, file)
        check_tensors(checkpoint.auxiliary, self.task.auxiliary.state_dict(), file)
        generator = torch.random.get_rng_state()
        if checkpoint.rng is None or checkpoint.rng.shape != generator.shape or checkpoint.rng.dtype != generator.dtype:
            raise InputError(file, "holds no state of torch's generator that fits", _AGAIN)
        self._restore_history(checkpoint, file)
        self.model.load_state_dict(dict(checkpoint.model))
        self.task.auxiliary.load_state_dict(dict(checkpoint.auxiliary))
        if self._average is not None:
            self._average.restore(checkpoint.average)
        self._optimizer.restore(checkpoint.optimizer)
        torch.random.set_rng_state(checkpoint.rng)

    def _restore_history(self, checkpoint: Checkpoint, file: str) -> None:
        try:
            self.history = [EpochMetrics(**line) for line in checkpoint.history]
        except TypeError as error:
            raise InputError(file, f"its history is damaged ({error})", _AGAIN) from error
        if [metrics.epoch for metrics in self.history] != list(range(1, checkpoint.epoch + 1)):
            raise InputError(file, f"its history does not count to epoch {checkpoint.epoch}", _AGAIN)
        if (partial := checkpoint.partial) is None:
            return
        step, loss, correct = (partial.get(name) for name in ("step", "loss", "correct"))
        whole = type(step) is int and 1 <= step <= self.steps and type(correct) is int and type(loss) is float
        if not whole or checkpoint.epoch >= self.recipe.training.epochs:
            raise InputError(file, f"stands within an epoch at {dict(partial)}, which its recipe does not have", _AGAIN)
        self.step, self._loss, self._correct = step, loss, correct  # type: ignore[assignment]

    def _loaded(self, batch: Indices, epoch: int) -> list[Batch]:
        """Return this process's parts of a batch as the network sees them in ``epoch``."""
        parts = self.processes.parts(batch, self.recipe.training.accumulate)
        return [self._drawn(part, epoch) for part in parts]

    def _drawn(self, indices: Indices, epoch: int) -> Batch:
        # A generator for each sample: what becomes of it depends neither on processes nor on parts.
        draws = [np.random.default_rng([self.recipe.seed, epoch, int(index)]) for index in indices]
        if isinstance(self.data, DenseDataset):
            return self.data.train.draw(indices, draws)
        train, augment = self.data.train, self.data.augment
        samples = train.draw(indices, draws) if isinstance(train, Drawn) else train.take(indices)
        return samples if augment is None else augment(samples, draws)

    def _take_step(self, parts: list[Batch], of: int, epoch: int, rate: float) -> tuple[float, int]:
        """Take one optimizer step of the learning ``rate``; return the batch's summed loss and number of right answers.

        ``parts`` are this process's of a batch of ``of`` samples.
        """
        number = (epoch - 1) * self.steps + self.step + 1
        if self.processes.size > 1 or self.processes.device.type != "cpu":
            # Nothing random is shared by processes, nor by a generator that no state is kept of.
            place = np.random.SeedSequence([self.recipe.seed, number, self.processes.rank])
            torch.manual_seed(int(place.generate_state(1)[0]))
        self._optimizer.zero_grad()
        self._rate = rate
        loss = correct = 0.0
        for index, part in enumerate(parts):
            with self._exchanging(last=index == len(parts) - 1):
                # Gradients are averaged over processes, hence the number of these.
                weight = len(part) * self.processes.size / of
                part_loss, right = self.task.backward(part, weight, self._update)
            loss += part_loss * len(part)
            correct += right
        loss, correct = self.processes.total([loss, correct])
        gradients = {name: p.grad for name, p in self._parameters.items() if p.grad is not None}
        if not math.isfinite(loss) or _first_not_finite(gradients) is not None:
            raise self._diverged(epoch, self._culprit(parts[-1], gradients))
        self._optimizer.step(rate)
        if self._average is not None:
            self._average.update(number)
        return loss, int(correct)

    def _update(self) -> None:
        """Take the optimizer step of a method that learns within the sequence."""
        self._optimizer.step(self._rate)
        self._optimizer.zero_grad()

    def _exchanging(self, *, last: bool) -> AbstractContextManager[None]:
        """Let processes exchange gradients in the block only where it computes the last part of a batch."""
        if last or not isinstance(self._module, nn.parallel.DistributedDataParallel):
            return nullcontext()
        return self._module.no_sync()

    def _averaged(self) -> AbstractContextManager[None]:
        return nullcontext() if self._average is None else self._average.in_place()

    @torch.no_grad()
    def _culprit(self, batch: Batch, gradients: dict[str, Tensor]) -> str:
        """Return the first layer whose parameters, then outputs, then gradients are not all finite."""
        outputs: dict[str, Tensor] = {}
        with watching(self.model, lambda name, _module, output: outputs.update({name: output})):
            self.task.run(batch)
        found = (_first_not_finite(tensors) for tensors in (self.model.state_dict(), outputs, gradients))
        return next((name for name in found if name), "the loss")

    def _diverged(self, epoch: int, layer: str) -> InputError:
        every = self.recipe.training.checkpoint_every_steps
        kept = f"the state after epoch {epoch - 1}" + (" or a later one" if every else "")
        return InputError(
            f"recipe {self.recipe.name!r}",
            f"training diverged in epoch {epoch}: {layer} is no longer finite",
            f"{kept} is kept; lower training.learning_rate and start again",
        )


def _heads(recipe: Recipe, model: nn.Module) -> tuple[str, ...]:
    """Return how the names of the head's parameters begin, or raise :class:`UsageError` where a rate is for no head."""
    heads: tuple[str, ...] = getattr(model, "heads", ())
    if not heads and recipe.training.head_rate != 1.0:
        found = f"is {recipe.training.head_rate:g}, and {type(model).__name__} names no head"
        raise UsageError("training.head_rate", found, "leave it out")
    return heads


def _first_not_finite(tensors: dict[str, Any]) -> str | None:
    if not tensors:
        return None
    # Fetched together: a device is waited for once.
    finite = torch.stack([torch.isfinite(value).all() for value in tensors.values()]).tolist()
    return next((name for name, fine in zip(tensors, finite, strict=True) if not fine), None)

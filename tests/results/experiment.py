"""One training run of an experiment: a recipe, the clips that it is trained on, and what is measured at its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

from neurodeploy.models.convnet import as_input, evaluating
from neurodeploy.models.data.moving import DIRECTIONS
from neurodeploy.models.dataset import load_dataset
from neurodeploy.models.recipe import parse_recipe
from neurodeploy.models.spikes import LabelledSpikes
from neurodeploy.models.trainer import Trainer

#: Figures of one run, by name.
Figures = dict[str, float]
Measure = Callable[[Trainer], Figures]
#: What a trained network looks like under a title, as SVG.
Picture = Callable[[Trainer, str], str]

#: So many clips are trained on: a quarter of the set, so that all experiments fit into an hour.
CLIPS = 6400

BASE = """
name = "results"
[data]
dataset = "moving-digits"
steps = 8
label = "{label}"
test_samples = 1600
calibration_samples = 64
train_samples = {clips}
[training]
epochs = {epochs}
batch_size = 64
learning_rate = 0.005
weight_decay = 0.01
readout = "mean"
warmup_epochs = 0.2
[model]
{model}
"""


@dataclass(frozen=True)
class Experiment:
    """A kind of run; ``name`` is its key in the figures."""

    name: str
    model: str
    label: str = "direction"
    epochs: int = 3
    extra: tuple[str, ...] = ()
    measure: Measure | None = None
    picture: Picture | None = None

    def recipe(self, seed: int) -> str:
        """Return the recipe as text, for this seed."""
        text = BASE.format(clips=CLIPS, label=self.label, epochs=self.epochs, model=self.model)
        return parse_recipe(text, self.name, [f"seed={seed}", *self.extra]).to_toml()

    def run(self, seed: int) -> tuple[Figures, str | None]:
        """Train once and return accuracies in percent and what ``measure`` adds; of the first seed a picture too."""
        recipe = parse_recipe(self.recipe(seed), self.name)
        data = load_dataset(recipe.data)
        # Only the last epoch is tested on the whole test side: to test takes a quarter of a short epoch's time.
        trainer = Trainer(recipe, replace(data, test=data.calibration))
        for _ in range(recipe.training.epochs):
            metrics = trainer.run_epoch()
        trainer.data = data
        figures = {"accuracy": 100 * trainer.accuracy(data.test), "training accuracy": 100 * metrics.train_accuracy}
        picture = self.picture(trainer, self.name) if self.picture and seed == 0 else None
        return figures | (self.measure(trainer) if self.measure else {}), picture


def opposite(trainer: Trainer) -> Figures:
    """Return how often, of a direction and its opposite, the right one is preferred: 50 is chance, in percent."""
    answers, labels = outputs(trainer, trainer.data.test)
    rows = np.arange(len(labels))
    right, wrong = answers[rows, labels], answers[rows, (labels + DIRECTIONS // 2) % DIRECTIONS]
    # Answers that differ by rounding alone are no preference.
    tied = np.abs(right - wrong) <= 1e-4 * np.abs(answers).max(axis=1)
    return {"right of two opposites": 100 * float(np.where(tied, 0.5, right > wrong).mean())}


@torch.no_grad()
def outputs(trainer: Trainer, samples: LabelledSpikes) -> tuple[np.ndarray, np.ndarray]:
    """Return the answers [samples, classes] summed over steps, and the labels."""
    answers = []
    with evaluating(trainer.model):
        for start in range(0, len(samples), 128):
            part = samples.take(np.arange(start, min(start + 128, len(samples))))
            answers.append(trainer.model(as_input(part.spikes)).double().sum(0).numpy())
    return np.concatenate(answers), np.asarray(samples.labels)


def first_clips(trainer: Trainer, count: int) -> Iterator[torch.Tensor]:
    """Yield the first ``count`` test clips one by one, as the network takes them."""
    for start in range(count):
        yield as_input(trainer.data.test.take(np.arange(start, start + 1)).spikes)

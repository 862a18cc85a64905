"""The part of ``neurodeploy train`` that trains a network as the integers of a chip."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from neurodeploy.cli.common import open_events
from neurodeploy.cli.epochs import epoch_bar
from neurodeploy.errors import UsageError

if TYPE_CHECKING:
    from neurodeploy.graph import Graph
    from neurodeploy.models.finetune import FinetuneEpoch
    from neurodeploy.models.recipe import Recipe
    from neurodeploy.models.spikes import LabelledSpikes
    from neurodeploy.quantized_training import QuantizedTraining
    from neurodeploy.targets.chip import Chip


@dataclass(frozen=True)
class FineTuning:
    """What the command line asks for: the chip, the epochs, and the seed of the order of samples."""

    chip: Chip
    epochs: int
    learning_rate: float
    seed: int
    weight_bits: int | None
    force: bool
    quiet: bool

    def of_recipe(self, recipe: Recipe, checkpoint: Path, folder: Path) -> QuantizedTraining:
        """Train the network that ``recipe`` ended with, on the recipe's own samples."""
        from neurodeploy.export.door import Request, open_model
        from neurodeploy.export.live import LiveModel
        from neurodeploy.models.dataset import load_dataset

        model = open_model(Request(checkpoint, None, None, None, None, None), "ours")
        assert isinstance(model, LiveModel)  # a recipe's network is a float one
        data = load_dataset(recipe.data)  # the part of it that the recipe trains on
        return self._run(model.graph, data.train, data.test, folder)

    def of_file(self, net: Path, data: Path | None, test: Path | None, folder: Path) -> QuantizedTraining:
        """Train a float .nir on labelled events."""
        from neurodeploy.graph import Graph
        from neurodeploy.loading import load
        from neurodeploy.quantized_training import samples_of

        if data is None:
            raise UsageError(str(net), "is a network, not a recipe", "give its labelled training events with --data")
        graph = load(net)
        if not isinstance(graph, Graph):
            raise UsageError(str(net), f"is quantized already, for {graph.target}", "give the float .nir")
        held_out = None if test is None else samples_of(open_events(test), graph)
        return self._run(graph, samples_of(open_events(data), graph), held_out, folder)

    def _run(self, graph: Graph, train: LabelledSpikes, test: LabelledSpikes | None, folder: Path) -> QuantizedTraining:
        from neurodeploy.models.finetune import FinetuneSettings
        from neurodeploy.quantized_training import train_quantized

        settings = FinetuneSettings(epochs=self.epochs, learning_rate=self.learning_rate, seed=self.seed)
        bar = epoch_bar(disable=self.quiet)
        task = bar.add_task(f"integers of {self.chip.name}: epoch", total=self.epochs, figures="")

        def show(epoch: FinetuneEpoch) -> None:
            scored = "" if epoch.test_accuracy is None else f", test accuracy {epoch.test_accuracy:.1%}"
            bar.update(task, completed=epoch.epoch, figures=f"loss {epoch.loss:.4f}{scored}")

        with bar:
            return train_quantized(
                graph,
                self.chip,
                train,
                test,
                folder,
                settings,
                weight_bits=self.weight_bits,
                force=self.force,
                on_epoch=show,
            )


def summary(result: QuantizedTraining) -> str:
    """Return the line for people."""
    figures = ""
    if result.float_accuracy is not None:
        figures = (
            f"float {result.float_accuracy:.2%}, rounded {result.rounded_accuracy:.2%}, "
            f"trained {result.trained_accuracy:.2%} on the test samples, "
        )
    return (
        f"integers of {result.target}: {figures}{result.epochs} epochs in {result.seconds:.1f} s, equal to the "
        f"emulator in {result.proved_cells:,} spikes -> {result.files['network']}"
    )

"""What ``neurodeploy estimate`` tells of a float network: operations, rates and the literature's energy by part."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from neurodeploy.cli.common import console, open_events, print_json
from neurodeploy.errors import UsageError
from neurodeploy.models.extras import require

if TYPE_CHECKING:
    from torch import Tensor

    from neurodeploy.models.operations import Operations

_BATCH = 32


def show_operations(checkpoint: Path, data: Path, samples: int | None, *, as_json: bool) -> None:
    """Print what the network in ``checkpoint`` computes for a sample of ``data``.

    Raises :class:`UsageError` where the data are not of the network's shape.
    """
    require("torch", "safetensors", extra="models")
    from neurodeploy.events import EventInput, check_events
    from neurodeploy.models.checkpoint import load_model
    from neurodeploy.models.convnet import as_input
    from neurodeploy.models.dataset import dataset_kind, require_batches
    from neurodeploy.models.operations import count_operations, parts_of

    model, recipe = load_model(checkpoint)
    kind = dataset_kind(recipe.data)
    require_batches(kind, str(checkpoint))
    ports = open_events(data, samples).spikes
    if len(ports) != 1:
        raise UsageError(str(data), f"holds {len(ports)} inputs, the network takes one", "give its test.npz")
    (spikes,) = ports.values()
    if isinstance(spikes, EventInput):
        check_events("spikes", kind.input_shape, spikes)
    elif spikes.shape[2:] != kind.input_shape:
        shapes = f"holds samples of shape {spikes.shape[2:]}, the network takes {kind.input_shape}"
        raise UsageError(str(data), shapes, "give its test.npz")

    def batches() -> Iterator[Tensor]:
        for start in range(0, len(spikes), _BATCH):
            piece = spikes[start : start + _BATCH]
            yield as_input(piece.dense(kind.input_shape) if isinstance(piece, EventInput) else piece, kind.scaling)

    found = count_operations(model, batches(), parts_of(model))
    if as_json:
        print_json(found.as_dict())
        return
    _show(found, len(spikes))


def _show(found: Operations, samples: int) -> None:
    from rich.table import Table

    table = Table(title=f"operations per inference: {samples} samples of {found.steps} steps")
    table.add_column("part")
    for heading in ("MACs", "SOPs", "events", "uJ at 45 nm", "spikes a neuron and step", "silent neurons"):
        table.add_column(heading, justify="right")
    for name, part in [*found.by_part().items(), ("all", found)]:
        neurons = sum(row.neurons for row in part.neurons)
        silent = sum(row.silent * row.neurons for row in part.neurons) / neurons if neurons else 0.0
        table.add_row(
            name,
            f"{part.macs:,}",
            f"{part.sops:,.0f}",
            f"{sum(layer.events for layer in part.layers):,.0f}",
            f"{1e6 * part.energy:,.4g}",
            f"{part.rate:.4f}" if neurons else "",
            f"{silent:.1%}" if neurons else "",
        )
    screen = console()
    screen.print(table)
    screen.print(
        "MACs where a layer's input is no spikes, 4.6 pJ; SOPs, rate times weights, 0.9 pJ: arithmetic alone, no "
        "chip's energy. Events are the weights that spikes really meet, which borders make fewer.",
        markup=False,
    )

"""The drawings of the page, made from the document and the output spikes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from neurodeploy.report import svg
from neurodeploy.report.numbers import bounds, count, percent, words

Document = Mapping[str, Any]


def colours(document: Document) -> dict[str, int]:
    """Return population -> colour, in the order of the layers."""
    return {layer["name"]: index for index, layer in enumerate(document["layers"])}


def spikes_per_layer(document: Document) -> Markup:
    """Return bars of the spikes per inference."""
    rows = [
        svg.Bar(layer["name"], layer["spikes"], f"{count(layer['spikes'])} ({percent(layer['rate'])} per step)", index)
        for index, layer in enumerate(document["layers"])
    ]
    return svg.bars(rows)


def operations_per_layer(document: Document) -> Markup:
    """Return bars of the synaptic operations per inference."""
    rows = [
        svg.Bar(layer["name"], layer["synaptic_operations"], count(layer["synaptic_operations"]), index)
        for index, layer in enumerate(document["layers"])
    ]
    return svg.bars(rows)


def rasters(document: Document, output: npt.NDArray[np.integer[Any]]) -> list[Markup]:
    """Return the output spikes of each example, its answer's row marked; ``output`` is [samples, steps, *shape]."""
    return [
        svg.raster(output[example["sample"]].reshape(output.shape[1], -1), example["answer"])
        for example in document["examples"]
    ]


def cores(document: Document) -> Markup:
    """Return one column a core."""
    colour = colours(document)
    return svg.cores(
        [
            svg.CoreUse(
                colour[core["population"]],
                core["use"],
                f"chip {core['chip']}, core {core['core']}: {core['population']}, "
                f"{words(core['tightest_limit'])} {percent(core['use'])}",
            )
            for core in document["cores"]
        ]
    )


def energies(document: Document) -> Markup:
    """Return the parts of the energy over a common logarithmic axis."""
    estimate = document["estimate"]
    rows = [
        svg.Interval(part, **interval, text=bounds(interval, "J", estimate["significant_digits"]))
        for part, interval in estimate["energy_joule"].items()
    ]
    return svg.intervals(rows)

"""The page of a deployment: self-contained HTML without scripts, made from the document alone.

Names of layers and files come from files of other people. Every one of them passes the template's escaping, or an XML
tree's; nothing is marked as safe here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jinja2
import numpy as np
import numpy.typing as npt

from neurodeploy.report import drawings, numbers, svg
from neurodeploy.targets.chipschema import CLASSES

#: Line of the estimate -> keys of the constants it rests on, by their beginnings.
_RESTS_ON = {
    "dynamic": ("energy.",),
    "static": ("power.static", "time.", "barrier."),
    "management": ("power.management", "time.", "barrier."),
    "total": ("energy.", "power.", "time.", "barrier."),
    "latency": ("time.", "barrier."),
}

#: Parameters of a population that one row of the quantization table describes.
_PARAMETERS = ("threshold", "current_decay", "voltage_decay", "bias")


def render(document: Mapping[str, Any], output: npt.NDArray[np.integer[Any]]) -> str:
    """Return the page.

    Parameters
    ----------
    document : as :func:`neurodeploy.report.document.build_document` makes it.
    output : output spikes [samples, steps, *shape] of at least the samples that ``document["examples"]`` names.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("neurodeploy.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    functions = ("bounds", "count", "dimensions", "percent", "si", "significant", "span", "words")
    environment.filters |= {name: getattr(numbers, name) for name in functions}
    environment.filters |= {"gauge": svg.gauge, "swatch": svg.swatch}
    return environment.get_template("report.html").render(
        d=document,
        digits=document["estimate"]["significant_digits"],
        colours=drawings.colours(document),
        spikes_bars=drawings.spikes_per_layer(document),
        operations_bars=drawings.operations_per_layer(document),
        rasters=drawings.rasters(document, output),
        cores_columns=drawings.cores(document),
        energy_ranges=drawings.energies(document),
        quantization=quantization_rows(document),
        classes=source_classes(document),
        sources=list(dict.fromkeys(c["source"] for c in document["estimate"]["constants"].values())),
    )


def quantization_rows(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return one row per array: ``population`` (first row of each only), ``parameter``, and its summary."""
    rows: list[dict[str, Any]] = []
    for entry in document["quantization"]:
        exponent = entry["weight_exponent"]
        named = [(f"weight {w['projection']}, {w['sign_mode']}, × 2^{exponent}", w) for w in entry["weights"]]
        named += [(numbers.words(name), entry[name]) for name in _PARAMETERS]
        for place, (parameter, summary) in enumerate(named):
            rows.append({**summary, "population": entry["name"] if place == 0 else "", "parameter": parameter})
    return rows


def source_classes(document: Mapping[str, Any]) -> dict[str, str]:
    """Return per line of the estimate the weakest class among the constants it rests on."""
    constants = document["estimate"]["constants"]
    return {
        line: max((c["class"] for key, c in constants.items() if key.startswith(prefixes)), key=CLASSES.index)
        for line, prefixes in _RESTS_ON.items()
    }

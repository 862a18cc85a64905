"""Small drawings for the report, as SVG trees: whatever text comes in, it can only ever be text.

Colours are classes of the page's style sheet, so that the drawings follow light and dark mode. Lengths are in pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from neurodeploy.report.primitives import canvas, clean, draw_line, draw_rect, draw_text, length, markup

#: Colours of populations; further ones begin anew.
PALETTE = 8

_ROW = 26
_LABEL_WIDTH = 150
_BAR_WIDTH = 420
_BAR_HEIGHT = 12
_CHARACTERS = 22


@dataclass(frozen=True)
class Bar:
    """One row of a bar chart: ``value`` is drawn, ``text`` is written beside it."""

    label: str
    value: float
    text: str
    colour: int = 0


@dataclass(frozen=True)
class CoreUse:
    """One core: its population's colour, the share of its tightest limit, and what to say about it."""

    colour: int
    share: float
    title: str


@dataclass(frozen=True)
class Interval:
    """A range on a logarithmic axis, all in the same unit; ``text`` is written beside it."""

    label: str
    low: float
    nominal: float
    high: float
    text: str


def bars(rows: Sequence[Bar]) -> Markup:
    """Return horizontal bars, the longest one the greatest value."""
    greatest = max((row.value for row in rows), default=0.0) or 1.0
    svg = canvas(_LABEL_WIDTH + _BAR_WIDTH + 130, _ROW * len(rows), "bars")
    for index, row in enumerate(rows):
        middle = index * _ROW + _ROW / 2
        _label(svg, row.label, middle)
        width = _BAR_WIDTH * row.value / greatest
        draw_rect(svg, _LABEL_WIDTH, middle - _BAR_HEIGHT / 2, width, _BAR_HEIGHT, f"c{row.colour % PALETTE}", round_=2)
        draw_text(svg, _LABEL_WIDTH + width + 8, middle + 4, row.text, "value")
    return markup(svg)


def gauge(share: float) -> Markup:
    """Return a small bar that fills to ``share`` of its width, in a warning colour from nine tenths on."""
    width, height = 90, 8
    svg = canvas(width, height, "gauge")
    draw_rect(svg, 0, 0, width, height, "track", round_=2)
    draw_rect(svg, 0, 0, width * min(max(share, 0.0), 1.0), height, "high" if share >= 0.9 else "fill", round_=2)
    return markup(svg)


def raster(spikes: npt.NDArray[np.integer], marked: int | None = None) -> Markup:
    """Return the spikes of one sample, [steps, neurons]: time to the right, neurons downwards, one row marked.

    Of a large output the first 64 neurons are drawn; a spike with a payload is drawn like any other.
    """
    steps, neurons = spikes.shape[0], min(spikes.shape[1], 64)
    height = 16 if neurons <= 16 else 6
    cell = min(16.0, 260 / steps)
    left, top = 26, 4
    svg = canvas(left + cell * steps + 4, top + height * neurons + 20, "raster")
    draw_rect(svg, left, top, cell * steps, height * neurons, "field")
    if marked is not None and marked < neurons:
        draw_rect(svg, left, top + marked * height, cell * steps, height, "marked")
    for neuron in range(neurons):
        if neurons <= 16 or neuron % 8 == 0:
            draw_text(svg, left - 6, top + neuron * height + min(height, 8) / 2 + 6, str(neuron), "tick end")
    for step, neuron in np.argwhere(spikes[:, :neurons]):
        x, y = left + step * cell, top + neuron * height
        kind = "spike on" if neuron == marked else "spike"
        draw_rect(svg, x + cell * 0.2, y + height * 0.15, max(cell * 0.6, 0.8), height * 0.7, kind)
    for step, anchor in ((0, "tick"), (steps - 1, "tick end")):
        x = left + cell * (step + (anchor != "tick"))
        draw_text(svg, x, top + height * neurons + 15, f"step {step}" if step == 0 else str(step), anchor)
    return markup(svg)


def cores(uses: Sequence[CoreUse], per_row: int = 48) -> Markup:
    """Return one column a core, as high as the share of its tightest limit; the frame's top is the limit itself.

    Up to 16 columns carry their figure; of more, it shows under the pointer.
    """
    few = len(uses) <= 16
    height, width, gap = 64, (44 if few else 16), (10 if few else 4)
    below = 24 if few else 12
    rows, columns = max(1, -(-len(uses) // per_row)), min(max(len(uses), 1), per_row)
    svg = canvas(columns * (width + gap), rows * (height + below), "cores")
    for index, use in enumerate(uses):
        row, column = divmod(index, per_row)
        x, y = column * (width + gap), row * (height + below)
        group = SubElement(svg, "g")
        SubElement(group, "title").text = clean(use.title)
        draw_rect(group, x, y, width, height, "track", round_=2)
        filled = height * min(max(use.share, 0.0), 1.0)
        draw_rect(group, x, y + height - filled, width, filled, f"c{use.colour % PALETTE}", round_=1)
        if few:
            draw_text(group, x + width / 2, y + height + 15, f"{use.share:.0%}", "tick middle")
    return markup(svg)


def intervals(rows: Sequence[Interval]) -> Markup:
    """Return ranges over a common logarithmic axis, the nominal value a dot; rows that are zero get no line."""
    left, width = _LABEL_WIDTH, 360
    ends = [end for row in rows for end in (row.low, row.nominal, row.high) if end > 0]
    svg = canvas(left + width + 200, _ROW * len(rows), "intervals")
    if not ends:
        return markup(svg)
    low, high = np.floor(np.log10(min(ends))), np.ceil(np.log10(max(ends)))
    decades = max(high - low, 1.0)

    def place(value: float) -> float:
        return float(left + width * (np.log10(value) - low) / decades)

    for decade in range(int(decades) + 1):
        draw_line(svg, left + width * decade / decades, 0, left + width * decade / decades, _ROW * len(rows), "grid")
    for index, row in enumerate(rows):
        middle = index * _ROW + _ROW / 2
        _label(svg, row.label, middle)
        draw_text(svg, left + width + 12, middle + 4, row.text, "value")
        if row.nominal > 0:
            draw_line(svg, place(row.low or row.nominal), middle, place(row.high), middle, "range")
            SubElement(
                svg, "circle", {"cx": length(place(row.nominal)), "cy": length(middle), "r": "4.5", "class": "nominal"}
            )
    return markup(svg)


def swatch(colour: int) -> Markup:
    """Return a small square in a population's colour."""
    svg = canvas(10, 10, "swatch")
    draw_rect(svg, 0, 0, 10, 10, f"c{colour % PALETTE}", round_=2)
    return markup(svg)


def _label(parent: Element, text: str, middle: float) -> None:
    """Write a row's label, shortened to what fits; the whole text shows under the pointer."""
    short = text if len(text) <= _CHARACTERS else f"{text[: _CHARACTERS - 1]}…"
    element = draw_text(parent, 0, middle + 4, short, "label")
    if short != text:
        SubElement(element, "title").text = clean(text)

"""A placement as a drawing: each chip's mesh, what its cores hold and how full they are, and where messages go.

A tile is a square, a core a column in it as high as the limit it uses most, in its population's colour. A line between
tiles is as thick as the messages over that link, both directions together, when every neuron fires once.
"""

from __future__ import annotations

from collections import defaultdict
from importlib import resources
from xml.etree.ElementTree import Element, SubElement

from markupsafe import Markup

from neurodeploy.mesh import Link
from neurodeploy.placement import Core, Placement
from neurodeploy.report.primitives import canvas, clean, draw_line, draw_rect, draw_text, length, markup
from neurodeploy.report.svg import PALETTE

#: Chips drawn; of a larger board the others are named in words.
CHIPS_MAX = 32

_TILE, _GAP, _CHIP_GAP, _CAPTION, _ROW = 44, 14, 36, 22, 20
_CHIPS_PER_ROW = 4
_THICKEST = 9.0

Between = dict[tuple[int, int, int, int, int], int]


def draw_mesh(placement: Placement) -> Markup:
    """Return the chips in use with their tiles, cores and links, and a legend of the populations."""
    chips = sorted({core.chip for core in placement.cores})
    shown = chips[:CHIPS_MAX]
    columns, rows = placement.chip.mesh
    width, height = (columns * (_TILE + _GAP), rows * (_TILE + _GAP) + _CAPTION)
    across = min(len(shown), _CHIPS_PER_ROW)
    down = -(-len(shown) // _CHIPS_PER_ROW)
    body = down * (height + _CHIP_GAP)
    notes = _notes(placement, len(chips) - len(shown))
    legend = (len(placement.populations) + len(notes)) * _ROW
    svg = canvas(max(across * (width + _CHIP_GAP), 460), body + legend + 8, "mesh")
    SubElement(svg, "style").text = resources.files("neurodeploy.report").joinpath("style.css").read_text("utf-8")
    SubElement(svg, "title").text = clean(f"{placement.cores_used} cores on {placement.chip.title}")
    colours = {population.name: index for index, population in enumerate(placement.populations)}
    loads = _loads(placement)
    heaviest = max(loads.values(), default=0)
    for place, chip in enumerate(shown):
        row, column = divmod(place, _CHIPS_PER_ROW)
        group = SubElement(
            svg,
            "g",
            {"transform": f"translate({length(column * (width + _CHIP_GAP))} {length(row * (height + _CHIP_GAP))})"},
        )
        draw_text(group, 0, 14, f"chip {chip}", "value")
        _links(group, {link: load for link, load in loads.items() if link[0] == chip}, heaviest)
        _tiles(group, placement, chip, colours)
    _legend(svg, placement, notes, body)
    return markup(svg)


def _corner(x: int, y: int) -> tuple[float, float]:
    return x * (_TILE + _GAP), _CAPTION + y * (_TILE + _GAP)


def _loads(placement: Placement) -> Between:
    """Return the messages between neighbouring tiles, (chip, x, y, dx, dy) -> both directions together."""
    loads: Between = defaultdict(int)
    routes = placement.expected_routes
    tables: tuple[tuple[dict[Link, int], int, int], ...] = ((routes.links_x, 1, 0), (routes.links_y, 0, 1))
    for table, dx, dy in tables:
        for (chip, x, y, step), load in table.items():
            back = step < 0
            loads[chip, x - dx * back, y - dy * back, dx, dy] += load
    return loads


def _links(group: Element, loads: Between, heaviest: int) -> None:
    for (_, x, y, dx, dy), load in sorted(loads.items()):
        (x1, y1), (x2, y2) = _corner(x, y), _corner(x + dx, y + dy)
        holder = SubElement(group, "g", {"stroke-width": length(max(0.75, _THICKEST * load / heaviest))})
        SubElement(holder, "title").text = f"{load:,} messages"
        half = _TILE / 2
        draw_line(holder, x1 + half, y1 + half, x2 + half, y2 + half, "link")


def _tiles(group: Element, placement: Placement, chip: int, colours: dict[str, int]) -> None:
    held: dict[tuple[int, int], list[Core]] = defaultdict(list)
    for core, (where, x, y) in zip(placement.cores, placement.positions.tolist(), strict=True):
        if where == chip:
            held[x, y].append(core)
    columns, rows = placement.chip.mesh
    width = (_TILE - 6) / placement.chip.cores_per_tile
    for y in range(rows):
        for x in range(columns):
            left, top = _corner(x, y)
            draw_rect(group, left, top, _TILE, _TILE, "field", round_=3)
            slots: dict[int, list[Core]] = defaultdict(list)
            for core in sorted(held[x, y], key=lambda core: core.core):
                slots[core.core % placement.chip.cores_per_tile].append(core)
            for slot, cores in slots.items():
                part = (width - 1) / len(cores)  # a core that holds several populations is drawn in as many stripes
                for stripe, core in enumerate(cores):
                    place = left + 3 + slot * width + stripe * part
                    _core(group, core, place, top + 3, part, colours[core.population])


def _core(group: Element, core: Core, x: float, y: float, width: float, colour: int) -> None:
    limit, share = core.tightest
    full = _TILE - 6
    filled = full * min(max(share, 0.0), 1.0)
    holder = SubElement(group, "g")
    name = limit.replace("_", " ")
    SubElement(holder, "title").text = clean(f"core {core.core}: {core.population}, {name} {share:.0%}")
    draw_rect(holder, x, y, width, full, "track")
    draw_rect(holder, x, y + full - filled, width, filled, f"c{colour % PALETTE}")


def _notes(placement: Placement, hidden: int) -> list[str]:
    routes = placement.expected_routes
    heaviest = max((*routes.links_x.values(), *routes.links_y.values()), default=0)
    notes = [
        f"{_cores(placement.cores_used)} on {placement.chips_used:,} of {placement.chip.chips_max:,} chips: "
        f"{placement.chip.title}",
        f"one spike of every neuron: {routes.hops_x + routes.hops_y:,} hops, {heaviest:,} messages over the busiest "
        f"link in one direction, {routes.crossings:,} messages between chips",
    ]
    return notes + ([f"{hidden:,} further chips are not drawn"] if hidden else [])


def _cores(count: int) -> str:
    return f"{count:,} core" if count == 1 else f"{count:,} cores"


def _legend(svg: Element, placement: Placement, notes: list[str], top: float) -> None:
    for index, population in enumerate(placement.populations):
        y = top + index * _ROW
        draw_rect(svg, 0, y, 10, 10, f"c{index % PALETTE}", round_=2)
        share = f"{population.use:.0%} of {population.tightest_limit.replace('_', ' ')}"
        draw_text(svg, 18, y + 10, f"{population.name}: {_cores(population.cores)}, {share}", "label")
    for index, note in enumerate(notes):
        draw_text(svg, 0, top + (len(placement.populations) + index) * _ROW + 10, note, "value")

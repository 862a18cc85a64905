"""Receptive fields as SVG: the spatial map as an embedded image, the temporal curve as bars."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, tostring

import numpy as np
import numpy.typing as npt

from neurodeploy.models.erf.scalars import FloatMap, ReceptiveField

_MAP, _MARGIN, _TEXT, _BARS = 180, 16, 64, 56
#: Colours of nothing, half and the greatest.
_RAMP = np.array([[255, 255, 255], [86, 140, 214], [16, 24, 72]], dtype=np.float64)
_INK, _BAR = "#222222", "#568cd6"


def draw_fields(fields: Sequence[ReceptiveField], title: str, radius: float | None = None) -> str:
    """Return one SVG document: for each layer its map, its curve over steps, and its scalars.

    The colour of a pixel is the square root of its share of the greatest, so that faint parts are seen.
    """
    width = _MARGIN + (_MAP + _MARGIN) * len(fields)
    height = 28 + _MAP + _TEXT + _BARS + 2 * _MARGIN
    svg = Element("svg", xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {width} {height}")
    svg.attrib |= {"width": str(width), "height": str(height), "font-family": "sans-serif", "font-size": "11"}
    SubElement(svg, "rect", width=str(width), height=str(height), fill="white")
    _text(svg, _MARGIN, 18, title, size=13)
    for index, field in enumerate(fields):
        _draw_field(svg, field, _MARGIN + (_MAP + _MARGIN) * index, radius)
    return tostring(svg, encoding="unicode")


def _draw_field(svg: Element, field: ReceptiveField, left: float, radius: float | None) -> None:
    top = 28.0
    rows, columns = field.spatial.shape
    scale = _MAP / max(rows, columns)
    box = {"x": f"{left:g}", "y": f"{top:g}", "width": f"{columns * scale:.2f}", "height": f"{rows * scale:.2f}"}
    picture = base64.b64encode(_png(_coloured(field.spatial))).decode()
    SubElement(svg, "image", box | {"href": f"data:image/png;base64,{picture}", "style": "image-rendering:pixelated"})
    SubElement(svg, "rect", box | {"fill": "none", "stroke": _INK, "stroke-width": "0.5"})
    found = field.summary(radius)
    where = "" if field.site is None else f" at {field.site[0]}, {field.site[1]}"
    _text(svg, left, top + _MAP + 14, f"{field.layer or 'output'}{where}")
    _text(svg, left, top + _MAP + 28, f"sigma {found.sigma_rows:.2f} x {found.sigma_columns:.2f} px")
    _text(svg, left, top + _MAP + 42, f"area {found.area} px, entropy {found.entropy:.2f} bit")
    _text(svg, left, top + _MAP + 56, f"{found.energy_in_radius:.0%} within {found.radius:g} px")
    _draw_bars(svg, field.temporal, left, top + _MAP + _TEXT + _MARGIN)


def _draw_bars(svg: Element, values: FloatMap, left: float, top: float) -> None:
    greatest, step = float(values.max()) or 1.0, _MAP / len(values)
    for index, value in enumerate(values):
        tall = _BARS * float(value) / greatest
        SubElement(
            svg,
            "rect",
            x=f"{left + index * step:.2f}",
            y=f"{top + _BARS - tall:.2f}",
            width=f"{step * 0.8:.2f}",
            height=f"{tall:.2f}",
            fill=_BAR,
        )
    _text(svg, left, top + _BARS + 12, f"steps 0 to {len(values) - 1}")


def _text(svg: Element, x: float, y: float, text: str, size: int = 11) -> None:
    element = SubElement(svg, "text", {"x": f"{x:g}", "y": f"{y:g}", "fill": _INK, "font-size": str(size)})
    element.text = text


def _coloured(values: FloatMap) -> npt.NDArray[np.uint8]:
    """Return [H, W, 3]."""
    share = np.sqrt(values / (values.max() or 1.0))
    channels = [np.interp(share, np.linspace(0, 1, len(_RAMP)), _RAMP[:, channel]) for channel in range(3)]
    return np.stack(channels, axis=-1).round().astype(np.uint8)


def _png(pixels: npt.NDArray[np.uint8]) -> bytes:
    """Return an 8-bit RGB PNG file (ISO/IEC 15948)."""
    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )

"""The elements drawings are made of, as SVG trees: whatever text comes in, it can only ever be text.

Colours are classes of the page's style sheet. Lengths are in pixels.
"""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement, tostring

from markupsafe import Markup


def canvas(width: float, height: float, kind: str) -> Element:
    """Return an empty drawing of a kind."""
    size = {"width": length(width), "height": length(height), "viewBox": f"0 0 {length(width)} {length(height)}"}
    return Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "class": kind, "role": "img", **size})


def draw_rect(
    parent: Element, x: float, y: float, width: float, height: float, kind: str, *, round_: float = 0
) -> None:
    """Draw a rectangle."""
    place = {"x": length(x), "y": length(y), "width": length(width), "height": length(height), "class": kind}
    SubElement(parent, "rect", place | ({"rx": length(round_)} if round_ else {}))


def draw_line(parent: Element, x1: float, y1: float, x2: float, y2: float, kind: str) -> None:
    """Draw a line."""
    SubElement(parent, "line", {"x1": length(x1), "y1": length(y1), "x2": length(x2), "y2": length(y2), "class": kind})


def draw_text(parent: Element, x: float, y: float, text: str, kind: str) -> Element:
    """Write a text."""
    element = SubElement(parent, "text", {"x": length(x), "y": length(y), "class": kind})
    element.text = clean(text)
    return element


def length(value: float) -> str:
    """Return a length to a hundredth of a pixel."""
    return f"{float(value):.2f}".rstrip("0").rstrip(".")


def clean(text: str) -> str:
    """Drop the control characters that XML cannot hold."""
    return "".join(character for character in text if _allowed(character))


def _allowed(character: str) -> bool:
    code = ord(character)
    return code in (9, 10, 13) or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or code >= 0x10000


def markup(svg: Element) -> Markup:
    """Return the drawing as text that a page may hold."""
    return Markup(tostring(svg, encoding="unicode"))  # ElementTree has escaped every text

"""Drawings: lengths follow values, texts stay texts."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest

from neurodeploy.report.svg import PALETTE, Bar, CoreUse, Interval, bars, cores, gauge, intervals, raster, swatch

SVG = "{http://www.w3.org/2000/svg}"


def rects(drawing, kind):
    """Return the rectangles of a class, as floats by attribute."""
    found = [e for e in ElementTree.fromstring(drawing).iter(f"{SVG}rect") if kind in e.get("class").split()]
    return [{name: float(e.get(name)) for name in ("x", "y", "width", "height")} for e in found]


def words(drawing):
    return [e.text for e in ElementTree.fromstring(drawing).iter() if e.text]


def test_bars_are_as_long_as_their_values():
    drawing = bars([Bar("a", 10.0, "ten", 0), Bar("b", 2.5, "less", 1)])
    (a,), (b,) = rects(drawing, "c0"), rects(drawing, "c1")
    assert b["width"] == pytest.approx(a["width"] / 4)
    assert words(drawing) == ["a", "ten", "b", "less"]


def test_bars_of_nothing():
    assert rects(bars([Bar("a", 0.0, "0")]), "c0")[0]["width"] == 0
    ElementTree.fromstring(bars([]))


def test_a_long_label_is_cut_and_kept_under_the_pointer():
    name = "layer_" * 10
    shown, whole, _ = words(bars([Bar(name, 1.0, "1")]))
    assert len(shown) < len(name)
    assert whole == name


@pytest.mark.parametrize("text", ["</text><script>", "a & b", '"quoted"', "\x00\x1b\ud800", "µ ≥ 語"])
def test_any_text_is_only_text(text):
    drawing = bars([Bar(text, 1.0, text)])
    tags = {element.tag for element in ElementTree.fromstring(drawing).iter()}
    assert tags == {f"{SVG}svg", f"{SVG}text", f"{SVG}rect"}


@pytest.mark.parametrize(
    ("share", "width", "kind"), [(0.5, 45, "fill"), (0.95, 85.5, "high"), (1.7, 90, "high"), (-1, 0, "fill")]
)
def test_gauge_fills_to_its_share(share, width, kind):
    (rect,) = rects(gauge(share), kind)
    assert rect["width"] == width


def test_raster_has_one_mark_a_spike_at_its_place():
    spikes = np.zeros((8, 4), dtype=np.uint8)
    spikes[2, 1] = spikes[5, 3] = 1
    first, second = sorted(rects(raster(spikes, marked=3), "spike"), key=lambda rect: rect["x"])
    assert (second["x"] - first["x"]) / 16 == pytest.approx(3)
    assert (second["y"] - first["y"]) / 16 == pytest.approx(2)
    assert len(rects(raster(spikes, marked=3), "on")) == 1


def test_raster_of_many_neurons_is_bounded():
    assert len(rects(raster(np.ones((3, 1000), dtype=np.uint8), marked=900), "spike")) == 3 * 64


@pytest.mark.parametrize("number", [1, 16, 17, 100])
def test_cores_are_filled_to_their_use(number):
    drawing = cores([CoreUse(i, 0.25, f"core {i}") for i in range(number)])
    tracks = rects(drawing, "track")
    assert len(tracks) == number
    assert rects(drawing, "c0")[0]["height"] == pytest.approx(tracks[0]["height"] / 4)
    assert len({(rect["x"], rect["y"]) for rect in tracks}) == number
    assert [text for text in words(drawing) if text.startswith("core")] == [f"core {i}" for i in range(number)]


def test_intervals_stand_on_one_logarithmic_axis():
    rows = [Interval("a", 1e-6, 1e-5, 1e-4, ""), Interval("b", 1e-5, 1e-4, 1e-3, ""), Interval("none", 0, 0, 0, "0")]
    root = ElementTree.fromstring(intervals(rows))
    lines = [line for line in root.iter(f"{SVG}line") if line.get("class") == "range"]
    ends = [(float(line.get("x1")), float(line.get("x2"))) for line in lines]
    assert len(lines) == 2
    assert ends[0][1] - ends[0][0] == pytest.approx(ends[1][1] - ends[1][0], abs=0.02)
    assert float(root.find(f"{SVG}circle").get("cx")) == pytest.approx(ends[1][0], abs=0.02)


def test_intervals_of_zeros_are_only_text():
    ElementTree.fromstring(intervals([Interval("a", 0, 0, 0, "0 J")]))


def test_colours_begin_anew():
    assert swatch(0) == swatch(PALETTE)

"""The page: well-formed, self-contained, complete, and deaf to what hostile files are called."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import jinja2
import pytest

from neurodeploy.report.html import quantization_rows, render, source_classes
from neurodeploy.report.numbers import count, percent, si, significant, span

VOID = {"meta", "br", "hr", "img", "link"}
HOSTILE = """<script>alert("1")</script>'&<b>"""


class Page(HTMLParser):
    """Checks that tags close in order, and keeps tags, attributes and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def page(deployment):
    return Page((deployment.directory / "report.html").read_text())


def test_tags_close_in_order_and_nothing_is_fetched_or_run(page):
    assert page.open == []
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "link", "img", "iframe", "object", "base"})
    for _, attributes in page.tags:
        assert not {name for name in attributes if name.startswith("on") or name in ("src", "href")}


def test_style_fetches_nothing(deployment):
    style = re.search(r"<style>(.*)</style>", (deployment.directory / "report.html").read_text(), re.S)
    assert style
    assert "url(" not in style[1]
    assert "@import" not in style[1]


def test_every_drawing_is_xml(deployment):
    text = (deployment.directory / "report.html").read_text()
    drawings = re.findall(r"<svg.*?</svg>", text, re.S)
    assert len(drawings) >= 3 + 2 + 1 + 1
    for drawing in drawings:
        ElementTree.fromstring(drawing)


def figures(report):
    """Yield every figure of the document that a reader is owed, as the page writes it."""
    estimate, digits = report["estimate"], report["estimate"]["significant_digits"]
    yield from (percent(report["accuracy"][kind], 2) for kind in ("float", "integer"))
    yield from (count(n) for n in (report["agreement"]["equal_answers"], report["samples"], report["steps"]))
    for row in report["parity"]:
        yield from (count(row[name]) for name in ("samples", "steps", "cells", "differing"))
    yield from (count(steps) for steps in report["pipeline"]["latency"].values())
    yield from (count(report["pipeline"][name]) for name in ("input_steps", "fill_steps", "steps"))
    for layer in report["layers"]:
        names = ("neurons", "weights", "cores", "spikes", "synaptic_operations", "messages")
        yield from (count(layer[name]) for name in names)
        yield from (percent(layer[name]) for name in ("use", "rate"))
    for example in report["examples"]:
        yield from (str(example[name]) for name in ("sample", "label", "answer", "spikes", "all_spikes"))
    for row in quantization_rows(report):
        yield from (span(row["float"]), span(row["integer"]), count(row["count"]))
        yield from (significant(row["largest_error"]), percent(row["relative_error"], 2))
    for row in report["quantization"]:
        peaks = row["calibration"]
        yield from (count(peaks[name]) for name in ("u", "v", "wraps", "clips"))
        yield from (percent(peaks[name]) for name in ("u_range", "v_range", "rate"))
    for name in ("spikes", "synaptic_operations", "neuron_updates", "active_updates", "messages", "input_spikes"):
        yield count(estimate[name])
    for interval in estimate["energy_joule"].values():
        yield from (si(value, "J", digits) for value in interval.values())
    for name in ("latency_second", "step_second"):
        yield from (si(value, "s", digits) for value in estimate[name].values())
    yield si(estimate["energy_45nm_operations_joule"], "J")
    for constant in estimate["constants"].values():
        yield from (si(constant[end], constant["unit"]) for end in ("low", "value", "high"))


def texts(report):
    """Yield every name and sentence of the document that a reader is owed."""
    for name in ("source", "data", "calibration"):
        yield from (report[name]["file"], report[name]["sha256"])
    yield report["target_title"]
    yield from (layer["name"] for layer in report["layers"])
    yield from report["notes"]
    yield from report["left_out"]
    yield from report["versions"].values()
    yield from report["files"].values()
    yield from (constant["source"] for constant in report["estimate"]["constants"].values())
    yield from source_classes(report).values()


def test_page_holds_every_figure_and_text_of_the_document(deployment, page):
    for kind in (figures, texts):
        expected = list(kind(deployment.report))
        assert expected
        for text in expected:
            assert " ".join(text.split()) in page.text, text


def renamed(deployment, name):
    """Return the document with every occurrence of the first layer's name, and of the file's, replaced."""
    text = json.dumps(deployment.report)
    for old in ('"n1"', '"float.nir"'):
        text = text.replace(old, json.dumps(name))
    return json.loads(text)


def test_hostile_names_stay_text(deployment):
    output = deployment.findings.recording.output
    plain = Page(render(renamed(deployment, "plain"), output))
    hostile = Page(render(renamed(deployment, HOSTILE), output))
    assert [tag for tag, _ in hostile.tags if tag != "title"] == [tag for tag, _ in plain.tags if tag != "title"]
    assert HOSTILE in "".join(hostile.words)
    assert hostile.open == []


def test_a_name_with_control_characters_breaks_no_drawing(deployment):
    text = render(renamed(deployment, "a\x00\x1bb"), deployment.findings.recording.output)
    for drawing in re.findall(r"<svg.*?</svg>", text, re.S):
        ElementTree.fromstring(drawing)


def test_a_document_that_lacks_a_key_is_no_page(deployment):
    document = {key: value for key, value in deployment.report.items() if key != "lava"}
    with pytest.raises(jinja2.UndefinedError, match="lava"):
        render(document, deployment.findings.recording.output)


def test_lava_is_named_when_it_was_consulted(deployment):
    document = {**deployment.report, "lava": {"consulted": True, "versions": {"lava-nc": "0.10.0"}}}
    text = Page(render(document, deployment.findings.recording.output)).text
    assert "Lava was consulted: lava-nc 0.10.0." in text
    assert "not consulted" not in text


def test_weakest_class_of_each_line(deployment):
    document = json.loads(json.dumps(deployment.report))
    constants = document["estimate"]["constants"]
    for constant in constants.values():
        constant["class"] = "measured"
    constants["power.static"]["class"] = "assumed"
    classes = source_classes(document)
    assert (classes["dynamic"], classes["static"], classes["management"]) == ("measured", "assumed", "measured")
    assert classes["total"] == "assumed"

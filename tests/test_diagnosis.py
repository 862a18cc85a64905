"""The account of a quantization: complete, true to recomputed figures, and the same in its three forms."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from neurodeploy.choices import Choices
from neurodeploy.diagnosis import diagnose
from neurodeploy.errors import UsageError
from neurodeploy.quantization import quantization
from neurodeploy.remedies import remedy
from neurodeploy.report.quantization import render_quantization, sections
from neurodeploy.simulation import simulate
from tests.test_quantization import CHIP, chain, convolutional, integrator, lif, spikes

X = spikes(10, 20, 2, 8, 8)
LABELS = np.arange(10) % 5


@pytest.fixture(scope="module")
def result():
    graph = convolutional(np.random.default_rng(7))
    return quantization(graph, CHIP, X, Choices(weight_bits=4, clipping="mse", scales="population"), LABELS)


@pytest.fixture(scope="module")
def document(result):
    return diagnose(result)


def test_every_population_and_parameter_is_told(document, result):
    assert [row["name"] for row in document["populations"]] == ["n1", "n2"]
    for row, realized in zip(document["populations"], result.realized, strict=True):
        assert [p["name"] for p in row["parameters"]] == [v.parameter for v in realized.values]
        assert row["weight_bits"] == 4
        for entry in row["parameters"]:
            low, high = entry["integer"] if isinstance(entry["integer"], list) else (entry["integer"],) * 2
            restored = [low / entry["scale"], high / entry["scale"]]
            floats = entry["float"] if isinstance(entry["float"], list) else [entry["float"]] * 2
            assert restored == pytest.approx(floats, abs=entry["largest_error"] + 1e-12)


def test_figures_are_those_of_the_spikes(document, result):
    real, whole = result.bench.evidence.recording, simulate(result.network, X)
    for row in document["populations"]:
        a, b = real.spikes[row["name"]], whole.spikes[row["name"]]
        assert row["counts"] == pytest.approx(np.abs(a.sum(1).astype(int) - b.sum(1)).sum() / a.sum())
        assert row["rate"] == b.mean()
        assert row["first_step"] == np.flatnonzero((a != b).any(axis=(0, *range(2, a.ndim))))[0]
        assert row["registers"] == result.peaks[row["name"]].as_dict()
        values = [v for v in result.values if v.population == row["name"] and v.parameter.startswith("weight")]
        noise = sum(np.square(v.restored - v.original).sum() for v in values)
        signal = sum(np.square(v.original).sum() for v in values)
        assert 10 ** (row["weight_sqnr_db"] / 10) == pytest.approx(signal / noise)
    network = document["network"]
    assert network["accuracy"]["integer"]["value"] == np.mean(whole.predictions() == LABELS)
    assert network["accuracy"]["float"]["low"] < network["accuracy"]["float"]["value"]
    assert network["changed_answers"]["value"] == np.mean(whole.predictions() != real.predictions())
    assert sum(row["cost"] for row in document["populations"]) == pytest.approx(network["answer_distance"])


def test_the_costliest_population_comes_with_advice(document):
    worst = max(document["populations"], key=lambda row: row["cost"])
    assert document["costliest"]["name"] == worst["name"]
    assert document["costliest"]["try"] == remedy(worst)
    assert "4-bit weights carry a signal of" in remedy(worst)
    scaled = [remedy({**worst, "plan": {**worst["plan"], "groups": groups}}) for groups in (1, 4)]
    assert ["--scales channel" in advice for advice in scaled] == [True, False]


def test_advice_follows_the_figures(document):
    row = {**document["populations"][1], "weight_sqnr_db": 60.0}
    assert "its own integers are near" in remedy({**row, "own_distance": 0.0, "distance": 0.5})
    assert "none of its figures stands out" in remedy({**row, "own_distance": 0.5, "distance": 0.5})
    assert "its threshold is 12 units" in remedy({**row, "threshold_units": 12})
    assert "a decay is rounded" in remedy({**row, "parameters": [{"time_constant_error": 0.3}]})
    assert "registers leave their range" in remedy({**row, "registers": {"wraps": 0, "clips": 3}})


def test_the_time_constant_error_is_that_of_the_rounded_decay():
    graph = chain(lif((2,), alpha=1 - 1.5 / 4096), np.ones((2, 3)))
    decay = next(v for v in quantization(graph, CHIP).values if v.parameter == "voltage_decay").summary()
    assert decay["integer"] == 2
    assert decay["time_constant_error"] == pytest.approx(0.25, abs=1e-3)


def test_a_leak_that_vanishes_is_noted():
    graph = chain(lif((2,), alpha=1 - 0.3 / 4096), np.ones((2, 3)))
    notes = quantization(graph, CHIP).network.provenance["notes"]
    assert "n: its voltage leaks so slowly that the chip's decay is 0: it forgets nothing" in notes


def test_a_readout_is_told_by_its_membrane():
    graph = chain(integrator((5,)), np.random.default_rng(8).normal(0, 0.5, (5, 9)))
    document = diagnose(quantization(graph, CHIP, spikes(6, 30, 9)))
    (row,) = document["populations"]
    assert 0 < row["distance"] < 0.01
    assert row["agreement"] is None
    assert document["network"]["accuracy"] is None
    assert "&ndash;" not in render_quantization(document, "net.nir", Path("r.html"))


def test_the_three_forms_hold_the_same_figures(document):
    page, text, data = (render_quantization(document, "net.nir", Path(f"r.{form}")) for form in ("html", "md", "json"))
    assert json.loads(data)["populations"] == json.loads(json.dumps(document["populations"]))
    cells = [cell for section in sections(document) for row in section.rows for cell in row]
    assert len(cells) > 100
    for cell in cells:
        assert cell in page.replace("&#43;", "+")
        assert cell.replace("|", "\\|") in text
    assert "<script" not in page
    assert "http" not in page


def test_names_are_no_markup(result):
    hostile = "<script>|`x`"
    document = diagnose(result)
    document["populations"][0]["name"] = hostile
    page, text = (render_quantization(document, hostile, Path(f"r.{form}")) for form in ("html", "md"))
    assert "<script>" not in page
    assert "<script>" not in text
    assert all(len(re.findall(r"(?<!\\)\|", line)) in (0, 8, 9, 11) for line in text.splitlines() if line[:1] == "|")


def test_a_report_needs_samples_and_a_known_form(result):
    with pytest.raises(UsageError, match=r"report: tells what integers do to spikes; give samples"):
        diagnose(replace(result, bench=None))
    with pytest.raises(UsageError, match=r"--report: r.pdf has the suffix '.pdf'; one of .html, .md, .json"):
        render_quantization({}, "net.nir", Path("r.pdf"))

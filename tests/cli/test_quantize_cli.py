"""``quantize`` on the command line: bits, budgets, the report, and what is refused before any work."""

from __future__ import annotations

import json

import pytest

from neurodeploy.netfile import read_network


def quantize(run, files, *more):
    data = ("--target", "loihi2", "--calibrate", files / "data.npz")
    return run("quantize", files / "float.nir", *data, "-o", files / "out.nir", *more)


@pytest.mark.parametrize("form", ["html", "md", "json"])
def test_the_report_is_written_beside_the_network(run, files, form):
    outcome = quantize(run, files, "--weight-bits", "4", "--clipping", "mse", "--report", files / f"r.{form}", "--json")
    assert outcome.code == 0
    text = (files / f"r.{form}").read_text(encoding="utf-8")
    assert "n2" in text
    assert [row["weight_bits"] for row in json.loads(outcome.out)["populations"]] == [4, 4]
    assert {p.weight_bits for p in read_network(files / "out.nir").projections} == {4}
    if form == "json":
        assert json.loads(text)["network"]["accuracy"]["float"]["value"] <= 1


def test_auto_keeps_to_its_budget(run, files):
    more = ("--weight-bits", "auto", "--memory", "900", "--clipping", "mse", "--scales", "population")
    assert quantize(run, files, *more).code == 0
    network = read_network(files / "out.nir")
    assert sum(p.connection.weight.size * p.weight_bits / 8 for p in network.projections) <= 900
    assert quantize(run, files, *more[:2], "--memory", "3", *more[4:], "--force").code == 1


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        (("--weight-bits", "many"), 2, "--weight-bits: is 'many'; give a number of bits, or auto"),
        (("--weight-bits", "12"), 2, "--weight-bits: is 12, loihi2 stores weights of"),
        (("--loss", "1"), 2, "loss: is a budget for weight_bits 'auto'"),
        (("--report", "r.txt"), 2, "r.txt has the suffix '.txt'; one of .html, .md, .json"),
        (("--rounding", "up"), 2, "up"),
    ],
)
def test_wrong_use_writes_nothing(run, files, more, code, message):
    outcome = quantize(run, files, *more)
    assert outcome.code == code
    assert message in outcome.err
    assert not (files / "out.nir").exists()


def test_a_report_without_samples_is_refused(run, files):
    arguments = ("--target", "loihi2", "-o", files / "out.nir", "--report", files / "r.md")
    outcome = run("quantize", files / "float.nir", *arguments)
    assert outcome.code == 2
    assert "--report: tells what integers do to spikes; give samples: --calibrate data.npz" in outcome.err

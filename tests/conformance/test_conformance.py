"""Every case of the corpus holds at every door that can be opened here; a failure names the case."""

from __future__ import annotations

import re
from importlib.util import find_spec

import pytest

from neurodeploy.conformance import Reader, read_cases, run_case, runs_code
from neurodeploy.conformance.compare import compare
from neurodeploy.conformance.files import read_declared
from neurodeploy.nirfile import read_graph
from tests.conformance.corpus import CASES

ALL = read_cases(CASES)


@pytest.fixture(scope="module")
def reader():
    with Reader() as started:
        yield started


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
def test_case_holds(case, reader):
    rows = list(run_case(case, reader))
    assert rows
    for row in rows:
        assert row.verdict != "fails", f"{row.case}, {row.door}: {row.detail}"
        if row.verdict == "not run":
            assert row.door in ("checkpoint", "none")
            assert not runs_code(case) or find_spec(case.framework) is None


def test_membranes_agree_to_the_rounding_of_float32():
    """Stricter than the verdict: not one membrane after its step is off by more than the corpus records."""
    compared = 0
    for case in ALL:
        path = case.file("expected.nir") or case.file("net.nir")
        if case.malformed or path is None or "unreadable" in case.comparison(path.name):
            continue
        outcome = compare(read_declared(case, path), case, samples=1)
        recorded = float(case.comparison(path.name).get("v_max_abs_diff", 0.0))
        if "mismatching" in case.comparison(path.name) and case.comparison(path.name)["mismatching"]:
            continue  # a spike decided by rounding moves a membrane by a threshold
        assert outcome.membrane <= 2 * recorded + 1e-6, case.name
        compared += 1
    assert compared > 120


def test_the_corpus_is_whole():
    """The numbers of the corpus, so that a case that goes missing is missed."""
    frameworks = [case.framework.partition(" ")[0] for case in ALL]
    assert len(ALL) == 191
    assert sum(case.malformed for case in ALL) == 53
    assert {name: frameworks.count(name) for name in sorted(set(frameworks))} == {
        "none": 95, "norse": 20, "rockpool": 6, "sinabs": 20, "snntorch": 30, "spikingjelly": 20,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("case", "note"),
    [
        ("nir-batch-axis-in-shapes", r"input: shape \[1, 5\] read as \[5\]"),
        ("nir-flatten-default-dims", "flat: its axes 1 to -1 count the batch; read as 0 to -1"),
        ("nir-scalar-params-0d", "lif: its single values apply to every neuron"),
        ("nir-nested-recurrent", "nested graphs were taken apart"),
        ("nir-self-loop", "feedback: lif -> lif carries the spikes of the step before"),
        ("nir-unknown-field", "lif: LIF has no field refractory in NIR; it was ignored"),
        ("nir-unused-nodes", "dead_branch, dead_lif, island.*: left out"),
        ("nir-old-version-0.1.1", "lif: v_reset is missing, as in files before NIR 1.0; 0 was assumed"),
    ],
)
def test_every_repair_is_told(case, note):
    graph = read_graph(CASES / case / "net.nir", dt=1e-4, semantics="nir")
    assert any(re.search(note, line) for line in graph.notes), graph.notes

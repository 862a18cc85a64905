"""The command: table, JSON, exit codes, and whose code it runs."""

from __future__ import annotations

import json

from tests.cli.conftest import run  # noqa: F401  # the fixture that runs the command line
from tests.conformance.corpus import CASES, copy_of, with_native


def test_json_is_one_document_and_says_what_held(run):  # noqa: F811
    outcome = run("conformance", CASES, "--only", "nir-bad-na", "--json")
    document = json.loads(outcome.out)
    assert outcome.code == 0
    assert (document["schema"], document["cases"], document["holds"]) == (1, 1, True)
    assert [row["door"] for row in document["rows"]] == ["malformed", "bare"]
    assert document["rows"][0]["detail"].startswith("refused: w: weight is NaN")


def test_the_table_names_cases_and_counts(run):  # noqa: F811
    outcome = run("conformance", CASES, "--only", "nir-two-", "--no-models")
    assert outcome.code == 0
    assert "nir-two-outputs" in outcome.out
    assert "3 cases: 6 checks hold, 0 fail, 0 not run" in outcome.out


def test_a_difference_is_exit_code_1(run, tmp_path):  # noqa: F811
    case = copy_of("nir-self-loop", tmp_path)
    with_native(case, spikes_lif=1 - case.native["spikes/lif"])
    outcome = run("conformance", tmp_path, "--json")
    assert outcome.code == 1
    assert json.loads(outcome.out)["verdicts"]["fails"] == 1


def test_code_is_run_by_default_and_told_or_left_out(run, tmp_path):  # noqa: F811
    case = copy_of("snntorch-linear-lif", tmp_path)
    code = (case.folder / "model.py").read_text()
    (case.folder / "model.py").write_text(f"print('hello from the case')\n{code}")
    outcome = run("conformance", tmp_path, "--json")
    assert outcome.code == 0
    assert "running model.py of 1 cases" in outcome.err
    assert "hello from the case" in outcome.err
    assert [row["door"] for row in json.loads(outcome.out)["rows"]] == ["net.nir", "bare", "checkpoint"]
    left_out = run("conformance", tmp_path, "--json", "--no-models")
    assert "hello" not in left_out.err
    assert [row["door"] for row in json.loads(left_out.out)["rows"]] == ["net.nir", "bare"]


def test_a_model_that_fails_is_a_row(run, tmp_path):  # noqa: F811
    case = copy_of("snntorch-linear-lif", tmp_path)
    (case.folder / "model.py").write_text("def build():\n    raise ValueError('broken')\n")
    outcome = run("conformance", tmp_path, "--json")
    rows = {row["door"]: row for row in json.loads(outcome.out)["rows"]}
    assert outcome.code == 1
    assert "ValueError: broken" in rows["checkpoint"]["detail"]


def test_a_folder_without_cases_is_exit_code_3(run, tmp_path):  # noqa: F811
    assert run("conformance", tmp_path).code == 3

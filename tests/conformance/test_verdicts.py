"""A case that lies, a file that is read in silence, a door that gives other spikes: every check can fail."""

from __future__ import annotations

import json

import numpy as np
import pytest

from neurodeploy.conformance import Reader, read_case, read_cases, run_cases
from neurodeploy.conformance.checkpoint import check_checkpoint
from neurodeploy.conformance.files import check_bare, check_files
from neurodeploy.conformance.malformed import check_malformed
from neurodeploy.errors import InputError
from neurodeploy.graph import Graph
from neurodeploy.nirfile import read_graph, write_graph
from tests.conformance.corpus import CASES, copy_of, with_native


def only(rows):
    (row,) = rows
    return row


def test_one_spike_too_many_fails_and_is_placed(tmp_path):
    case = copy_of("nir-self-loop", tmp_path)
    spikes = case.native["spikes/lif"].copy()
    spikes[1, 7, 2] ^= 1
    row = only(check_files(with_native(case, spikes_lif=spikes)))
    assert (row.verdict, row.mismatches) == ("fails", 1)
    assert "first in layer 'lif' at sample 1, step 7, neuron (2,)" in row.detail


def test_as_many_mismatches_as_recorded_are_allowed(tmp_path):
    recorded = {"net.nir": {"mismatching": 1}}
    case = copy_of("nir-self-loop", tmp_path, comparison_under_declared_semantics=recorded)
    spikes = case.native["spikes/lif"].copy()
    spikes[1, 7, 2] ^= 1
    row = only(check_files(with_native(case, spikes_lif=spikes)))
    assert (row.verdict, row.mismatches) == ("holds", 1)
    assert "1 of the 1 recorded cells differ" in row.detail


def test_another_declared_reading_fails(tmp_path):
    case = copy_of("nir-v-reset", tmp_path)
    semantics = {**case.document["semantics"], "reset": "subtract"}
    other = copy_of("nir-v-reset", tmp_path / "other", semantics=semantics)
    assert only(check_files(case)).verdict == "holds"
    assert only(check_files(other)).verdict == "fails"


def test_a_layer_that_nobody_left_out_is_missed(tmp_path):
    case = copy_of("nir-self-loop", tmp_path)
    row = only(check_files(with_native(case, spikes_ghost=case.native["spikes/lif"])))
    assert row.verdict == "fails"
    assert "the graph has no ghost" in row.detail


def test_real_valued_answers_are_compared_too(tmp_path):
    case = copy_of("nir-li-readout", tmp_path)
    output = case.native["output"].copy()
    output[2, 30, 1] += 0.01 * np.abs(output).max() + 0.01
    row = only(check_files(with_native(case, output=output)))
    assert (row.verdict, row.mismatches) == ("fails", 1)


def test_a_wrong_accuracy_fails(tmp_path):
    case = copy_of("norse-digits", tmp_path, native_accuracy=0.5, interpreter_accuracy=None)
    row = only(check_files(case))
    assert row.verdict == "fails"
    assert "accuracy 0.9500 instead of 0.5000" in row.detail


def test_fewer_samples_say_nothing_of_accuracy(tmp_path):
    case = copy_of("norse-digits", tmp_path, native_accuracy=0.5)
    row = only(check_files(case, samples=4))
    assert row.verdict == "holds"
    assert "accuracy" not in row.detail


@pytest.mark.parametrize(
    ("semantics", "problem"),
    [
        ({"bounce": "yes"}, "unknown semantics key 'bounce'"),
        ({"integration": "exp"}, "declares integration = 'exp', which is not 'euler'"),
        ({"recurrence_delay_steps": 0}, "declares recurrence_delay_steps = 0"),
        ({"bias": [1.0]}, "declares a bias for all layers"),
        ({"dt": "soon"}, "declares no readable semantics (ValueError"),
    ],
)
def test_declarations_beyond_the_vocabulary_are_errors(tmp_path, semantics, problem):
    case = copy_of("nir-self-loop", tmp_path)
    case = copy_of("nir-self-loop", tmp_path / "b", semantics={**case.document["semantics"], **semantics})
    row = only(run_cases([case]))
    assert (row.door, row.verdict) == ("case", "fails")
    assert problem in row.detail


def test_semantics_for_a_layer_that_the_file_lacks(tmp_path):
    case = copy_of("nir-self-loop", tmp_path, per_layer_semantics={"ghost": {"reset": "none"}})
    row = only(check_files(case))
    assert row.verdict == "fails"
    assert "has no layer 'ghost'" in row.detail


def test_a_bare_file_is_asked_about_with_what_fits():
    row = only(check_bare(read_case(CASES / "rockpool-two-layer")))
    assert (row.verdict, row.detail) == ("holds", "asks, and proposes rockpool")


def test_a_file_read_in_silence_fails(tmp_path, monkeypatch):
    import neurodeploy.conformance.files as files

    def quiet(path, **_options) -> Graph:
        graph = read_graph(path, dt=1e-4, semantics="nir")
        return Graph(graph.nodes, graph.edges, graph.dt, graph.feedback)

    monkeypatch.setattr(files, "read_graph", quiet)
    row = only(check_bare(read_case(CASES / "snntorch-linear-lif")))
    assert (row.verdict, row.detail) == ("fails", "read in silence")


def test_a_repair_without_a_note_fails(tmp_path, monkeypatch):
    import neurodeploy.conformance.files as files

    def quiet(path, **options) -> Graph:
        graph = read_graph(path, **options)
        return Graph(graph.nodes, graph.edges, graph.dt, graph.feedback)

    monkeypatch.setattr(files, "read_graph", quiet)
    row = only(check_files(read_case(CASES / "nir-unknown-field")))
    assert row.verdict == "fails"
    assert "without a note" in row.detail


def test_an_incomplete_file_must_not_become_a_network(tmp_path):
    case = copy_of("norse-bn", tmp_path)
    write_graph(read_graph(case.folder / "expected.nir", dt=1e-3, semantics="nir"), tmp_path / "whole.nir")
    (tmp_path / "whole.nir").replace(case.folder / "net.nir")
    rows = {row.door: row for row in check_files(case)}
    assert rows["expected.nir"].verdict == "holds"
    assert rows["net.nir"].detail == "an incomplete file was read as a network"


def malformed(case):
    with Reader() as reader:
        return {row.door: row for row in check_malformed(case, reader)}


def test_a_good_file_is_no_malformed_one(tmp_path):
    case = copy_of("nir-bad-nan-weights", tmp_path)
    (case.folder / "net.nir").write_bytes((CASES / "nir-self-loop" / "net.nir").read_bytes())
    assert "accepted, but the case says refuse" in malformed(case)["malformed"].detail


def test_words_limits_and_verdicts_are_checked(tmp_path):
    must = read_case(CASES / "nir-bad-nan-weights").document["importer_must"]
    changes = {
        "words": ({"message_should_mention": ["unicorn"]}, "does not mention unicorn"),
        "memory": ({"limits": "within 5 seconds, below 1 MB of memory"}, "MB of 1"),
        "verdict": ({"verdict": "accept"}, "refused, but the case says accept"),
    }
    for name, (change, problem) in changes.items():
        case = copy_of("nir-bad-nan-weights", tmp_path / name, importer_must={**must, **change})
        assert problem in malformed(case)["malformed"].detail


def test_a_reader_that_hangs_or_dies_is_ended_and_started_again(monkeypatch):
    import neurodeploy.conformance.malformed as module

    with Reader() as reader:
        broken = "import sys, time; print('ready', flush=True); sys.stdin.readline(); {}"
        monkeypatch.setattr(module, "_PROGRAM", broken.format("time.sleep(60)"))
        assert reader.read(CASES / "none.nir", seconds=0.2)["outcome"] == "hung"
        monkeypatch.setattr(module, "_PROGRAM", broken.format("sys.exit(3)"))
        assert reader.read(CASES / "none.nir", seconds=60.0)["outcome"] == "crashed"
        monkeypatch.undo()
        found = reader.read(CASES / "none.nir", seconds=60.0)
    assert found["outcome"] == "refused"
    assert "none.nir" in found["text"]


def test_folders_that_hold_no_case(tmp_path):
    with pytest.raises(InputError, match="is no folder"):
        read_cases(tmp_path / "none")
    with pytest.raises(InputError, match=r"holds no \*/case\.json"):
        read_cases(tmp_path)
    with pytest.raises(InputError, match="none of its 191 cases has 'unicorn'"):
        read_cases(CASES, "unicorn")
    (tmp_path / "case.json").write_text("[]")
    with pytest.raises(InputError, match="holds a list"):
        read_cases(tmp_path)
    (tmp_path / "case.json").write_text("{")
    with pytest.raises(InputError, match="no readable JSON"):
        read_cases(tmp_path)


def test_a_single_case_is_a_folder_too():
    assert [case.name for case in read_cases(CASES / "nir-delay")] == ["nir-delay"]


def test_a_case_with_nothing_to_read_is_listed(tmp_path):
    case = copy_of("sinabs-maxpool", tmp_path)
    assert [row.verdict for row in run_cases([case], models=False)] == ["not run"]
    assert json.loads((case.folder / "case.json").read_text())["framework"] == "sinabs"


@pytest.mark.parametrize(
    ("wanted", "verdict"),
    [
        ("refuse naming the option", "holds"),
        ("refuse: incomplete file; from the checkpoint: expected.nir", "fails"),
        ("no file; from the checkpoint: refuse naming the option", "holds"),
    ],
)
def test_a_refused_checkpoint_counts_where_the_case_asks_for_it(tmp_path, wanted, verdict):
    case = copy_of("snntorch-linear-lif", tmp_path, importer_should=wanted)
    code = case.folder / "model.py"
    code.write_text(code.read_text().replace("init_hidden=True", "init_hidden=True, state_quant=lambda v: v"))
    row = only(check_checkpoint(case))
    assert row.verdict == verdict
    assert "state_quant" in row.detail

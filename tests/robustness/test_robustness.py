"""Some of the mutated files that ``make fuzz`` reads by the thousands."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.robustness import fuzz as fuzzer
from tests.robustness.subjects import SUBJECTS

#: 500 files over all kinds.
SHARE = -(-500 // len(SUBJECTS))


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda s: s.name)
def test_mutated_files_end_in_a_result_or_our_error(subject):
    failures = fuzzer.fuzz(subject, SHARE, seed=1)
    assert not failures, failures[:5]


def test_the_fuzzer_notices_a_process_that_dies(monkeypatch, tmp_path):
    subject = replace(SUBJECTS[0], name="no such subject")
    with pytest.raises(RuntimeError, match="the process ended with 1"):
        fuzzer.fuzz(subject, 2, seed=1)

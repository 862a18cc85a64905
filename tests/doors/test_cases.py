"""The checkpoints of the corpus that need a framework of this environment: native spikes, or the refusal asked for."""

import pytest

from neurodeploy.conformance import read_cases
from neurodeploy.conformance.checkpoint import check_checkpoint
from tests.conformance.corpus import CASES
from tests.doors.conftest import NEEDED

FOUND = [case for case in read_cases(CASES) if case.framework in NEEDED]


@pytest.mark.parametrize("case", FOUND, ids=lambda case: case.name)
def test_a_checkpoint_gives_the_native_spikes(case):
    (row,) = check_checkpoint(case)
    assert row.verdict == "holds", row.detail
    assert row.cells


def test_the_corpus_is_whole():
    assert [sum(case.framework == name for case in FOUND) for name in NEEDED] == [20, 20]

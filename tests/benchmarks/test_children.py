"""The line protocol between the benchmark and the processes of its contestants."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from tests.benchmarks.children import Child

PEERS = Path(__file__).parent / "peers"

DOUBLING = """
from serving import Job, serve

class Doubling(Job):
    def __init__(self, number):
        self.number = number + 0
    def run(self):
        print("a library that talks")
        return 2 * self.number
    def look(self, result):
        return {"result": result}
    def notes(self):
        return {"number": self.number}

serve(Doubling)
"""


@pytest.fixture
def start(request):
    def start(program, limit=20.0):
        child = Child([sys.executable, "-c", program], {**os.environ, "PYTHONPATH": str(PEERS)}, limit)
        request.addfinalizer(lambda: child.close(0))
        return child

    return start


def test_a_child_prepares_runs_and_keeps_what_it_prints_to_itself(start):
    child = start(DOUBLING)
    answer = child.ask(do="prepare", key="a", job={"number": 21})
    assert answer["result"] == 42
    assert answer["first"] > 0
    assert answer["peak_mib"] is None or answer["peak_mib"] >= 0
    once = child.ask(do="run", key="a", least=0.0)
    assert len(once["seconds"]) == 1
    assert once["notes"] == {"number": 21}
    assert len(child.ask(do="run", key="a", least=0.01)["seconds"]) > 1


def test_an_exception_is_an_answer_and_the_child_goes_on(start):
    child = start(DOUBLING)
    assert child.ask(do="prepare", key="a", job={"number": "x"})["error"].startswith("TypeError: ")
    assert child.ask(do="prepare", key="a", job={"number": 1})["result"] == 2


def test_a_child_that_ends_says_so_with_its_last_words(start):
    child = start("import sys; print('no such library', file=sys.stderr); raise SystemExit(3)")
    assert child.ask(do="run")["error"] == "its process ended with exit code 3 (no such library)"
    assert child.ask(do="run")["error"] == "its process ended with exit code 3 (no such library)"


def test_a_child_that_hangs_is_ended_with_its_children(start):
    hang = "import os, sys, time\nif os.fork(): print(os.getpid(), file=sys.stderr, flush=True)\ntime.sleep(100)"
    child = start(hang, limit=0.3)
    began = time.monotonic()
    assert child.ask(do="run")["error"].startswith("no answer within 0.3 s")
    assert time.monotonic() - began < 10
    with pytest.raises(ProcessLookupError):
        os.killpg(child.pid, 0)


def test_what_is_no_json_is_an_error(start):
    child = start("print('hello', flush=True); input()")
    assert child.ask(do="run")["error"] == "what it answers is no JSON"

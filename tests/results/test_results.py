"""The page says of each claim what the figures say, and a run that is kept is not made again."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tests.results import __main__ as results
from tests.results.claims import Claim, mean
from tests.results.experiment import Experiment
from tests.results.page import Section, page

_CLAIM = Claim(
    "b is above a", lambda f: mean(f["b"]["accuracy"]) > mean(f["a"]["accuracy"]), ("a", "accuracy"), ("b", "accuracy")
)


def _page(a: list[float], b: list[float] | None) -> str:
    table = {"a": {"accuracy": a}} | ({"b": {"accuracy": b}} if b else {})
    document = {"date": "2000-01-01", "machine": "m", "processor minutes": 1.0, "seeds": [0, 1], "clips": 10}
    section = Section("S", (_CLAIM,), ("a", "b"), ("erf/a.svg",), "Also tried: c.")
    return page([section], document | {"figures": table})


@pytest.mark.parametrize(("b", "said"), [([2.0, 4.0], "holds"), ([0.0, 1.0], "**does not hold**"), (None, "not run")])
def test_a_claim_is_told_as_its_figures_are(b, said):
    assert f"| b is above a | {said} |" in _page([1.0, 2.0], b)


def test_figures_are_means_with_ranges_and_pictures_are_shown():
    text = _page([1.0, 2.0], [2.0, 4.0])
    assert "| b | 3.0 (2.0 to 4.0) |" in text
    assert "![erf/a.svg](erf/a.svg)" in text
    assert "Also tried: c." in text


@pytest.fixture
def quick(monkeypatch, tmp_path):
    """Let every experiment of one small section answer at once; say which were made."""
    made: list[tuple[str, int]] = []
    net = 'kind = "stsep"\nblock = "plain"\ndepth = 10\nstages = 1\nstem = "small"\nchannels = 8\n'
    one = Experiment("one", net, picture=lambda _trainer, title: f"<svg>{title}</svg>")

    def run(job):
        made.append(job)
        return *job, {"accuracy": float(job[1])}, "<svg/>" if job[1] == 0 else None, 60.0

    class Pool:
        def __init__(self, _processes):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        imap_unordered = staticmethod(map)

    module = SimpleNamespace(EXPERIMENTS=(one,), CLAIMS=())
    monkeypatch.setattr(results, "SECTIONS", (("Only", module),))
    monkeypatch.setattr(results, "run_one", run)
    monkeypatch.setattr(results.multiprocessing, "get_context", lambda _kind: SimpleNamespace(Pool=Pool))

    def command(*options: str) -> list[tuple[str, int]]:
        made.clear()
        paths = ("-o", str(tmp_path / "r.json"), "--page", str(tmp_path / "r.md"))
        monkeypatch.setattr("sys.argv", ["results", *options, *paths])
        results.main()
        return list(made)

    return command


def test_finished_runs_are_kept_until_their_picture_or_all_are_wanted_again(quick, tmp_path):
    assert quick("--seeds", "2") == [("one", 0), ("one", 1)]
    assert quick("--seeds", "3") == [("one", 2)]
    (tmp_path / "erf" / "one.svg").unlink()
    assert quick("--seeds", "3") == [("one", 0)]
    assert len(quick("--seeds", "3", "--again")) == 3
    assert "| one | 1.0 (0.0 to 2.0) |" in (tmp_path / "r.md").read_text()


def test_a_process_of_its_own_finds_what_it_runs():
    """The module of a command is not loaded again in a spawned process."""
    assert results.run_one.__module__ == "tests.results.systems"

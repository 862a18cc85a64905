"""The systems with their experiments, and one run as a process of its own makes it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from types import ModuleType

import torch

from tests.results import metasdt, sma, stdl, stsep
from tests.results.experiment import Experiment, Figures

SECTIONS = (
    ("Memory by stages, and STSep", stsep),
    ("Multiscale attention and zone-out", sma),
    ("Channel mixers of Meta-SDT and their receptive fields", metasdt),
    ("Training in groups and steps (STDL)", stdl),
)


def run_one(job: tuple[str, int]) -> tuple[str, int, Figures, str | None, float]:
    """Train an experiment with a seed on one thread; return both, figures, picture and seconds of processor."""
    torch.set_num_threads(1)
    began = time.process_time()
    name, seed = job
    figures, picture = experiments_by_name(SECTIONS)[name].run(seed)
    return name, seed, figures, picture, time.process_time() - began


def experiments_by_name(sections: Iterable[tuple[str, ModuleType]]) -> dict[str, Experiment]:
    """Return all experiments, each by the name of its runs."""
    return {experiment.name: experiment for _, module in sections for experiment in module.EXPERIMENTS}

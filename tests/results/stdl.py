"""STDL and the methods beside it: what cutting gradients costs in accuracy and saves in memory."""

from __future__ import annotations

import numpy as np
import torch

from neurodeploy.models.convnet import as_input
from neurodeploy.models.stdl.memory import counting_kept
from neurodeploy.models.trainer import Trainer
from tests.results.claims import Claim, Table, mean
from tests.results.experiment import Experiment, Figures

_STDL = "STDL, half of BPTT's memory"
_NET = 'kind = "resnet"\nstages = 2\nblocks = 2\nchannels = 8\nstem_stride = 2\n'
#: The methods' own losses are those of single steps, so that all learn from these.
_LOSS = ("training.loss=tet",)


def kept_bytes(trainer: Trainer) -> Figures:
    """Return the most that autograd held at a time in one training step of 32 clips, in MiB."""
    part = trainer.data.train.take(np.arange(32))
    trainer.model.train()
    weights = (*trainer.model.parameters(), *trainer.method.auxiliary.parameters())
    with counting_kept(weights) as kept:
        trainer.method.backward(as_input(part.spikes), torch.from_numpy(part.labels), 1.0, lambda: None)
    return {"MiB kept": kept.peak / 2**20}


def _of(name: str, *method: str) -> Experiment:
    extra = (*_LOSS, *(f"method.{option}" for option in method))
    return Experiment(name, _NET, "digit", 3, extra, measure=kept_bytes)


EXPERIMENTS = (
    _of("BPTT"),
    _of("SLTT-like", "kind=sltt"),
    _of("ELL-like", "kind=ell"),
    _of("AugLocal-like, d = 1", "kind=auglocal", "depth=1"),
    _of(_STDL, "kind=stdl", "share=0.5"),
)


def _accuracy(table: Table, name: str) -> float:
    return mean(table[name]["accuracy"])


CLAIMS = (
    Claim(
        "STDL is within one point of BPTT",
        lambda f: _accuracy(f, _STDL) >= _accuracy(f, "BPTT") - 1,
        (_STDL, "accuracy"),
        ("BPTT", "accuracy"),
    ),
    Claim(
        "Local classifiers are below AugLocal's fixed depth, and that is below STDL's budget",
        lambda f: _accuracy(f, "ELL-like") < _accuracy(f, "AugLocal-like, d = 1") < _accuracy(f, _STDL),
        ("ELL-like", "accuracy"),
        ("AugLocal-like, d = 1", "accuracy"),
        (_STDL, "accuracy"),
    ),
    Claim(
        "STDL keeps at most a quarter of what BPTT keeps for the backward pass",
        lambda f: 4 * mean(f[_STDL]["MiB kept"]) <= mean(f["BPTT"]["MiB kept"]),
        (_STDL, "MiB kept"),
        ("BPTT", "MiB kept"),
    ),
)

"""Channel mixers of Meta-SDT with no more parameters than Conv, and their receptive fields."""

from __future__ import annotations

from neurodeploy.models.erf.measure import st_erf
from neurodeploy.models.trainer import Trainer
from tests.results.claims import Claim, mean
from tests.results.experiment import Experiment, Figures, first_clips

_NET = (
    'kind = "meta-sdt"\nchannels = [16, 32, 32, 32]\nblocks = [1, 1, 0, 1, 0]\nstrides = [2, 2, 2, 1, 1]\nheads = 4\n'
    'expansion = 2\nmixer = "{mixer}"\nlayout = "{layout}"\nmixer_expansion = {expansion}\ndropout = 0.0\n'
)
#: Clips whose fields are averaged.
_RUNS = 16


def fields(trainer: Trainer) -> Figures:
    """Return the mixers' parameters and the spatial fields of the first two sections, trained, on test clips."""
    found = {"thousand parameters": sum(p.numel() for p in trainer.model.parameters()) / 1000}
    for field in st_erf(trainer.model, first_clips(trainer, _RUNS), ("1a", "1b")):
        summary = field.summary(3.0)
        found[f"sigma of {field.layer}"] = (summary.sigma_rows + summary.sigma_columns) / 2
        found[f"% within 3 px, {field.layer}"] = 100 * summary.energy_in_radius
    return found


def _net(name: str, mixer: str, layout: str, expansion: int) -> Experiment:
    model = _NET.format(mixer=mixer, layout=layout, expansion=expansion)
    return Experiment(name, model, "digit", 3, extra=("data.steps=4",), measure=fields)


#: Weights of a mixer of C channels: 18 e C^2 of Conv, 2 e C^2 of MLPixer, 10 e C^2 of SRB, here 36, 36 and 30.
EXPERIMENTS = (
    _net("Conv", "conv", "reference", 2),
    _net("MLPixer", "mlpixer", "reference", 18),
    _net("MLPixer, pointwise", "mlpixer", "pointwise", 18),
    _net("SRB", "srb", "reference", 3),
    _net("SRB, pointwise", "srb", "pointwise", 3),
)


def _above(name: str) -> Claim:
    return Claim(
        f"{name} is above Conv with no more parameters",
        lambda f: mean(f[name]["accuracy"]) > mean(f["Conv"]["accuracy"]),
        (name, "accuracy"),
        ("Conv", "accuracy"),
    )


def _wider(name: str) -> Claim:
    figure = "sigma of 1b"
    return Claim(
        f"The receptive field of {name} is wider than Conv's in the first stage",
        lambda f: mean(f[name][figure]) > mean(f["Conv"][figure]),
        (name, figure),
        ("Conv", figure),
    )


CLAIMS = (_above("SRB"), _above("MLPixer"), _wider("SRB"), _wider("MLPixer"))

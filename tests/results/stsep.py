"""STSep and the non-stateful family: what memory is needed for (section A of the paper's claims)."""

from __future__ import annotations

from tests.results.claims import Claim, mean
from tests.results.experiment import Experiment, opposite

_NET = 'kind = "stsep"\nblock = "{block}"\ndepth = 10\nstages = 3\nstem = "imagenet"\nchannels = 16\n'
#: About one clip of each image, seen often. Rates averaged over places differ little between clips, hence the scale.
_SHORT = ("data.train_samples=1600", "training.batch_size=32", "training.logit_scale=10")


def _plain(name: str, stateless: str = "") -> Experiment:
    model = _NET.format(block="plain") + f"stateless = [{stateless}]\n"
    return Experiment(name, model, "direction", 6, _SHORT, opposite)


EXPERIMENTS = (
    _plain("stateful"),
    _plain("NS(stem)", '"stem"'),
    _plain("NS(1)", '"1"'),
    _plain("NS(1, 2)", '"1", "2"'),
    _plain("NS(1, 2, 3)", '"1", "2", "3"'),
    _plain("NS(3)", '"3"'),
    _plain("NS(2, 3)", '"2", "3"'),
    _plain("NS(all)", '"stem", "1", "2", "3"'),
    Experiment("STSep", _NET.format(block="stsep"), "direction", 6, _SHORT, opposite),
    Experiment("stateful, digit and direction", _NET.format(block="plain"), "both", 14, _SHORT),
    Experiment("STSep, digit and direction", _NET.format(block="stsep"), "both", 14, _SHORT),
)

CLAIMS = (
    Claim(
        "Without any memory a network is at chance between opposite directions",
        lambda f: all(abs(x - 50) <= 2 for x in f["NS(all)"]["right of two opposites"]),
        ("NS(all)", "right of two opposites"),
    ),
    Claim(
        "The stateful network tells at least 95 % of directions",
        lambda f: min(f["stateful"]["accuracy"]) >= 95,
        ("stateful", "accuracy"),
    ),
    Claim(
        "STSep tells at least 95 % of directions",
        lambda f: min(f["STSep"]["accuracy"]) >= 95,
        ("STSep", "accuracy"),
    ),
    Claim(
        "Forgetting in the first or in the last stage alone costs at most half a point",
        lambda f: (
            max(mean(f[name]["accuracy"]) for name in ("NS(1)", "NS(3)")) >= mean(f["stateful"]["accuracy"]) - 0.5
        ),
        ("NS(1)", "accuracy"),
        ("NS(3)", "accuracy"),
        ("stateful", "accuracy"),
    ),
    Claim(
        "STSep is above the stateful network on digit and direction together, at equal epochs",
        lambda f: (
            mean(f["STSep, digit and direction"]["accuracy"]) > mean(f["stateful, digit and direction"]["accuracy"])
        ),
        ("STSep, digit and direction", "accuracy"),
        ("stateful, digit and direction", "accuracy"),
    ),
)

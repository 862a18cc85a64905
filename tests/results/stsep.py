"""STSep and the non-stateful family: what memory is needed for (section A of the paper's claims)."""

from __future__ import annotations

from tests.results.claims import Claim, mean
from tests.results.experiment import Experiment, opposite

_NET = 'kind = "stsep"\nblock = "{block}"\ndepth = 10\nstages = 3\nstem = "imagenet"\nchannels = 16\n'
#: Before a clip of an event camera nothing was seen, so that its first frame is a change too.
_STSEP = _NET.format(block="stsep") + 'boundary = "history"\nfusion = "learned"\n'
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
    Experiment("STSep", _STSEP, "direction", 6, _SHORT, opposite),
    Experiment("stateful, digit and direction", _NET.format(block="plain"), "both", 14, _SHORT),
    Experiment("STSep, digit and direction", _STSEP, "both", 14, _SHORT),
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

TRIED = """
All networks of this section see 1,600 clips, 6 times for the direction and 14 times for digit and direction, in batches
of 32, with a strided stem of 16 channels and outputs scaled by 10. With a stem without stride, 8 channels and unscaled
outputs a first pass over 6,400 clips ended at 5.2 % (stateful) and 4.1 % (STSep) of digits and directions. STSep has
two branches of full width and so about twice the parameters of the stateful network.

What STSep's paper leaves open was looked at with seed 0 before this run: with a first difference of 0 and both branches
weighed equally it was below the stateful network on digit and direction (87.4 % against 89.6 %; of 6,400 clips seen
five times, 92.6 % against 93.7 %); where the first frame counts as a change and the weights are learned, as here, above
(91.1 % against 89.6 %). The stateful network had no such choice to make.
"""

"""Multiscale attention and zone-out on digit and direction together (section D of the papers' claims)."""

from __future__ import annotations

from tests.results.claims import Claim, mean
from tests.results.experiment import Experiment

#: Kernels of 1, 3 and 5: the attended maps have 12 and 6 pixels a side. Linear layers: see ``TRIED``.
_NET = (
    'kind = "sma-vgg"\nattention = "{attention}"\nzoneout = "{zoneout}"\nchannels = 8\nblocks = 3\nhidden = 0\n'
    "largest_kernel = 5\ntime_reduction = 2\nchannel_ratio = 4\ntime_ratio = 4\ndropout = 0.2\n"
)
#: About one clip of each image, seen often: training then ends near its own data, and what generalises can be compared.
_SHORT = ("data.train_samples=1600", "training.batch_size=32")


def _net(name: str, attention: str, zoneout: str = "off") -> Experiment:
    return Experiment(name, _NET.format(attention=attention, zoneout=zoneout), "both", 14, _SHORT)


EXPERIMENTS = (
    _net("VGG", "none"),
    _net("VGG with SMA", "sma"),
    _net("VGG with SMA and AZO", "sma", "attention"),
)

CLAIMS = (
    Claim(
        "Multiscale attention is above the same network without it",
        lambda f: mean(f["VGG with SMA"]["accuracy"]) > mean(f["VGG"]["accuracy"]),
        ("VGG with SMA", "accuracy"),
        ("VGG", "accuracy"),
    ),
    Claim(
        "Zone-out is above attention without it",
        lambda f: mean(f["VGG with SMA and AZO"]["accuracy"]) > mean(f["VGG with SMA"]["accuracy"]),
        ("VGG with SMA and AZO", "accuracy"),
        ("VGG with SMA", "accuracy"),
    ),
)

"""Networks of CUBA blocks as people write them, with parameters that make their neurons fire."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import h5py
import torch
from torch import nn

Shape = tuple[int, ...]


def parameters(**more: Any) -> dict[str, Any]:
    return {"threshold": 1.25, "current_decay": 0.25, "voltage_decay": 0.03, **more}


class Blocks(nn.Module):
    """The usual form: a list of blocks, one after the other, and the usual export."""

    def __init__(self, *blocks: nn.Module) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)

    def forward(self, spike: torch.Tensor) -> torch.Tensor:
        for block in self.blocks:
            spike = block(spike)
        return spike

    def export_hdf5(self, path: str) -> None:
        with h5py.File(path, "w") as file:
            for index, block in enumerate(self.blocks):
                block.export_hdf5(file.create_group(f"layer/{index}"))


@dataclass(frozen=True)
class Case:
    """A network and the shape of its input."""

    build: Callable[[Any], nn.Module]
    shape: Shape


def _mean(**more: Any) -> dict[str, Any]:
    from lava.lib.dl.slayer.neuron.norm import MeanOnlyBatchNorm

    return parameters(norm=MeanOnlyBatchNorm, **more)


#: What lava-dl's own export and loader take too.
EXPORTED = {
    "dense": Case(
        lambda c: Blocks(c.Dense(parameters(), 10, 8, weight_scale=2), c.Dense(parameters(), 8, 5, weight_scale=2)),
        (10,),
    ),
    "a decay a channel": Case(
        lambda c: Blocks(
            c.Dense(parameters(shared_param=False, current_decay=(0.1, 0.9)), 10, 8, weight_scale=2),
            c.Dense(parameters(voltage_decay=0.0, requires_grad=True), 8, 5),
        ),
        (10,),
    ),
    "normed": Case(lambda c: Blocks(c.Dense(_mean(), 10, 8, weight_scale=2), c.Dense(parameters(), 8, 5)), (10,)),
    "convolutions": Case(
        lambda c: Blocks(
            c.Input(None, delay_shift=False),
            c.Conv(parameters(), 2, 4, (3, 2), stride=(2, 1), padding=(1, 0), weight_scale=2),
            c.Conv(parameters(), 4, 6, 2, groups=2, dilation=2, weight_scale=3),
            c.Flatten(),
            c.Dense(parameters(), 6 * 3 * 4, 5, weight_scale=2),
        ),
        (2, 9, 7),
    ),
    "recurrent": Case(
        lambda c: Blocks(c.Recurrent(parameters(), 6, 7, weight_scale=2), c.Dense(parameters(), 7, 4, weight_scale=2)),
        (6,),
    ),
}

#: What only slayer runs.
NATIVE = {
    "delays": Case(
        lambda c: Blocks(
            c.Dense(parameters(), 10, 8, delay=True, weight_scale=2), c.Dense(parameters(), 8, 5, weight_scale=2)
        ),
        (10,),
    ),
    "delays before windows": Case(
        lambda c: Blocks(
            c.Conv(parameters(), 2, 4, 3, padding=1, weight_scale=2, delay=True),
            c.Pool(parameters(), 2, weight_scale=1.5, delay=True),
            c.Conv(parameters(), 4, 4, 3, groups=2, weight_scale=2, delay=True),
            c.Flatten(),
            c.Dense(parameters(), 4 * 3 * 3, 5, weight_scale=2),
        ),
        (2, 9, 10),  # slayer fills nine rows up to ten for the pool
    ),
    "windows that do not tile": Case(
        lambda c: Blocks(c.Conv(parameters(), 1, 1, 1, weight_scale=-3), c.Pool(parameters(), 3, weight_scale=1.5)),
        (1, 8, 7),
    ),
    "no step between": Case(
        lambda c: Blocks(
            c.Dense(parameters(), 10, 8, weight_scale=2, delay_shift=False),
            c.Dense(parameters(), 8, 6, weight_scale=2, delay=True, delay_shift=False),
            c.Dense(parameters(), 6, 5, weight_scale=2),
        ),
        (10,),
    ),
    "a voltage is the answer": Case(
        lambda c: Blocks(c.Dense(parameters(), 10, 8, weight_scale=2), c.Affine(parameters(), 8, 3)), (10,)
    ),
    "a current is the answer": Case(
        lambda c: Blocks(c.Dense(parameters(), 10, 8, weight_scale=2), c.Affine(parameters(), 8, 3, dynamics=False)),
        (10,),
    ),
    "all cells of a picture": Case(lambda c: Blocks(c.Dense(parameters(), (4, 3, 2), 5, weight_scale=2)), (2, 3, 4)),
    "a normed recurrence": Case(lambda c: Blocks(c.Recurrent(_mean(current_decay=1.0), 6, 7, weight_scale=2)), (6,)),
}


def trained(case: Case, cuba: Any, seed: int = 0) -> nn.Module:
    """Return a network as it is after training: shapes settled, delays and means learned."""
    torch.manual_seed(seed)
    module = case.build(cuba).eval()
    with torch.no_grad():
        module(torch.zeros(1, *case.shape, 2))
        for part in module.modules():
            if type(part).__name__ == "Delay":
                part.delay.copy_(torch.rand_like(part.delay) * 7)
            if type(part).__name__ == "MeanOnlyBatchNorm":
                part.running_mean = torch.randn(part.num_features) * 0.1
    return module

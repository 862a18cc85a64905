"""The change from one step to the next, which drives STSep's temporal branch."""

from __future__ import annotations

import torch
from torch import Tensor

from neurodeploy.models.spiking.merged import joined
from neurodeploy.models.spiking.streaming import Carrying


class Difference(Carrying):
    """``d[t] = x[t] - x[t-1]``; a still clip gives exactly 0.

    ``history`` says what ``d[0]`` is: x[0] as after a blank frame, or else 0. With ``rectify`` the channels of
    max(d, 0) and of max(-d, 0) stand one after the other.
    """

    def __init__(self, *, history: bool = False, rectify: bool = False) -> None:
        super().__init__()
        self.history, self.rectify = history, rectify

    def forward(self, x: Tensor) -> Tensor:
        """Return the differences [T, B, C, H, W] of ``x``, twice the channels where they are rectified."""
        before = self.carried
        if before is None:
            before = torch.zeros_like(x[0]) if self.history else x[0]
        self.carry(x[-1])
        d = x - joined([before.unsqueeze(0), x[:-1]], 0)
        return joined([d.relu(), (-d).relu()], 2) if self.rectify else d

    def extra_repr(self) -> str:
        """Return the options for ``repr``."""
        return f"history={self.history}, rectify={self.rectify}"

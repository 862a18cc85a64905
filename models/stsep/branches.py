"""The chains of convolutions, norms and neurons that blocks are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from neurodeploy.models.spiking.dynamics import Dynamics, non_stateful, spikingjelly_lif
from neurodeploy.models.spiking.layer import SpikingNeuron
from neurodeploy.models.spiking.merged import merged
from neurodeploy.models.stsep.difference import Difference

#: The neurons of ``charge``: threshold 1 reached, reset to 0 and detached, arc tangent of width 2.
CHARGES: dict[str, Dynamics] = {
    "alpha": Dynamics("decay", 0.5, 1.0, strict=False, reset="zero", surrogate="atan", width=2.0),
    "sj": spikingjelly_lif(2.0),
}


def neuron(charge: str, *, stateful: bool) -> SpikingNeuron:
    """Return neurons that remember and can be told not to, or neurons that never do."""
    dynamics = CHARGES[charge]
    return SpikingNeuron(dynamics if stateful else non_stateful(dynamics))


@dataclass(frozen=True)
class Link:
    """One convolution of a chain: square, padded to keep the side but for its stride, without bias."""

    inputs: int
    outputs: int
    kernel: int
    stride: int = 1

    def build(self, inputs: int | None = None) -> nn.Conv2d:
        """Return the convolution, of ``inputs`` channels where that is given."""
        taken = self.inputs if inputs is None else inputs
        return nn.Conv2d(taken, self.outputs, self.kernel, self.stride, self.kernel // 2, bias=False)


class Chain(nn.Module):
    """Convolution and norm of each link with neurons between, and after the last where spikes are the result.

    The input [T, B, C, H, W] is what the first convolution consumes; a chain with a :class:`Difference` takes the
    difference of it, or of what its first norm makes of it.
    """

    def __init__(
        self,
        links: Sequence[Link],
        charge: str,
        *,
        stateful: bool,
        fires: bool,
        difference: Difference | None = None,
        late: bool = False,
    ) -> None:
        super().__init__()
        self.difference, self._late = difference, late
        doubled = difference is not None and difference.rectify
        inputs = [links[0].inputs * (2 if doubled and not late else 1), *(link.inputs for link in links[1:])]
        if doubled and late:
            inputs[1] *= 2  # the norm's output is doubled on its way through the first neurons
        self.convs = nn.ModuleList(link.build(taken) for link, taken in zip(links, inputs, strict=True))
        self.norms = nn.ModuleList(nn.BatchNorm2d(link.outputs) for link in links)
        self.neurons = nn.ModuleList(neuron(charge, stateful=stateful) for _ in links[0 if fires else 1 :])

    def share(self, other: Chain) -> None:
        """Take the weights of ``other``; the norms' statistics stay this chain's own."""
        for mine, theirs in zip(self.convs, other.convs, strict=True):
            mine.weight = theirs.weight
        for mine, theirs in zip(self.norms, other.norms, strict=True):
            mine.weight, mine.bias = theirs.weight, theirs.bias

    def forward(self, x: Tensor) -> Tensor:
        """Return the last norm's output or, of a chain that fires, spikes."""
        if self.difference is not None and not self._late:
            x = self.difference(x)
        for index, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            x = merged(norm, merged(conv, x))
            if index == 0 and self.difference is not None and self._late:
                x = self.difference(x)
            if index < len(self.neurons):
                x = self.neurons[index](x)
        return x

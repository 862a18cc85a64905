"""Operations, firing rates and the literature's energy of a network, against counts by hand."""

import pytest
import torch
from torch import nn

from neurodeploy.models.operations import count_operations, energy_45nm
from neurodeploy.models.spiking.dynamics import spikingjelly_lif
from neurodeploy.models.spiking.layer import MultiSpike, SpikingNeuron
from neurodeploy.models.spiking.merged import merged


class Net(nn.Module):
    """An analog convolution, neurons, a padded convolution on spikes, integer neurons and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 2, 3, bias=False)
        self.neurons = SpikingNeuron(spikingjelly_lif())
        self.second = nn.Conv2d(2, 4, 3, stride=2, padding=1, groups=2)
        self.integers = MultiSpike(4)
        self.head = nn.Linear(4 * 9, 5)
        self.seen: dict[str, torch.Tensor] = {}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        s = self.seen["spikes"] = self.neurons(merged(self.first, x))
        d = self.seen["integers"] = self.integers(merged(self.second, s))
        return self.head(d.flatten(2))


@pytest.fixture(scope="module")
def net() -> Net:
    torch.manual_seed(0)
    net = Net()
    with torch.no_grad():
        net.first.weight.mul_(6)
        net.second.weight.mul_(4)
    return net


def data() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [3 * torch.rand(3, samples, 1, 8, 8, generator=generator) for samples in (2, 5)]


def test_counts_are_those_of_brute_force(net):
    result = count_operations(net, iter(data()))
    assert result.steps == 3
    analog, sparse, last = result.layers
    assert (analog.spikes, sparse.spikes, last.spikes) == (False, True, True)
    assert analog.macs == 3 * 9 * 2 * 36
    assert sparse.macs == 3 * 9 * 1 * 4 * 9
    assert (analog.sops, analog.events) == (0.0, 0.0)
    met = spikes = cells = integers = fired = 0.0
    for x in data():
        net(x)
        s, d = net.seen["spikes"], net.seen["integers"]
        taps = nn.functional.conv2d(s.flatten(0, 1), torch.ones_like(net.second.weight), None, 2, 1, 1, 2)
        met += taps.sum().item()
        spikes, cells, integers = spikes + s.sum().item(), cells + s.numel(), integers + 4 * d.sum().item()
        fired = fired + s.sum((0, 1))
    assert 0 < sparse.rate < 1
    assert sparse.rate == pytest.approx(spikes / cells)
    assert sparse.sops == pytest.approx(sparse.rate * sparse.macs)
    assert sparse.events == pytest.approx(met / 7)
    assert last.events == pytest.approx(last.sops)
    assert last.sops == pytest.approx(integers * 5 / 7)
    assert result.energy == pytest.approx(0.9e-12 * (sparse.sops + last.sops) + 4.6e-12 * analog.macs)
    population = result.neurons[0]
    assert (population.neurons, population.rate) == (72, pytest.approx(spikes / cells))
    assert population.silent == pytest.approx((fired == 0).float().mean().item())


def test_parts_add_up_and_training_mode_is_put_back(net):
    net.train()
    result = count_operations(
        net, iter(data()), part_of=lambda name: "early" if name in ("first", "neurons") else "late"
    )
    assert net.training
    parts = result.by_part()
    assert list(parts) == ["early", "late"]
    assert sum(part.macs for part in parts.values()) == result.macs
    assert sum(part.energy for part in parts.values()) == pytest.approx(result.energy)
    document = result.as_dict()
    assert document["parts"]["early"]["rate"] == result.neurons[0].rate
    assert {"steps", "layers", "neurons", "macs", "sops", "energy_joule"} <= document.keys()
    with pytest.raises(ValueError, match="no sample"):
        count_operations(net, iter([]))


@pytest.mark.parametrize(("acs", "macs", "millijoule"), [(0.10, 0.14, 0.734), (0.50, 2.75, 13.10), (0.0, 1.82, 8.372)])
def test_energies_are_those_of_the_rows_that_syops_counter_publishes(acs, macs, millijoule):
    assert energy_45nm(acs * 1e9, macs * 1e9) == pytest.approx(millijoule * 1e-3, rel=1e-3)

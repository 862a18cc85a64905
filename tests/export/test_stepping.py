import numpy as np
import pytest
import snntorch as snn
import torch
from torch import nn

from neurodeploy.errors import Unsupported
from neurodeploy.export.framework import open_module
from neurodeploy.export.stepping import record, state_count
from neurodeploy.targets.reference import run
from tests.export.nets import Explicit, Hidden, lively


class Tutorial(nn.Module):
    """A layer whose state forward makes, keeps or loops over, as the subclass says."""

    def __init__(self):
        super().__init__()
        self.fc, self.lif = nn.Linear(6, 5), snn.Leaky(beta=0.8)


class Forgetful(Tutorial):
    def forward(self, x):
        spikes, _ = self.lif(self.fc(x), self.lif.init_leaky())
        return spikes


class Loop(Tutorial):
    def forward(self, x):
        membrane = self.lif.init_leaky()
        for _ in range(3):
            spikes, membrane = self.lif(self.fc(x), membrane)
        return spikes, membrane


class Stored(Tutorial):
    def forward(self, x):
        spikes, _ = self.lif(self.fc(x))
        return spikes


class Default(Tutorial):
    def forward(self, x, membrane=None):
        membrane = self.lif.init_leaky() if membrane is None else membrane
        spikes, membrane = self.lif(self.fc(x), membrane)
        return spikes, membrane


@pytest.mark.parametrize("kind", [Stored, Default, Explicit])
def test_states_that_are_kept(kind):
    live = open_module(lively(kind()), steps=25)
    inputs = live.draw(3, 0)
    found = run(live.graph, {"input": inputs})
    for name, values in live.record(inputs).items():
        np.testing.assert_array_equal(found[f"s/{name}"], values)
        assert values.any()


def test_a_forward_that_forgets():
    with pytest.raises(Unsupported, match=r"^lif: forward clears its state in every step"):
        open_module(Forgetful())


def test_a_forward_with_its_own_loop_over_time():
    with pytest.raises(Unsupported, match=r"^lif: runs twice .* without a loop over time"):
        open_module(Loop())


def test_states_that_are_not_returned():
    class Half(Default):
        def forward(self, x, membrane=None):
            return super().forward(x, membrane)[0]

    live = open_module(Half())
    with pytest.raises(Unsupported, match="forward takes 1 states and returns 0"):
        live.record(live.draw(1, 0))


def test_the_number_of_states():
    assert [state_count(module) for module in (Hidden(), Explicit(), Default())] == [0, 3, 1]


def test_a_record_has_samples_first_and_leaves_no_state():
    module = lively(Stored())
    spikes = np.ones((2, 7, 6), np.uint8)
    found = record(module, spikes, {"lif": "lif"})["lif"]
    assert found.shape == (2, 7, 5)
    assert found.dtype == np.float64
    assert module.lif.mem.numel() == 0


def test_a_network_of_one_layer():
    live = open_module(snn.Leaky(beta=torch.tensor(0.5), init_hidden=True), shape=(3,), steps=5)
    assert list(live.graph.nodes) == ["input", "0", "output"]
    assert live.record(live.draw(2, 0))["0"].shape == (2, 5, 3)

"""Batch normalisation with statistics of its own for every step."""

import pytest
import snntorch as snn
import torch
from torch import nn

from neurodeploy.errors import Unsupported
from neurodeploy.export.framework import open_module
from neurodeploy.graph import BatchNorm
from neurodeploy.nir_export import export_model
from tests.export.nets import lif, lively

STEPS = 6


class ThroughTime(nn.Module):
    """A network that counts its steps and takes the normalisation of each."""

    def __init__(self, norms):
        super().__init__()
        self.fc, self.norms, self.lif, self.step = nn.Linear(6, 5), norms, lif(), 0

    def forward(self, x):
        self.step += 1
        return self.lif(self.norms[(self.step - 1) % STEPS](self.fc(x)))


def through_time():
    torch.manual_seed(3)
    return lively(ThroughTime(snn.BatchNormTT1d(5, STEPS)))


def test_statistics_that_differ_are_refused_by_list_constant_and_step():
    module = through_time()
    for norm in module.norms:
        norm.load_state_dict(module.norms[0].state_dict())
    module.norms[4].running_var.mul_(1.5)
    with pytest.raises(Unsupported, match=r"^norms: .*running_var of step 4 .*train one BatchNorm for all steps"):
        open_module(module)


def test_equal_statistics_are_folded(tmp_path):
    module = through_time()
    for norm in module.norms:
        norm.load_state_dict(module.norms[0].state_dict())
    live = open_module(module, steps=STEPS * 3)
    assert len(live.graph.of_type(BatchNorm)) == 1
    assert export_model(live, tmp_path / "net.nir").proof.cells


def test_a_list_of_layers_is_no_normalisation_through_time():
    torch.manual_seed(3)

    class Two(ThroughTime):
        def forward(self, x):
            return self.lif(self.norms[1](self.norms[0](self.fc(x))))

    graph = open_module(lively(Two(nn.ModuleList([nn.BatchNorm1d(5), nn.BatchNorm1d(5)])))).graph
    assert graph.of_type(BatchNorm) == ["norms.0", "norms.1"]

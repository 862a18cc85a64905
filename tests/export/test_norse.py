"""Norse networks: every cell, its parameters and its state, spike by spike against Norse itself."""

import norse.torch as norse
import numpy as np
import pytest
import torch
from norse.torch.functional.reset import reset_subtract
from torch import nn

from neurodeploy.errors import Unsupported
from neurodeploy.export.framework import open_module
from neurodeploy.nir_export import export_model
from neurodeploy.targets.reference import run


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(3)


def box(**more):
    return norse.LIFBoxCell(norse.LIFBoxParameters(tau_mem_inv=torch.tensor(180.0), v_th=torch.tensor(0.3), **more))


def lif_parameters(n: int):
    return norse.LIFParameters(
        tau_syn_inv=torch.linspace(150.0, 400.0, n), tau_mem_inv=torch.linspace(60.0, 200.0, n), v_th=torch.tensor(0.2)
    )


def linear(inputs: int, outputs: int) -> nn.Linear:
    layer = nn.Linear(inputs, outputs)
    with torch.no_grad():
        layer.weight.mul_(3.0)
    return layer


NETWORKS = {
    "box": lambda: norse.SequentialState(linear(6, 5), box()),
    "box from rest": lambda: norse.SequentialState(linear(6, 5), box(v_leak=torch.linspace(-0.2, 0.2, 5))),
    "box to a value": lambda: norse.SequentialState(linear(6, 5), box(v_reset=torch.linspace(-0.3, 0.1, 5))),
    "box by subtraction": lambda: norse.SequentialState(linear(6, 5), box(reset_method=reset_subtract)),
    "current": lambda: norse.SequentialState(linear(6, 5), norse.LIFCell(lif_parameters(5))),
    "no leak": lambda: norse.SequentialState(linear(6, 5), norse.IAFCell()),
    "no leak from a value": lambda: norse.SequentialState(
        linear(6, 5), norse.IAFCell(norse.IAFParameters(v_reset=torch.tensor(-0.5)))
    ),
    "recurrent": lambda: norse.SequentialState(
        norse.LIFRecurrentCell(6, 5, norse.LIFParameters(v_th=torch.tensor(0.2))), linear(5, 4), box()
    ),
    "readout of a current": lambda: norse.SequentialState(linear(6, 5), box(), linear(5, 3), norse.LICell()),
    "readout": lambda: norse.SequentialState(linear(6, 5), box(), linear(5, 3), norse.LIBoxCell()),
    "one cell": lambda: box(),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_is_written_and_proved(tmp_path, name):
    live = open_module(NETWORKS[name](), framework="norse", shape=(6,), steps=40)
    inputs = live.draw(2, 0)
    assert any(values.any() for values in live.record(inputs).values())
    result = export_model(live, tmp_path / "net.nir")
    assert result.proof.equal
    assert result.graph.dt == 1e-3


class Residual(nn.Module):
    """States in and out by hand, as a user writes it."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.l1, self.l2 = box(), box(), linear(6, 6), linear(6, 6)

    def forward(self, x, first=None, second=None):
        y, first = self.a(self.l1(x), first)
        z, second = self.b(self.l2(y) + y, second)
        return z, first, second


def test_states_by_hand_and_a_skip_connection(tmp_path):
    live = open_module(Residual(), framework="norse", shape=(6,), steps=30)
    assert export_model(live, tmp_path / "net.nir").proof.equal
    assert ("a", "b") in live.graph.edges


def test_cells_with_steps_of_their_own(tmp_path):
    slow = norse.LIFBoxCell(norse.LIFBoxParameters(v_th=torch.tensor(0.2)), dt=2e-3)
    live = open_module(norse.SequentialState(linear(6, 5), slow), framework="norse", dt=1e-3, steps=30)
    np.testing.assert_allclose(live.graph.nodes["1"].tau_mem, 0.005, rtol=1e-6)
    assert export_model(live, tmp_path / "net.nir").proof.equal


def test_layers_over_time_do_the_same_step_by_step():
    """The whole sequence through Norse's own loops equals the graph that was read from one step of it."""
    module = norse.SequentialState(
        norse.Lift(linear(6, 5)),
        norse.LIF(norse.LIFParameters(v_th=torch.tensor(0.1))),
        norse.LIFRecurrent(5, 4, norse.LIFParameters(v_th=torch.tensor(0.1))),
        norse.Lift(nn.Linear(4, 3)),
        norse.LI(),
    )
    live = open_module(module, framework="norse", shape=(6,), steps=40)
    inputs = live.draw(3, 1)
    with torch.no_grad():
        answer, _ = module(torch.tensor(inputs, dtype=torch.float32).transpose(0, 1))
    found = run(live.graph, {"input": inputs}, ("s",))
    assert found["s/2"].any()
    np.testing.assert_allclose(found["output/output"], answer.transpose(0, 1).numpy(), atol=1e-5)
    assert isinstance(module[1], norse.LIF)


def test_what_cannot_be_said_is_refused_by_name():
    def own(z, v, _reset, threshold):
        return v - z * threshold * 0.5

    with pytest.raises(Unsupported, match=r"^1: resets by a function of its own"):
        open_module(norse.SequentialState(linear(6, 5), box(reset_method=own)), framework="norse")
    with pytest.raises(Unsupported, match=r"^1: is a LIFAdExCell, for which there is no reader"):
        open_module(norse.SequentialState(linear(6, 5), norse.LIFAdExCell()), framework="norse")
    wrong = norse.LIFBoxCell(norse.LIFBoxParameters(v_th=torch.ones(4)))
    wrong.activation = lambda x, state, p, dt: (x, state)
    with pytest.raises(Unsupported, match=r"^1: v_th has the shape \(4,\) for neurons \(5,\)"):
        open_module(norse.SequentialState(linear(6, 5), wrong), framework="norse")
    recording = norse.SequentialState(linear(6, 5), norse.LIF(record_states=True))
    with pytest.raises(Unsupported, match="returns the states of all steps"):
        open_module(recording, framework="norse")


def test_a_forward_that_forgets_its_states():
    class Forgetful(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell, self.fc = box(), linear(6, 5)

        def forward(self, x):
            return self.cell(self.fc(x))[0]

    with pytest.raises(Unsupported, match=r"^Forgetful: forward takes no state, so its cells forget every step"):
        open_module(Forgetful(), framework="norse")

"""Run the command line in this process, and a small network to run it on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from neurodeploy.choices import Choices
from neurodeploy.cli import main
from neurodeploy.netfile import write_network
from neurodeploy.nirfile import write_graph
from neurodeploy.quantization import quantize
from tests.test_quantization import CHIP, convolutional, spikes

#: What the network of the tests is made by: nothing about it is measured, which takes time.
PLAIN = Choices(rounding="nearest", clipping="mse", scales="population")


@dataclass(frozen=True)
class Outcome:
    """What a command left: exit code, stdout, stderr."""

    code: int
    out: str
    err: str


@pytest.fixture
def run(capsys):
    """Return a function that runs ``neurodeploy`` with the given arguments."""

    def call(*arguments) -> Outcome:
        with pytest.raises(SystemExit) as ended:
            main([str(a) for a in arguments])
        captured = capsys.readouterr()
        return Outcome(int(ended.value.code or 0), captured.out, captured.err)

    return call


@pytest.fixture
def files(tmp_path):
    """Return a folder with float.nir, net.nir (quantized to loihi2) and data.npz (6 samples of 12 steps, labels)."""
    graph = convolutional(np.random.default_rng(7))
    data = spikes(6, 12, 2, 8, 8)
    write_graph(graph, tmp_path / "float.nir")
    write_network(quantize(graph, CHIP, data, PLAIN), tmp_path / "net.nir")
    np.savez(tmp_path / "data.npz", spikes=data, labels=np.arange(6) % 5)
    return tmp_path

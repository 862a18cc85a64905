"""What a bare file's numbers say about the tool that wrote it, and readings of single populations."""

import numpy as np
import pytest

from neurodeploy.errors import InputError, UsageError
from neurodeploy.graph import Neuron
from neurodeploy.nirfile import read_graph, read_names
from neurodeploy.nirfile.propose import propose
from neurodeploy.semantics import PRESETS, Semantics
from tests.conformance.corpus import CASES

NIR = PRESETS["nir"]


def lif(tau, r, **more) -> Neuron:
    one = np.array(1.0)
    return Neuron(np.shape(tau), NIR, r=np.asarray(r), tau_mem=np.asarray(tau), threshold=one, **more)


def integrator(r) -> Neuron:
    return Neuron((), NIR, r=np.asarray(r), threshold=np.array(1.0))


TAU = np.array([0.00083, 0.0021], np.float32)
RATE = np.array([0.012, 0.03])


@pytest.mark.parametrize(
    ("neurons", "expected"),
    [
        ([lif(TAU, TAU / 1e-4)], [("snntorch", 1e-4), ("spikingjelly", 1e-4)]),
        ([lif(TAU * 100, TAU)], [("snntorch", 100.0)]),
        ([lif(RATE, RATE * np.exp(-1e-3 / RATE) / 1e-3)], [("rockpool", 1e-3)]),
        ([lif(0.005, 1.0)], [("norse", 1e-3), ("spikingjelly", 1e-4)]),
        ([lif(0.1, 1.0), integrator(1.0)], [("norse", 1e-3)]),
        ([lif(5e-6, 1.0)], [("norse", 1e-6)]),
        ([lif(2e-4, 1.0), integrator(1e4)], [("spikingjelly", 1e-4)]),
        ([lif(4.7, 1.0)], [("sinabs", 1.0)]),
        ([integrator(1.0)], [("sinabs", 1.0), ("norse", 1e-3), ("snntorch", 1e-4)]),
        ([integrator(1e4)], [("spikingjelly", 1e-4)]),
        ([integrator(0.37)], []),
        ([lif([0.001, 0.002], [3.0, 17.0])], []),
        ([lif(np.inf, np.inf)], []),
        ([], []),
    ],
)
def test_the_traces_of_the_exporters(neurons, expected):
    assert [(p.preset, p.dt) for p in propose(neurons)] == expected


@pytest.mark.parametrize("framework", ["snntorch", "norse", "sinabs", "spikingjelly", "rockpool"])
def test_every_real_file_with_a_neuron_is_recognised(framework):
    """Of the files that exporters wrote in full, the proposals hold the tool that wrote them."""
    seen = 0
    for folder in sorted(CASES.glob(f"{framework}-*")):
        if not (folder / "net.nir").exists():
            continue
        with pytest.raises(InputError) as refusal:
            read_graph(folder / "net.nir")
        if "does not hold dt" in str(refusal.value) and folder.name != "snntorch-if-beta-one":
            assert f"--semantics {framework} --dt" in str(refusal.value), folder.name
            seen += 1
    assert seen >= 5


def test_the_choice_stays_with_the_user():
    path = CASES / "norse-linear-lifbox" / "net.nir"
    with pytest.raises(
        InputError, match=r"its numbers fit --semantics norse --dt 1e-06 \(r = 1 .*\); give --semantics"
    ):
        read_graph(path)
    with pytest.raises(InputError, match=r"does not hold dt, which '1' needs; give --dt"):
        read_graph(path, semantics="nir")


def test_one_population_with_a_reading_of_its_own():
    path = CASES / "snntorch-li-readout" / "net.nir"
    own = Semantics(reset="none")
    graph = read_graph(path, dt=1e-4, semantics="snntorch", layers={"3": own})
    assert graph.nodes["3"].semantics == own
    assert graph.nodes["1"].semantics == PRESETS["snntorch"]
    assert "semantics of 3 given one by one, by choice of the user" in graph.notes
    with pytest.raises(UsageError, match="the file has no population 'ghost'; it has 1, 3"):
        read_graph(path, dt=1e-4, semantics="snntorch", layers={"ghost": own})


def test_the_names_of_a_nested_file():
    assert read_names(CASES / "nir-nested-recurrent" / "net.nir") == ["input", "output", "rec.lif", "rec.w_rec", "w"]

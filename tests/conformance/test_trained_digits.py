"""Trained digits networks of four frameworks: native accuracy in float, kept in integers, and Lava equal to them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from neurodeploy.conformance import read_case
from neurodeploy.conformance.files import read_declared
from neurodeploy.errors import Unsupported
from neurodeploy.graph import Graph
from neurodeploy.npz import Events, read_events
from neurodeploy.quantization import quantization, quantize
from neurodeploy.simulation import check_spikes, ports, simulate
from neurodeploy.targets.chip import load_chip
from neurodeploy.targets.lava import Session
from tests.conformance.corpus import CASES

CHIP = load_chip("loihi2")
EVERYTHING = ("s", "u", "v")
#: Case -> whether its reset needs the nearest one of the chip.
DIGITS = {
    "snntorch-digits": False,
    "snntorch-digits-default-reset": True,
    "norse-digits": False,
    "sinabs-digits": False,
    "spikingjelly-digits": False,
}


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with Session() as started:
        yield started


def trained(name: str) -> tuple[float, Graph, Events]:
    """Return what the framework's own network scores, the network read as declared, and the test digits."""
    folder: Path = CASES / name
    case = read_case(folder)
    return case.document["native_accuracy"], read_declared(case, folder / "net.nir"), read_events(folder / "input.npz")


@pytest.mark.parametrize(("name", "approximate"), DIGITS.items())
def test_accuracy_survives_import_and_quantization_and_lava_agrees(name, approximate, session):
    native, graph, digits = trained(name)
    assert simulate(graph, digits.spikes, "float").accuracy(digits.labels) == native
    network = quantize(graph, CHIP, digits.first(64).spikes, approximate_reset=approximate)
    integer = simulate(network, digits.spikes).accuracy(digits.labels)
    assert abs(integer - native) <= 0.01 + 1e-9, f"{integer} after quantization, {native} before"
    few = digits.first(3).spikes
    emulator = simulate(network, few, record=EVERYTHING)
    lava = session.run(network, check_spikes(ports(network), few), EVERYTHING)
    for population in network.populations:
        for quantity in ("spikes", "u", "v"):
            one, other = (getattr(run, quantity)[population.name] for run in (emulator, lava))
            np.testing.assert_array_equal(one, other, f"{quantity} of {population.name}")
        assert emulator.spikes[population.name].any()


def test_a_reset_that_no_chip_has_is_refused_with_the_choice_and_measured_when_taken():
    _, graph, digits = trained("snntorch-digits-default-reset")
    with pytest.raises(Unsupported, match=r"node '1': resets in 'next-step'.*--approximate-reset"):
        quantize(graph, CHIP)
    result = quantization(graph, CHIP, digits.first(8).spikes, approximate_reset=True)
    rows = {row["name"]: row for row in result.network.provenance["approximation"]}
    assert list(rows) == ["1", "3", "5", "7"]
    cells = 8 * 23 * next(p.size for p in result.network.populations if p.name == "1")
    assert rows["1"]["cells"] == cells
    assert all(0 < row["differing"] < row["cells"] / 4 for row in rows.values())
    (note,) = (note for note in result.network.provenance["notes"] if note.startswith("7: approximated"))
    assert f"{rows['7']['spikes_before']:,} spikes became {rows['7']['spikes_after']:,}" in note
    unmeasured = quantization(graph, CHIP, approximate_reset=True)
    assert "was not measured" in unmeasured.network.provenance["notes"][-1]


def test_several_spikes_in_a_step_stay_on_a_chip_that_sends_numbers():
    _, graph, digits = trained("sinabs-digits")
    network = quantize(graph, CHIP)
    integer, real = simulate(network, digits.first(4).spikes), simulate(graph, digits.first(4).spikes, "float")
    assert {p.neuron.reset for p in network.populations} == {"burst"}
    assert max(spikes.max() for spikes in integer.spikes.values()) > 2
    first = network.populations[0].name
    assert (integer.spikes[first] != real.spikes[first]).mean() < 0.02
    with pytest.raises(Unsupported, match="sends several spikes in one step"):
        quantize(graph, load_chip("loihi1"))
    assert {p.neuron.reset for p in quantize(graph, load_chip("loihi1"), approximate_reset=True).populations} == {
        "zero"
    }

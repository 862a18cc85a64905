"""SANA-FE, run as a program, counts and bills the same synapses, messages and hops on the same placement."""

import json
from dataclasses import replace

import numpy as np
import pytest

from neurodeploy.activity import count_activity
from neurodeploy.cli import main
from neurodeploy.errors import BackendError, BackendMissing, Unsupported, UsageError
from neurodeploy.mapping import map_network
from neurodeploy.network import Population, Projection
from neurodeploy.sanafe import engine, files
from neurodeploy.sanafe.engine import compare_with_sanafe, install, run
from neurodeploy.sanafe.files import Files, synapse_pairs, write_files
from neurodeploy.targets.chip import load_chip
from tests.chains import LIF, chain, conv, dense, synapses
from tests.test_activity import NETWORKS, SMALL, record

LOIHI1 = load_chip("loihi1")
#: Small cores, enough of them on one chip.
CHIP = replace(SMALL, usable_cores=49, mesh=(7, 7), cores_per_tile=1)


@pytest.fixture(scope="module")
def sanafe():
    return install()


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_synapses_are_those_of_the_definition(network):
    for projection in network.projections:
        found = sorted(map(tuple, synapse_pairs(network, projection).tolist()))
        assert found == sorted(synapses(network, projection))


@pytest.mark.parametrize(
    ("name", "chip"),
    [*((name, CHIP) for name in NETWORKS if name != "skip and loop"), ("dilated groups", load_chip("loihi2"))],
)
def test_counts_and_joules_are_equal(sanafe, name, chip):
    network = NETWORKS[name]
    recording = record(network)
    placement = map_network(network, chip)
    activity = count_activity(network, recording, placement)
    peer = compare_with_sanafe(network, placement, recording, activity)
    assert peer.equal, peer.rows
    assert all(row.ours > 0 for row in peer.rows)
    if chip is CHIP:
        assert activity.total("hops_x") + activity.total("hops_y") > 0
    assert peer.step_second >= chip.barrier_second(1)


def test_loops_are_counted(sanafe):
    network = chain((6,), dense(8, 6))
    loop = Projection("loop", "l1", "l1", dense(8, 8))
    network = replace(network, projections=(*network.projections, loop))
    recording = record(network)
    placement = map_network(network, LOIHI1)
    peer = compare_with_sanafe(network, placement, recording, count_activity(network, recording, placement))
    assert peer.equal, peer.rows
    assert peer.rows[1].ours == recording.spikes["l1"].sum() * 8


def test_a_difference_is_found(sanafe):
    network = NETWORKS["padded"]
    recording = record(network)
    placement = map_network(network, CHIP)
    other = count_activity(network, record(network, seed=1), placement)
    peer = compare_with_sanafe(network, placement, recording, other)
    assert not peer.equal
    assert json.loads(json.dumps(peer.as_dict()))["rows"][0]["equal"] is False


def test_file_it_cannot_read_is_our_error(sanafe):
    with pytest.raises(BackendError, match=r"SANA-FE: ended with exit code"):
        run(Files("architecture: 3\n", "network: 4\n", 1))


def test_missing_environment_names_its_command(monkeypatch, tmp_path):
    monkeypatch.setenv("NEURODEPLOY_CACHE", str(tmp_path))
    with pytest.raises(BackendMissing, match="run `neurodeploy sanafe install`"):
        run(Files("", "", 1))


def test_what_its_files_cannot_say_is_refused(monkeypatch):
    network = NETWORKS["padded"]
    recording = record(network)
    with pytest.raises(Unsupported, match="models one chip, the network takes"):
        write_files(network, map_network(network, replace(SMALL, usable_cores=4)), recording)
    with pytest.raises(UsageError, match="has no energies"):
        write_files(network, map_network(network, load_chip("dynapcnn")), recording)
    monkeypatch.setattr(files, "SYNAPSES_MAX", 10)
    with pytest.raises(Unsupported, match="synapses one by one, at most 10"):
        write_files(network, map_network(network, CHIP), recording)


def test_two_encodings_at_one_population_are_refused():
    network = chain((2, 4, 4), conv(3, 2, 1), conv(3, 3, 1))
    other = Population("flat", (5,), LIF, latency=1)
    extra = (Projection("in->flat", "in", "flat", dense(5, 32)), Projection("flat->l2", "flat", "l2", dense(48, 5)))
    network = replace(network, populations=(*network.populations, other), projections=(*network.projections, *extra))
    with pytest.raises(Unsupported, match="population 'l2' in SANA-FE: gives a population one kind"):
        write_files(network, map_network(network, LOIHI1), record(network))


def test_architecture_holds_the_chips_numbers():
    network = chain((6,), dense(8, 6))
    text = write_files(network, map_network(network, LOIHI1), record(network)).architecture
    for line in ("width: 8", "height: 4", "energy_north_hop: 4e-12", "energy_east_hop: 3e-12", "core[0..3]"):
        assert line in text
    assert "energy_process_spike: 2.36e-11" in text


def test_command_line(sanafe, files_folder, capsys):
    def call(*arguments):
        with pytest.raises(SystemExit) as ended:
            main([str(a) for a in arguments])
        return ended.value.code or 0, capsys.readouterr()

    given = [files_folder / "net.nir", "--input", files_folder / "data.npz", "--target", "loihi2"]
    code, out = call("estimate", *given, "--samples", "2", "--engine", "sanafe", "--json")
    assert code == 0, out.err
    assert json.loads(out.out)["sanafe"]["equal"] is True
    code, out = call("estimate", *given, "--samples", "2", "--engine", "sanafe")
    assert f"SANA-FE {engine.VERSION} on the same activity" in out.out
    code, out = call("sanafe", "export", *given, "-o", files_folder / "out")
    assert code == 0
    assert (files_folder / "out" / "snn.yaml").read_text().startswith("network:")
    assert call("sanafe", "export", *given, "-o", files_folder / "out")[0] == 2
    code, out = call("sanafe", "install", "--json")
    assert (code, json.loads(out.out)["installed"]) == (0, False)


@pytest.fixture
def files_folder(tmp_path):
    from neurodeploy.netfile import write_network
    from neurodeploy.quantization import quantize
    from tests.test_quantization import CHIP as TARGET
    from tests.test_quantization import convolutional, spikes

    data = spikes(6, 12, 2, 8, 8)
    write_network(quantize(convolutional(np.random.default_rng(7)), TARGET, data), tmp_path / "net.nir")
    np.savez(tmp_path / "data.npz", spikes=data, labels=np.arange(6) % 5)
    return tmp_path

"""Converting between .nir and .net, and simulating a .net, on the command line."""

from __future__ import annotations

import json

import numpy as np
import pytest

from neurodeploy.export.netx import read_net
from neurodeploy.loading import load
from neurodeploy.netfile import read_network
from neurodeploy.npz import read_npz
from tests.export.netx import files as netx


@pytest.fixture
def chain(tmp_path):
    """A folder with a.net, two dense layers, and a.npz, three samples for it."""
    rng = np.random.default_rng(0)
    first = netx.dense(rng.integers(-60, 60, (6, 5)) * 2, bias=rng.integers(0, 20, 6))
    netx.write(tmp_path / "a.net", netx.source(5), first, netx.dense(rng.integers(-60, 60, (3, 6)) * 2))
    np.savez(tmp_path / "a.npz", spikes=(rng.random((3, 20, 5)) < 0.5).astype(np.uint8))
    return tmp_path


def test_there_and_back(run, chain):
    assert run("convert", chain / "a.net", "-o", chain / "a.nir").code == 0
    assert run("convert", chain / "a.nir", "-o", chain / "b.net").code == 0
    one, other = read_net(chain / "a.net"), read_net(chain / "b.net")
    for mine, theirs in zip(one.projections, other.projections, strict=True):
        assert (mine.connection.weight == theirs.connection.weight).all()
    for mine, theirs in zip(one.populations, other.populations, strict=True):
        assert mine.name == theirs.name
        for name, values in mine.neuron.arrays.items():
            assert (values == theirs.neuron.arrays[name]).all()


def test_simulate_takes_a_net_and_names_its_layers(run, chain):
    arguments = ("simulate", chain / "a.net", "--input", chain / "a.npz", "--compare", "golden", "-o", chain / "r.npz")
    outcome = run(*arguments, "--record", "s,v")
    assert outcome.code == 0, outcome.err
    assert "equal over" in outcome.out
    assert set(read_npz(chain / "r.npz")) == {"output", "s/1", "s/2", "v/1", "v/2"}


def test_what_lava_dl_would_spoil_is_told(run, chain):
    netx.write(chain / "s.net", netx.source(5), netx.dense([[0, -128, -2, -64, -6]]))
    outcome = run("simulate", chain / "s.net", "--input", chain / "a.npz")
    assert "note: layer 1: lava-dl 0.6.0 would not run it as written: weight[0, 1] is -128" in outcome.out
    document = json.loads(run("simulate", chain / "s.net", "--input", chain / "a.npz", "--json").out)
    assert "would run as -127" in document["notes"][0]


def test_resets_follow_the_rule_of_netx(run, chain):
    arguments = ("simulate", chain / "a.net", "--input", chain / "a.npz", "--record", "u,v", "-o", chain / "r.npz")
    assert run(*arguments, "--reset-interval", "6", "--reset-offset", "2").code == 0
    assert run(*arguments[:-1], chain / "q.npz", "--compare", "golden", "--reset-interval", "6").code == 0
    network, spikes = read_net(chain / "a.net"), read_npz(chain / "a.npz")["spikes"]
    kept = read_npz(chain / "r.npz")
    weight = network.projections[0].connection.weight.astype(int)
    for t in range(1, 21):  # population 0 starts afresh in steps t with t % 6 == (1 + 0 + 2) % 6
        if t % 6 == 3:
            arriving = spikes[:, t - 2] @ weight.T * 64
            assert (kept["u/1"][:, t - 1] == arriving).all()
    assert (kept["u/1"] != read_npz(chain / "q.npz").get("u/1", kept["u/1"] + 1)).any()


def test_convert_quantizes_on_request_only(run, files):
    refused = run("convert", files / "float.nir", "-o", files / "x.net")
    assert refused.code == 2
    assert "give --target CHIP" in refused.err
    outcome = run("convert", files / "float.nir", "-o", files / "x.net", "--target", "loihi2", "--round-bias", "--json")
    assert outcome.code == 0, outcome.err
    document = json.loads(outcome.out)
    assert document["output"].endswith("x.net")
    assert [p.shape for p in load(files / "x.net").populations] == [
        p.shape for p in read_network(files / "net.nir").populations
    ]


WRONG = {
    "another suffix": (("a.net", "-o", "a.h5"), 2, "has the suffix '.h5'; give a .nir, .net, .onnx, .py file"),
    "itself": (("a.net", "-o", "a.net", "--force"), 2, "is the file that is read"),
    "an existing file": (("a.net", "-o", "a.npz.net"), 2, "already exists"),
    "a target twice": (("a.net", "-o", "b.nir", "--target", "loihi2"), 2, "holds integers already"),
    "semantics": (("a.net", "-o", "b.nir", "--semantics", "snntorch"), 2, "is for a bare .nir"),
    "rounding for a .nir": (("a.net", "-o", "b.nir", "--round-bias"), 2, "--round-bias: is for a .net"),
    "nothing": (("z.net", "-o", "b.nir"), 3, "no such file"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_use(case, run, chain, monkeypatch):
    monkeypatch.chdir(chain)
    (chain / "a.npz.net").write_text("mine")
    arguments, code, words = WRONG[case]
    outcome = run("convert", *arguments)
    assert (outcome.code, words in outcome.err) == (code, True), outcome.err


def test_the_backend_netx_runs_nothing_but_a_net(run, files):
    outcome = run("simulate", files / "net.nir", "--input", files / "data.npz", "--backend", "netx")
    assert outcome.code == 2
    assert "runs .net files, not net.nir; neurodeploy convert FILE -o OUT.net" in outcome.err
    alone = run("simulate", files / "net.nir", "--input", files / "data.npz", "--reset-offset", "1")
    assert alone.code == 2
    assert "give --reset-interval too" in alone.err


@pytest.mark.parametrize("verb", [("inspect",), ("map", "--target", "loihi2"), ("map", "--target", "loihi1")])
def test_other_verbs_take_a_net(verb, run, chain):
    outcome = run(verb[0], chain / "a.net", *verb[1:])
    assert outcome.code == 0, outcome.err


def test_estimate_and_deploy_take_a_net(run, chain):
    data = ("--target", "loihi2", "--json")
    assert run("estimate", chain / "a.net", "--input", chain / "a.npz", *data).code == 0
    outcome = run("deploy", chain / "a.net", "--data", chain / "a.npz", "-o", chain / "out", "--lava", "off", *data)
    assert outcome.code == 0, outcome.err
    assert (chain / "out" / "report.html").exists()

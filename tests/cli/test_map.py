import json

import pytest

from neurodeploy.cli import main
from tests.chains import chain, conv, dense, sparse

SMALL = chain((784,), dense(128, 784), dense(64, 128), dense(10, 64))
LARGE = chain((8, 32, 32), dense(10, 8192))


@pytest.fixture
def run(monkeypatch, capsys):
    """Run ``neurodeploy map`` on a network, whatever the file; return exit code, stdout and stderr."""

    def call(network, *arguments):
        monkeypatch.setattr("neurodeploy.cli.map.open_network", lambda *_, **__: network)
        with pytest.raises(SystemExit) as ended:
            main(["map", "net.nir", *arguments])
        captured = capsys.readouterr()
        return ended.value.code, captured.out, captured.err

    return call


def test_table_of_a_network_that_fits(run):
    code, out, err = run(SMALL, "--target", "loihi2")
    assert (code, err) == (0, "")
    assert "5 cores on 1 of 8 chips" in out
    assert "synapse_words" in out


def test_json_is_one_document(run):
    code, out, _ = run(SMALL, "--target", "loihi2", "--json")
    document = json.loads(out)
    assert (code, document["fits"], document["cores_used"], document["chips_used"]) == (0, True, 5, 1)
    assert [row["cores"] for row in document["populations"]] == [3, 1, 1]


def test_network_that_does_not_fit_is_a_no(run):
    code, out, err = run(LARGE, "--target", "loihi1", "--json")
    document = json.loads(out)
    assert (code, document["fits"]) == (1, False)
    assert document["violations"][0].keys() == {"population", "limit", "found", "allowed", "advice", "knobs"}
    assert "error: l1: needs 8,192 in_axons, loihi1 allows 3,891; give in at most 3,891 neurons" in err
    code, out, _ = run(LARGE, "--target", "loihi1")
    assert code == 1
    assert "l1: needs 8,192 in_axons" in " ".join(out.split())


def test_placement_is_written_core_by_core(run, tmp_path):
    path = tmp_path / "placement.json"
    assert run(SMALL, "--target", "loihi2", "-o", str(path))[0] == 0
    document = json.loads(path.read_text())
    assert [core["population"] for core in document["cores"]] == ["l1", "l1", "l1", "l2", "l3"]
    code, _, err = run(SMALL, "--target", "loihi2", "-o", str(path))
    assert (code, "already exists" in err) == (2, True)
    assert run(SMALL, "--target", "loihi2", "-o", str(path), "--force")[0] == 0


def test_cores_are_shown_on_request(run):
    code, out, _ = run(chain((3, 8, 8), conv(4, 3, 3)), "--target", "loihi1", "--cores", "--json")
    assert (code, json.loads(out)["cores"][0]["box"]) == (0, [[0, 4], [0, 6], [0, 6]])
    code, out, _ = run(chain((3, 8, 8), conv(4, 3, 3)), "--target", "loihi1", "--cores")
    assert code == 0
    assert "population" in out


def test_margin_and_unknown_target_are_checked(run):
    assert run(chain((4000,), dense(10, 4000)), "--target", "loihi1")[0] == 1
    assert run(chain((4000,), dense(10, 4000)), "--target", "loihi1", "--margin", "0")[0] == 0
    code, _, err = run(SMALL, "--target", "loihi9")
    assert code == 2
    assert "did you mean" in err


def test_layers_share_cores_when_asked_to(run):
    code, out, _ = run(SMALL, "--target", "loihi2", "--share", "--json")
    document = json.loads(out)
    assert (code, document["fits"], document["share"], document["cores_used"]) == (0, True, True, 3)
    code, _, err = run(SMALL, "--target", "dynapcnn", "--share")
    assert (code, "dynapcnn: has one population to a core" in err) == (2, True)


def test_orders_of_neurons_are_chosen_by_name(run):
    network = chain((40,), sparse(200, 40, share=0.05), dense(4, 200))
    found = [run(network, "--target", "loihi1", "--partition", name)[0] for name in ("own", "given", "mtkahypar")]
    assert found == [0, 0, 0]
    code, _, err = run(network, "--target", "loihi1", "--partition", "metis")
    assert (code, "'metis' is no way to order neurons" in err) == (2, True)

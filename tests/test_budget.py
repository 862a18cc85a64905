from dataclasses import replace

import numpy as np
import pytest

from neurodeploy.budget import QUANTITIES, Budget, read_budget
from neurodeploy.checking import check, read_earlier
from neurodeploy.errors import InputError, UsageError
from neurodeploy.npz import read_events
from neurodeploy.targets.chip import load_chip
from tests.random_networks import random_network, random_spikes

LOIHI2 = load_chip("loihi2")
NETWORK = random_network(8)
SPIKES = random_spikes(NETWORK, 8, samples=4)


@pytest.fixture
def events(tmp_path):
    np.savez(tmp_path / "data.npz", **{"spikes": SPIKES["input"], "labels": np.arange(4) % 3})
    return read_events(tmp_path / "data.npz")


def write(tmp_path, text):
    path = tmp_path / "budget.toml"
    path.write_text(text)
    return path


def test_budget_file(tmp_path):
    path = write(
        tmp_path,
        'schema = 1\ntarget = "loihi2"\ndata = "d/test.npz"\nsamples = 3\nbound = "high"\noptimize = "latency"\n'
        "reference_accuracy = 0.9\n[limits]\ncores = 4\nenergy_joule = 1e-6\n[growth]\nspikes = 0.1\n",
    )
    assert read_budget(path) == Budget(
        str(path),
        "loihi2",
        tmp_path / "d/test.npz",
        3,
        "latency",
        "high",
        0.9,
        {"cores": 4.0, "energy_joule": 1e-6},
        {"spikes": 0.1},
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[limits]\ncores = 1", "schema is None; begin it with: schema = 1"),
        ("schema = 1", "bounds nothing; give .limits. some of cores, chips"),
        ("schema = 1\n[limits]\ncore = 1", "unknown key 'limits.core'; the nearest valid key is 'limits.cores'"),
        ("schema = 1\n[limit]\ncores = 1", "unknown key 'limit'; the nearest valid key is 'limits'"),
        ("schema = 1\n[growth]\nenergy = 1", "unknown key 'growth.energy'; the nearest .* 'growth.energy_joule'"),
        ("schema = 1\n[growth]\naccuracy_drop = 1", "unknown key 'growth.accuracy_drop'"),
        ("schema = 1\n[limits]\ncores = -1", "limits.cores is -1; give a number of at least 0"),
        ("schema = 1\n[limits]\ncores = true", "limits.cores is True"),
        ("schema = 1\n[limits]\ncores = nan", "limits.cores is nan"),
        ('schema = 1\n[limits]\ncores = "4"', "limits.cores is '4'"),
        ("schema = 1\nlimits = 3", "limits is 3; write a table"),
        ("schema = 1\nsamples = 0.5\n[limits]\ncores = 1", "samples is 0.5; give a whole number"),
        ("schema = 1\ntarget = 2\n[limits]\ncores = 1", "target is 2; give a text"),
        ('schema = 1\nbound = "mean"\n[limits]\ncores = 1', "bound is 'mean'; one of low, nominal, high"),
        ("schema = 1\nshare = 1\n[limits]\ncores = 1", "share is 1; give true or false"),
        ("schema = ", "is no TOML"),
    ],
)
def test_faulty_budget_is_wrong_use_and_names_its_key(tmp_path, text, message):
    path = write(tmp_path, text)
    with pytest.raises(UsageError, match=message) as caught:
        read_budget(path)
    assert (caught.value.exit_code, caught.value.subject) == (2, str(path))


def test_missing_budget(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_budget(tmp_path / "none.toml")


def test_only_what_takes_data_is_simulated(monkeypatch):
    monkeypatch.setattr("neurodeploy.checking.simulate", None)
    verdict = check(NETWORK, LOIHI2, Budget("b", limits={"cores": 3, "chips": 1, "utilisation": 0.5}), None)
    assert verdict.passed
    assert [row.name for row in verdict.rows] == ["cores", "chips", "utilisation"]
    assert (verdict.measured["cores"], verdict.measured["spikes"]) == (3.0, None)
    with pytest.raises(UsageError, match=r"b: bounds what takes a simulation"):
        check(NETWORK, LOIHI2, Budget("b", limits={"spikes": 3}), None)


def test_every_quantity_can_be_met_and_missed(events):
    generous = dict.fromkeys(QUANTITIES, 1e9)
    budget = Budget("b", reference_accuracy=1.0, limits=generous)
    verdict = check(NETWORK, LOIHI2, budget, events)
    assert verdict.passed
    assert verdict.source_class == "extrapolated"
    assert {row.name: row.measured for row in verdict.rows} == verdict.measured
    assert verdict.measured["accuracy_drop"] == 1.0 - verdict.accuracy
    for name in QUANTITIES:
        exact = {**generous, name: verdict.measured[name]}
        assert check(NETWORK, LOIHI2, replace(budget, limits=exact), events).passed
        if verdict.measured[name]:
            tight = {**generous, name: verdict.measured[name] * (1 - 1e-9)}
            found = check(NETWORK, LOIHI2, replace(budget, limits=tight), events)
            assert [row.name for row in found.rows if not row.passed] == [name]
            assert not found.passed


def test_bound_of_an_estimate(events):
    limits = {"energy_joule": 1.0}
    found = [
        check(NETWORK, LOIHI2, Budget("b", bound=bound, limits=limits), events).measured["energy_joule"]
        for bound in ("low", "nominal", "high")
    ]
    assert found[0] < found[1] < found[2]


def test_growth_counts_from_the_earlier_result(events):
    first = check(NETWORK, LOIHI2, Budget("b", growth={"spikes": 0.1}), events)
    assert first.passed  # nothing to compare with yet
    earlier = first.as_dict()
    again = check(NETWORK, LOIHI2, Budget("b", growth={"spikes": 0.0}), events, earlier)
    assert again.passed
    assert next(row for row in again.rows if row.name == "spikes").change == 0
    earlier["measured"]["spikes"] /= 1.2
    found = check(NETWORK, LOIHI2, Budget("b", growth={"spikes": 0.1}, limits={"spikes": 1e9}), events, earlier)
    (row,) = [row for row in found.rows if not row.passed]
    assert (row.name, row.limit) == ("spikes", pytest.approx(earlier["measured"]["spikes"] * 1.1))
    assert row.change == pytest.approx(0.2)


def test_accuracy_drop_has_a_reference(events):
    budget = Budget("b", limits={"accuracy_drop": 0.1})
    with pytest.raises(UsageError, match="limits accuracy_drop, from no reference"):
        check(NETWORK, LOIHI2, budget, events)
    earlier = {**check(NETWORK, LOIHI2, Budget("b", limits={"spikes": 1e9}), events).as_dict(), "accuracy": 1.0}
    found = check(NETWORK, LOIHI2, budget, events, earlier)
    assert found.measured["accuracy_drop"] == 1.0 - found.accuracy
    with pytest.raises(UsageError, match="the data have no labels"):
        check(NETWORK, LOIHI2, budget, replace(events, labels=None), earlier)
    assert check(NETWORK, LOIHI2, replace(budget, reference_accuracy=0.0), events).measured["accuracy_drop"] == 0.0


def test_network_that_does_not_fit_is_not_simulated(monkeypatch, events):
    monkeypatch.setattr("neurodeploy.checking.simulate", None)
    chip = replace(LOIHI2, pools=tuple(replace(pool, words=40) for pool in LOIHI2.pools))
    verdict = check(NETWORK, chip, Budget("b", limits={"spikes": 1e9, "cores": 1e9}), events)
    assert not verdict.passed
    assert "loihi2 allows 38" in verdict.misfits[0]
    assert [(row.name, row.passed) for row in verdict.rows if row.limit] == [("cores", True), ("spikes", False)]


def test_result_of_another_chip_is_refused(events):
    earlier = check(NETWORK, LOIHI2, Budget("b", limits={"cores": 9}), None).as_dict()
    with pytest.raises(UsageError, match=r"--against: is a result for loihi2, not for loihi1"):
        check(NETWORK, load_chip("loihi1"), Budget("b", limits={"cores": 9}), None, earlier)


def test_chip_without_energies_can_have_a_budget(events):
    chip = replace(LOIHI2, energy={}, time={}, barrier={}, power={})
    assert check(NETWORK, chip, Budget("b", limits={"spikes": 1e9}), events).passed
    with pytest.raises(UsageError, match="has no energies and times"):
        check(NETWORK, chip, Budget("b", limits={"energy_joule": 1e9}), events)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is no JSON"),
        ("[]", "is not the result of a check"),
        ('{"schema": 1, "kind": "check"}', "is not the result of a check"),
        ('{"schema": 2, "kind": "check", "measured": {}}', "is not the result of a check"),
        ('{"schema": 1, "kind": "check", "measured": {"cores": "3"}}', "measured.cores is '3'"),
    ],
)
def test_faulty_earlier_result(tmp_path, text, message):
    path = tmp_path / "last.json"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_earlier(path)

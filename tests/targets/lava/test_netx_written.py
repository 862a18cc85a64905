"""What we write is loaded by lava-dl and runs as our emulator does, in every s, u and v."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neurodeploy.comparison import compare
from neurodeploy.errors import Unsupported
from neurodeploy.export.netx import write_net
from neurodeploy.loading import load_netx
from neurodeploy.simulation import simulate, with_resets
from neurodeploy.targets.lava.netx_run import run_many
from tests.export.netx import networks

pytestmark = pytest.mark.usefixtures("lava")

QUANTITIES = ("s", "u", "v")


def test_written_networks_run_alike(tmp_path) -> None:
    pairs = []
    for make in networks.ALL:
        network = make()
        write_net(network, tmp_path / f"{make.__name__}.net")
        pairs.append((load_netx(tmp_path / f"{make.__name__}.net"), networks.spikes(network)))
    graded = networks.spikes(networks.convolutions())["input"].astype(np.int32) * 5 - 2
    pairs.append((load_netx(tmp_path / "convolutions.net"), {"input": graded}))
    for name in ("driven", "recurrent_with_silent_end"):
        file = with_resets(load_netx(tmp_path / f"{name}.net"), 7, 3)
        pairs.append((file, networks.spikes(getattr(networks, name)())))
    shaped = [(f, {"input": s["input"].reshape(*s["input"].shape[:2], *f.network.ports[0].shape)}) for f, s in pairs]
    for (file, spikes), found in zip(shaped, run_many(shaped, QUANTITIES), strict=True):
        expected = simulate(file.network, spikes, record=QUANTITIES)
        outcome = compare(expected, found)
        assert outcome.equal, f"{file.path.name}: {outcome.summary()}"
        assert set(found.u) | {"0"} == set(expected.u) | {"0"}
        assert set(found.v) == set(expected.v)
        assert all(values.any() for name, values in found.v.items()), file.path.name
        assert found.versions["lava-dl"] == "0.6.0"


def test_several_samples_start_anew(tmp_path) -> None:
    network = networks.recurrent_with_silent_end()
    write_net(network, tmp_path / "a.net")
    file = load_netx(tmp_path / "a.net")
    spikes = (np.random.default_rng(0).random((3, 12, 6)) < 0.5).astype(np.uint8)
    found = simulate(file, spikes, "netx", QUANTITIES)
    assert compare(simulate(file.network, spikes, "golden", QUANTITIES), found).equal
    assert found.spikes["1"].dtype == np.uint8


def test_what_the_loader_cannot_be_given(tmp_path) -> None:
    for name in ("driven", "sigma_delta"):
        write_net(getattr(networks, name)(), tmp_path / f"{name}.net")
    file = load_netx(tmp_path / "driven.net")
    moving = np.arange(3 * 40).reshape(1, 3, 2, 4, 5)
    with pytest.raises(Unsupported, match="changes from step to step"):
        simulate(file, moving, "netx")
    still = np.zeros((1, 3, 2, 4, 5), int)
    with pytest.raises(Unsupported, match="reset interval: population '0' is no leaky"):
        simulate(with_resets(load_netx(tmp_path / "sigma_delta.net"), 5), still, "netx")
    assert replace(file, network=file.network).driven

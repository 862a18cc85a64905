"""A session answers one network after the other, tells what went wrong in one, and leaves nothing behind."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from neurodeploy.errors import BackendError
from neurodeploy.network import Dense, Network, Population, Port, Projection
from neurodeploy.targets.emulator import golden
from neurodeploy.targets.lava import Session, session
from neurodeploy.targets.lava.environment import Environment
from neurodeploy.targets.lava.netlist import write_netlist

from . import nets
from .test_lava_robustness import descendants, one, os, signal


@pytest.fixture
def folder(lava: Environment, monkeypatch, tmp_path: Path) -> Iterator[Path]:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    yield tmp_path
    assert not descendants(os.getpid())
    assert not list(tmp_path.glob("nd-lava-*"))


def answers_rightly(lava: Session) -> None:
    network = nets.one_layer()
    spikes = nets.spikes(network)
    found, expected = lava.run(network, spikes, ("u",)), golden.run(network, spikes, ("u",))
    assert (found.u["layer"] == expected.u["layer"]).all()
    assert (found.spikes["layer"] == expected.spikes["layer"]).all()
    assert found.v == {}


def spoilt(network, spikes, record):
    """Return a netlist whose threshold is a fraction, which no check of ours lets through."""
    sound = write_netlist(network, spikes, record)
    return replace(sound, arrays={**sound.arrays, "vth/0": np.full(1, 10.5)})


def test_after_an_exception_or_a_death_the_next_run_starts_anew(folder: Path, monkeypatch) -> None:
    with Session() as lava:
        answers_rightly(lava)
        started = one(descendants(os.getpid()), "engine.py")
        answers_rightly(lava)
        assert one(descendants(os.getpid()), "engine.py") == started
        assert not list(folder.glob("nd-lava-*/0")), "the tapes of a finished run are not kept"
        with monkeypatch.context() as patch:
            patch.setattr(session, "write_netlist", spoilt)
            with pytest.raises(BackendError, match="an exception inside Lava: TypeError: ufunc 'left_shift'") as caught:
                answers_rightly(lava)
        assert "scale_threshold" in caught.value.__notes__[0]
        answers_rightly(lava)
        os.kill(one(descendants(os.getpid()), "engine.py"), signal.SIGKILL)
        with pytest.raises(BackendError, match="its process ended with exit code -9"):
            answers_rightly(lava)
        answers_rightly(lava)


def test_a_run_beyond_its_time_is_ended(folder: Path) -> None:
    network = nets.convolutions()
    with Session() as lava, pytest.raises(BackendError, match="did not finish within 2 s"):
        lava.run(network, nets.spikes(network, 1, 20_000), timeout=2)


def test_an_exception_ends_the_threads_that_wait_for_the_one_that_raised(folder: Path, monkeypatch) -> None:
    layers = [Population(name, (1,), nets.lif(1, 4096, 0), i + 1) for i, name in enumerate("abc")]
    joints = [Projection(f"p{b}", a, b, Dense(np.array([[4]]))) for a, b in zip(["input", *"ab"], "abc", strict=True)]
    network = Network((Port("input", (1,)),), tuple(layers), tuple(joints), ("c",))
    monkeypatch.setattr(session, "write_netlist", spoilt)
    with Session() as lava, pytest.raises(BackendError, match="TypeError"):
        lava.run(network, nets.spikes(network, 1, 2000), timeout=60)

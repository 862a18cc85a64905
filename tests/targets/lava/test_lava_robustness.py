"""However a run ends, it ends soon, says why, and leaves no process, no shared memory and no folder behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from neurodeploy.errors import BackendError, BackendMissing, InputError
from neurodeploy.targets.lava import child, run
from neurodeploy.targets.lava.child import execute, time_limit
from neurodeploy.targets.lava.environment import Environment
from neurodeploy.targets.lava.netlist import Netlist, write_netlist

from . import nets

LONG = 60_000  # steps: about a minute of work, never waited for; the first sign of progress takes a second
SOON = 15.0


def living() -> dict[int, tuple[int, str]]:
    """Return pid -> (parent's pid, command line) of all processes that have not ended."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            command = (folder / "cmdline").read_text().replace("\0", " ")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if state not in "ZX":
            found[int(folder.name)] = (int(parent), command)
    return found


def descendants(root: int) -> dict[int, str]:
    """Return pid -> command line of the children of ``root`` and theirs."""
    everyone, family = living(), {root}
    while grown := {pid for pid, (parent, _) in everyone.items() if parent in family} - family:
        family |= grown
    return {pid: everyone[pid][1] for pid in family - {root}}


def one(family: dict[int, str], script: str) -> int:
    """Return the first process that runs ``script``; Lava forks its own from the engine, after it."""
    return min(pid for pid, command in family.items() if command.split()[2:3][0].endswith(script))


def shared_memory(prefix: str) -> list[Path]:
    return list(Path("/dev/shm").glob(f"{prefix}*"))


def wait_for(condition: Callable[[], object], seconds: float = SOON) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture
def clean(lava: Environment, monkeypatch, tmp_path: Path) -> Iterator[Path]:
    """Hold a test to leave nothing behind; the folder it gives is where temporary ones are made, deep and long."""
    token = f"test{os.getpid():x}"
    monkeypatch.setattr(child.secrets, "token_hex", lambda _: token)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    yield tmp_path
    assert wait_for(lambda: not descendants(os.getpid())), descendants(os.getpid())
    assert not shared_memory(f"psm_nd{token}")
    assert not list(tmp_path.glob("nd-lava-*"))


def netlist(steps: int = 5) -> Netlist:
    network = nets.one_layer()
    return write_netlist(network, nets.spikes(network, 1, steps), ())


def with_delay(delay: int) -> Netlist:
    sound = netlist()
    projection = {**sound.spec["projections"][0], "delay": delay}
    return replace(sound, spec={**sound.spec, "projections": [projection]})


def with_threshold(threshold: float) -> Netlist:
    sound = netlist()
    return replace(sound, arrays={**sound.arrays, "vth/0": np.full(3, threshold)})


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize(
    ("broken", "message", "place"),
    [
        (with_threshold(10.5), "an exception inside Lava: TypeError: ufunc 'left_shift'", "scale_threshold"),
        (with_delay(64), "an exception inside Lava: ValueError: DelayDense Process 'delays' expects", "run_spk"),
        (replace(netlist(), arrays={}), "an exception inside Lava: KeyError: 'spec'|'port/0'", "build"),
    ],
)
def test_an_exception_inside_lava_is_reported_with_its_text(
    lava: Environment, tmp_path: Path, broken: Netlist, message: str, place: str
) -> None:
    with pytest.raises(BackendError, match=message) as caught:
        execute(lava.python, [broken], tmp_path)
    assert place in caught.value.__notes__[0]
    assert caught.value.exit_code == 4


@pytest.mark.usefixtures("clean")
def test_a_run_beyond_its_time_is_ended() -> None:
    network = nets.one_layer()
    start = time.monotonic()
    with pytest.raises(BackendError, match=r"did not finish within 3 s.*NEURODEPLOY_LAVA_TIMEOUT"):
        run(network, nets.spikes(network, 1, LONG), timeout=3)
    assert time.monotonic() - start < SOON


def interfering(act: Callable[[dict[int, str]], None], timeout: float) -> None:
    """Run a long network, and once it is under way do ``act`` to the processes it consists of."""
    network = nets.one_layer()
    begun = threading.Event()

    def interfere() -> None:
        begun.wait(60)
        act(descendants(os.getpid()))

    thread = threading.Thread(target=interfere)
    thread.start()
    try:
        run(network, nets.spikes(network, 1, LONG), timeout=timeout, progress=lambda *_: begun.set())
    finally:
        begun.set()
        thread.join()


def stop_all(family: dict[int, str]) -> None:
    for pid in family:
        os.kill(pid, signal.SIGSTOP)


def kill_a_neuron(family: dict[int, str]) -> None:
    engine = one(family, "engine.py")
    os.kill(max(pid for pid, command in descendants(engine).items() if "engine.py" in command), signal.SIGKILL)


def kill_the_supervisor(family: dict[int, str]) -> None:
    os.kill(one(family, "supervisor.py"), signal.SIGKILL)


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize(
    ("act", "timeout", "message"),
    [
        (kill_a_neuron, 120, "a Lava process was ended by signal 9"),
        (kill_the_supervisor, 120, "its process ended with exit code unknown"),
    ],
)
def test_a_killed_process_is_noticed_at_once(act, timeout: float, message: str) -> None:
    start = time.monotonic()
    with pytest.raises(BackendError, match=message):
        interfering(act, timeout)
    assert time.monotonic() - start < 60


@pytest.mark.usefixtures("clean")
def test_processes_that_hang_are_ended_even_where_the_supervisor_hangs_too() -> None:
    with pytest.raises(BackendError, match="did not finish within 8 s"):
        interfering(stop_all, 8)


CALLER = """
import sys
from tests.targets.lava import nets
from neurodeploy.targets.lava import child, run
network = nets.one_layer()
run(network, nets.spikes(network, 1, {steps}), progress=lambda *_: print("begun", flush=True))
"""


@pytest.mark.parametrize("also", [None, "supervisor.py", "engine.py"])
def test_nothing_outlives_a_killed_parent(clean: Path, also: str | None) -> None:
    command = [sys.executable, "-c", CALLER.format(steps=LONG)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3]) as caller:
        assert caller.stdout is not None
        assert caller.stdout.readline() == "begun\n"
        family = descendants(caller.pid)
        assert len(family) > 4
        prefix = family[one(family, "supervisor.py")].split()[4]
        assert shared_memory(prefix)
        assert list(clean.glob("nd-lava-*"))
        caller.kill()
        if also:
            os.kill(one(family, also), signal.SIGKILL)
    assert wait_for(lambda: not family.keys() & living().keys()), [living().get(pid) for pid in family]
    assert wait_for(lambda: not shared_memory(prefix))
    if also == "supervisor.py":  # then nobody is left who could remove the folder
        shutil.rmtree(next(clean.glob("nd-lava-*")))
    assert wait_for(lambda: not list(clean.glob("nd-lava-*")))


def test_an_absent_environment_is_named_with_the_way_to_get_it(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NEURODEPLOY_CACHE", str(tmp_path))
    with pytest.raises(BackendMissing, match=f"not installed at {tmp_path}/lava-0.10.0-.*`neurodeploy lava install`"):
        run(nets.one_layer(), nets.spikes(nets.one_layer()))


@pytest.mark.parametrize("text", ["soon", "0", "-1", "nan", "inf"])
def test_a_time_limit_that_is_none_is_refused(monkeypatch, text: str) -> None:
    monkeypatch.setenv("NEURODEPLOY_LAVA_TIMEOUT", text)
    with pytest.raises(InputError, match=f"NEURODEPLOY_LAVA_TIMEOUT: is '{text}'"):
        time_limit([netlist()])


def test_the_time_limit_is_the_callers_the_variables_or_an_ample_estimate(monkeypatch) -> None:
    monkeypatch.delenv("NEURODEPLOY_LAVA_TIMEOUT", raising=False)
    assert time_limit([netlist(5)]) < time_limit([netlist(5000)])
    monkeypatch.setenv("NEURODEPLOY_LAVA_TIMEOUT", "7.5")
    assert time_limit([netlist()]) == 7.5
    assert time_limit([netlist()], 3) == 3

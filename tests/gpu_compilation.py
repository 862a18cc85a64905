"""Every Triton kernel as a GPU would get it, on a machine that has none: ``python -m tests.gpu_compilation WHAT...``.

Our own launches run, on the CPU, through Triton's own front: it binds the arguments, decides what of them it compiles
for, and compiles down to machine code of compute capability 9.0 with the assembler in its wheel. Only the launch itself
is left out, so that whatever the interpreter accepts and the compiler refuses is refused here; results are void. Prints
one JSON list of kernels, each with what it was compiled for, what it takes of the device, and its PTX instructions.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.runtime.driver import driver
from triton.runtime.jit import JITFunction

from neurodeploy.models.spiking.dynamics import Dynamics
from neurodeploy.simulation import simulate
from neurodeploy.targets.emulator.cuda.device import Device
from tests.benchmarks.workloads import NAMES, workload
from tests.random_networks import mixed_network, random_network, random_spikes

#: What an H200 is to Triton, and how it cuts our launches.
TARGET, PROCESSORS = GPUTarget("cuda", 90, 32), 132
#: Bytes of shared memory that one program may have on it.
SHARED = 227 * 1024
_INSTRUCTION = re.compile(r"^\s+(?:@!?%p\d+ )?([a-z][\w.:]+)", re.MULTILINE)
_USE = re.compile(r"REG:(\d+) STACK:(\d+).*? LOCAL:(\d+)")


class AbsentGpu:
    """Triton's driver of a GPU that is not there: it says which one, and launches nothing."""

    def get_current_target(self) -> GPUTarget:
        """Return what is compiled for."""
        return TARGET

    def get_current_device(self) -> int:
        """Return the number of the device."""
        return 0

    def get_current_stream(self, device: int) -> int:
        """Return the default stream."""
        return 0


@dataclass(frozen=True)
class Kernel:
    """One compilation: for which types, constants and alignments; what it uses; and its instructions.

    ``registers`` are those of a thread, ``local`` the bytes that it spills or keeps on a stack, ``shared`` the bytes of
    a program.
    """

    name: str
    constants: Mapping[str, Any]
    signature: Mapping[str, str]
    registers: int
    local: int
    shared: int
    instructions: tuple[str, ...]


@contextmanager
def compiling() -> Iterator[dict[str, Any]]:
    """Compile whatever is launched, into the dict that this yields: by hash, Triton's compiled kernels."""
    found: dict[str, Any] = {}
    run = JITFunction.run

    def compile_only(self: Any, *args: Any, grid: Any, warmup: bool, **options: Any) -> Any:
        x, y, z = (*grid, 1, 1)[:3]
        assert 0 < x < 1 << 31 and 0 < y < 1 << 16 and 0 < z < 1 << 16, f"no GPU has a grid of {grid}"  # noqa: PT018
        kernel = run(self, *args, grid=grid, warmup=True, **options)
        found[kernel.hash] = kernel
        return kernel

    driver.set_active(AbsentGpu())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JITFunction, "run", compile_only)
        yield found


def described(compiled: Any) -> Kernel:
    """Return what a compilation came to."""
    source = compiled.src
    names = source.fn.arg_names
    constants = {names[place[0]]: value for place, value in source.constants.items()}
    tool = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(compiled.asm["cubin"])
        file.flush()
        use = subprocess.run([tool, "-res-usage", file.name], capture_output=True, text=True, check=True).stdout
    match = _USE.search(use)
    assert match is not None, use
    registers, stack, local = (int(number) for number in match.groups())
    return Kernel(
        source.fn.__name__,
        {name: repr(value) for name, value in constants.items()},
        dict(source.signature),
        registers,
        stack + local,
        compiled.metadata.shared,
        tuple(sorted(set(_INSTRUCTION.findall(compiled.asm["ptx"])))),
    )


@contextmanager
def emulator_on(device: Device) -> Iterator[None]:
    """Let ``device cuda`` be this one, trusted untested, whose windows run launch by launch."""
    from neurodeploy.targets.emulator.cuda import run, selftest, session

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "open_device", lambda: device)
        patch.setattr(run, "_ENGINES", {})
        patch.setattr(Device, "free_bytes", lambda _device: run.BUDGET)
        patch.setattr(selftest, "approved", lambda _device: frozenset({"tiles"}))
        patch.setattr(selftest, "models_hold", lambda _device: None)
        patch.setattr(session.Session, "advance", session.Session._compute)
        yield


def self_test(device: Device) -> None:
    """Launch what the self-test of a device launches; the comparisons fail, and are of no interest."""
    from neurodeploy.targets.emulator.cuda import selftest

    with pytest.MonkeyPatch.context() as patch:
        for name in ("_sum_equal", "_steps_equal"):
            real = getattr(selftest, name)
            patch.setattr(selftest, name, lambda *args, real=real, **options: (real(*args, **options), True)[1])
        assert selftest._sums_equal("tiles", device)
        assert selftest._neurons_equal("", device)
        selftest.models_hold.__wrapped__(device)


def emulator(device: Device, seeds: range) -> None:
    """Launch the self-test, the benchmark's workloads, as tall and as short tiles, and random networks."""
    self_test(device)
    everything = ("s", "u", "v")
    for processors, names in ((device.processors, NAMES), (8, ("W2", "W3"))):
        with emulator_on(replace(device, processors=processors)):
            for name in names:
                one = replace(workload(name), steps=12)
                simulate(one.network(chip_time=False), one.spikes(1), device="cuda")
                if seeds:
                    simulate(one.network(), one.spikes(2), record=everything, device="cuda")
    with emulator_on(device):
        for seed in seeds:
            for network in (random_network(seed), mixed_network(seed)):
                simulate(network, random_spikes(network, seed), record=everything, device="cuda")
            chip = random_network(seed).in_chip_time()
            graded = np.random.default_rng(seed).integers(-30_000, 30_000, (1, 8, *chip.ports[0].shape))
            simulate(chip, graded, device="cuda")


def training(_device: Device, seeds: range) -> None:
    """Launch forward and backward of every kind of spiking neuron, fixed and trained, in float32 and other types."""
    from neurodeploy.models.spiking import device
    from tests.models.spiking.test_spiking_kernels import MODELS

    def launch(dynamics: Dynamics, dtype: torch.dtype, neurons: int, *, trained: bool, started: bool) -> None:
        x = torch.zeros(4, neurons, dtype=dtype, requires_grad=True)
        factor, threshold = (torch.tensor(c, requires_grad=trained) for c in (dynamics.factor, dynamics.threshold))
        start = torch.zeros(neurons, dtype=dtype) if started else None
        spikes, last = device.sequence(dynamics, x, start, factor, threshold)
        (spikes.sum() + (last.sum() if started else 0.0)).backward()

    for dynamics in MODELS.values():
        launch(dynamics, torch.float32, 1024, trained=True, started=True)
    for dtype in device.DTYPES:
        launch(MODELS["sj"], dtype, 1024, trained=False, started=False)
    for dtype, neurons, dynamics in product(device.DTYPES, (1, 700, 1024), MODELS.values()) if seeds else ():
        for trained, started in product((False, True), repeat=2):
            launch(dynamics, dtype, neurons, trained=trained, started=started)
    for dtype, neurons in product(device.DTYPES, (700, 1024) if seeds else (1024,)):
        device.rounded(torch.zeros(4, neurons, dtype=dtype, requires_grad=True), 4, 4.0).sum().backward()


def systems(_device: Device, _seeds: range) -> None:
    """Train each of the trained systems, in small, on one sequence as on a GPU.

    Their tensors lie on the CPU, and no launch writes any, so that numbers mean nothing.
    """
    from neurodeploy.models.spiking import device
    from tests.models.systems import SMALL, small

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(device, "takes", lambda x: x.dtype in device.DTYPES and bool(x.numel()))
        for name in SMALL:
            small(name)(torch.zeros(2, 2, 3, 32, 32)).sum().backward()


def in_a_child(name: str, folder: Path) -> list[Kernel]:
    """Return the compilations of one subject, made where Triton compiles, with ``folder`` as its cache."""
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    environment |= {"TRITON_CACHE_DIR": str(folder), "TRITON_DEFAULT_FP_FUSION": "0"}
    command = [sys.executable, "-m", "tests.gpu_compilation", name]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return [Kernel(**fields) for fields in json.loads(done.stdout)]


SUBJECTS: dict[str, Callable[[Device, range], None]] = {
    "emulator": emulator,
    "training": training,
    "systems": systems,
}


def main(*names: str) -> None:
    """Compile what these subjects launch, or all of them; after ``--all``, for many more networks and types."""
    seeds = range(24 if "--all" in names else 0)
    with compiling() as found:
        for name in [name for name in names if name in SUBJECTS] or SUBJECTS:
            SUBJECTS[name](Device("cpu", "an H200 that is not there", PROCESSORS, False, {}), seeds)
    json.dump([vars(described(kernel)) for kernel in found.values()], sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])

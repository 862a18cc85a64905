"""Correctness and speed of ``--device cuda`` in one call: ``python -m tests.benchmarks.gpu -o gpu.json``.

Takes a few minutes on one GPU and needs no installation, only torch, Triton, NumPy, SciPy and click. Whatever is
missing is named in a line and left out. Under ``TRITON_INTERPRET=1 ... --quick`` all of it runs without a GPU on tiny
sizes, to test the script; the figures are then void.
"""

from __future__ import annotations

import json
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import numpy as np

from neurodeploy.comparison import compare
from neurodeploy.errors import NeurodeployError
from neurodeploy.network import Network
from neurodeploy.simulation import simulate
from neurodeploy.targets.emulator.cuda import run as backend
from neurodeploy.targets.emulator.cuda.device import Device, open_device
from neurodeploy.targets.emulator.cuda.plan import planned
from tests.benchmarks.workloads import NAMES, Workload, workload
from tests.random_networks import random_network, random_spikes

EVERYTHING = ("s", "u", "v")
#: Workload -> batches whose throughput is measured, and (samples per second, from which batch on) to be reached.
BATCHES = {"W1": (256,), "W2": (256, 512, 1024), "W3": (64, 128, 256), "W4": (256,)}
GOALS = {"W2": (100_000, 256), "W3": (15_000, 64)}
LATENCY_GOAL = 50
#: Bytes that samples are cut to.
BUDGETS = (1 << 28, 1 << 30, 1 << 33)
DEFAULT_BUDGET = backend.BUDGET


def say(text: str) -> None:
    """Print a line at once."""
    click.echo(text)


def synchronized(device: Device) -> Callable[[], None]:
    """Return what waits until the device has done all its work."""
    import torch

    return (lambda: None) if device.interpreted else torch.cuda.synchronize


def seconds(function: Callable[[], Any], device: Device, rounds: int) -> dict[str, float]:
    """Return median and extremes of the wall time of calls, after two that compile and record."""
    wait = synchronized(device)
    times = []
    for i in range(rounds + 2):
        wait()
        begin = time.perf_counter()
        function()
        wait()
        if i >= 2:
            times.append(time.perf_counter() - begin)
    return {"median": statistics.median(times), "least": min(times), "most": max(times)}


def reference() -> str:
    """Return the backend that truth is taken from: the CPU's kernel, itself tested equal, or the golden model."""
    return "emulator" if find_spec("numba") else "golden"


def agree(network: Network, spikes: Any, truth: str, runs: int = 1) -> dict[str, Any]:
    """Return whether every u, v, s, wrap and clip equals the reference, in each of some runs."""
    wanted = simulate(network, spikes, truth, EVERYTHING)
    equal, cells, summary = True, 0, ""
    for _ in range(runs):
        found = simulate(network, spikes, "emulator", EVERYTHING, device="cuda")
        comparison = compare(wanted, found)
        counts = wanted.wraps == found.wraps and wanted.clips == found.clips
        cells += comparison.cells
        if not (comparison.equal and counts and found.backend == "cuda"):
            equal, summary = False, comparison.summary() + ("" if counts else "; wraps or clips differ")
    return {"equal": equal, "cells": cells, "runs": runs, "against": truth, "difference": summary}


def correctness(quick: bool) -> dict[str, Any]:
    """Hold random networks and the workloads against the golden model or the CPU's kernel."""
    results: dict[str, Any] = {}
    for seed in range(2 if quick else 24):
        network = random_network(seed)
        results[f"random {seed}"] = agree(network, random_spikes(network, seed), "golden")
        if seed % 4 == 0:
            rng = np.random.default_rng(seed)
            largest = min(planned(network.in_chip_time()).exact_payload, 1 << 20)
            shape = (1, 8, *network.ports[0].shape)
            graded = rng.integers(-largest, largest + 1, shape)
            results[f"graded {seed}"] = agree(network.in_chip_time(), graded, "golden")
    for name in ("W1", "W2", "W4") if quick else NAMES:
        one = sized(name, quick)
        # The second run is recorded as a graph, the third replays it.
        samples = 1 if quick or reference() == "golden" else 3
        for chip_time in (True, False):
            title = f"{name} in {'chip' if chip_time else 'input'} time"
            results[title] = agree(one.network(chip_time=chip_time), one.spikes(samples), reference(), 3)
    for title, result in results.items():
        outcome = "equal" if result["equal"] else f"DIFFERS: {result['difference']}"
        say(f"{title:20} {outcome}  {result['cells']:,} cells")
    return results


def sized(name: str, quick: bool) -> Workload:
    """Return a workload, of few steps where only the script is tested."""
    full = workload(name)
    return replace(full, steps=2) if quick else full


def resident(
    one: Workload, spikes: np.ndarray, samples: int, device: Device
) -> tuple[Callable[[], None], Callable[[], np.ndarray]]:
    """Return what runs a batch of these spikes, repeated, from the device's memory, and what fetches its answer.

    The answer is int32 [samples, classes], the spikes of each neuron of the last population.
    """
    import torch

    network = one.network()
    engine, port = backend.engine_of(network), network.ports[0]
    session = engine.session(backend.fit(engine.plan, device, (samples, one.steps), {"in": 1}, ()))
    count = session.extent.samples
    if session.extent.window < one.steps:
        raise RuntimeError(f"{one.steps} steps of {one.name} do not fit the device's memory")
    x = torch.from_numpy(spikes).to(device.name)
    x = x.repeat(-(-count // len(x)), *(1,) * (x.ndim - 1))[:count]

    def advance() -> None:
        for _ in range(-(-samples // count)):
            session.clear()
            session.load(port, x)
            session.advance(one.steps)

    return advance, lambda: session.spikes(network.outputs[0], one.steps).sum(dim=0, dtype=torch.int32).cpu().numpy()


def throughput(device: Device, quick: bool) -> Iterator[dict[str, Any]]:
    """Yield samples per second of every workload and batch, spikes on the device, with budgets of memory."""
    for name, batches in ({"W4": (2,)} if quick else BATCHES).items():
        one = sized(name, quick)
        spikes = one.spikes(2 if quick else 8)
        truth = simulate(one.network(), spikes[:2], reference()).output.sum(axis=1)
        for samples in batches:
            for budget in BUDGETS[:1] if quick else BUDGETS:
                backend.BUDGET = budget
                advance, answer = resident(one, spikes, samples, device)
                took = seconds(advance, device, 1 if quick else 7)
                rate, equal = samples / took["median"], bool((answer()[:2] == truth).all())
                yield {
                    "workload": name,
                    "batch": samples,
                    "budget": budget,
                    "seconds": took,
                    "rate": rate,
                    "equal": equal,
                }
                outcome = "" if equal else "  ANSWER DIFFERS"
                say(f"{name} batch {samples:5} budget {budget >> 20:5} MiB  {rate:12,.0f} samples/s{outcome}")
    backend.BUDGET = DEFAULT_BUDGET


def latency(device: Device, quick: bool) -> Iterator[dict[str, Any]]:
    """Yield seconds of one sample, spikes on the device, of ours and of every peer."""
    import torch

    from tests.benchmarks.gpu_peers import PEERS

    for name in ("W4",) if quick else NAMES:
        one = sized(name, quick)
        network, spikes = one.network(), one.spikes(1)
        advance, _ = resident(one, spikes, 1, device)
        ours = seconds(advance, device, 1 if quick else 20)
        whole = seconds(partial(simulate, network, spikes, device="cuda"), device, 1 if quick else 5)
        yield {"workload": name, "who": "neurodeploy", "seconds": ours, "host_to_host": whole}
        say(f"{name} batch 1  neurodeploy {1e3 * ours['median']:.3f} ms, {1e3 * whole['median']:.3f} ms host to host")
        x = torch.from_numpy(spikes).to(device.name).swapaxes(0, 1).float().contiguous()
        for who, make in PEERS.items():
            try:
                took = seconds(partial(make(one, device.name), x), device, 1 if quick else 5)
            except Exception as error:  # noqa: BLE001  # a peer's failure, whatever it is, is a line of the result
                what = "not installed" if isinstance(error, ModuleNotFoundError) else f"{type(error).__name__}: {error}"
                yield {"workload": name, "who": who, "left_out": what}
                say(f"{name} batch 1  {who}: {what}")
                continue
            ratio = took["median"] / ours["median"]
            yield {"workload": name, "who": who, "seconds": took, "ratio": ratio}
            say(f"{name} batch 1  {who} {1e3 * took['median']:.3f} ms, {ratio:.1f} times ours")


def kernels(device: Device, quick: bool) -> dict[str, Any]:
    """Return for W2 and W3 how the device's time divides among kernels, in microseconds of one batch."""
    import torch

    if device.interpreted or quick:
        return {"left_out": "no GPU"}
    found: dict[str, Any] = {}
    for name, samples in (("W2", 128), ("W3", 16)):
        one = workload(name)
        advance, _ = resident(one, one.spikes(8), samples, device)
        for _ in range(3):
            advance()
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
            advance()
            torch.cuda.synchronize()
        rows = sorted(profile.key_averages(), key=lambda row: -row.device_time_total)[:8]
        found[name] = [{"kernel": r.key, "calls": r.count, "microseconds": r.device_time_total} for r in rows]
    return found


def summary(document: dict[str, Any]) -> list[str]:
    """Return the goals, each with what was reached."""
    lines = []
    for name, (goal, least) in GOALS.items():
        rates = [r["rate"] for r in document.get("throughput", []) if r["workload"] == name and r["batch"] >= least]
        if rates:
            lines.append(f"{name}: {max(rates):,.0f} samples/s, goal {goal:,}: {'yes' if max(rates) >= goal else 'no'}")
    for name in NAMES:
        ratios = [r["ratio"] for r in document.get("latency", []) if r["workload"] == name and "ratio" in r]
        if ratios:
            reached = "yes" if min(ratios) >= LATENCY_GOAL else "no"
            lines.append(f"{name} batch 1: {min(ratios):.1f} times the best peer, goal {LATENCY_GOAL}: {reached}")
    return lines


def measure(quick: bool) -> dict[str, Any]:
    """Return all results; a part that fails says so in its place and leaves the others."""
    document: dict[str, Any] = {"schema": 1, "date": datetime.now(UTC).isoformat(timespec="seconds"), "quick": quick}
    document["machine"] = {"system": platform.platform(), "python": platform.python_version(), "numpy": np.__version__}
    try:
        device = open_device()
    except NeurodeployError as error:
        say(str(error))
        return document | {"left_out": str(error)}
    document |= {"device": device.title, "interpreted": device.interpreted, "versions": dict(device.versions)}
    say(f"{device.title}: {', '.join(f'{name} {version}' for name, version in device.versions.items())}")
    steps: dict[str, Callable[[], Any]] = {
        "self_test": lambda: sorted(backend.engine_of(random_network(0)).approved),
        "correctness": lambda: correctness(quick),
        "throughput": lambda: list(throughput(device, quick)),
        "latency": lambda: list(latency(device, quick)),
        "kernels": lambda: kernels(device, quick),
    }
    for name, step in steps.items():
        begin = time.perf_counter()
        try:
            document[name] = step()
        except Exception as error:  # noqa: BLE001  # the other parts are still of use
            document.setdefault("failed", {})[name] = f"{type(error).__name__}: {error}"
            say(f"{name} failed: {type(error).__name__}: {error}")
        document.setdefault("took", {})[name] = round(time.perf_counter() - begin, 1)
    document["goals"] = summary(document)
    return document


@click.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("gpu.json"), show_default=True)
@click.option("--quick", is_flag=True, help="Tiny sizes, to test the script.")
def main(output: Path, quick: bool) -> None:
    """Hold the emulator on the GPU against the CPU, and measure it."""
    document = measure(quick)
    for line in document.get("goals", []):
        say(line)
    output.write_text(json.dumps(document, indent=1) + "\n")
    say(f"wrote {output}")
    results = [*document.get("correctness", {}).values(), *document.get("throughput", [])]
    if "left_out" in document or document.get("failed") or not all(result["equal"] for result in results):
        raise click.exceptions.Exit(1)


if __name__ == "__main__":
    main()

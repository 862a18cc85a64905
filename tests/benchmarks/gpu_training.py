"""Correctness and speed of spiking layers on CUDA in one call: ``python -m tests.benchmarks.gpu_training``.

Holds spikes and gradients of the Triton kernels against the reference on the same device, counts compilations over many
shapes, and times forward and backward of a LIF layer in float32 and bfloat16 beside SpikingJelly's. Under
``TRITON_INTERPRET=1 ... --quick`` it runs on a CPU, to test the script; the figures are then void.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import torch

from neurodeploy.files import replacing
from neurodeploy.models.spiking import device, reference
from neurodeploy.models.spiking.dynamics import (
    Dynamics,
    membrane_shortcut_lif,
    non_stateful,
    soft_reset_lif,
    spikingjelly_lif,
)
from tests.benchmarks import twins

MODELS = {
    "LIF-sj": spikingjelly_lif(),
    "LIF-sj, tau 3": spikingjelly_lif(3.0),
    "LIF-ms": membrane_shortcut_lif(),
    "LIF-dsl": soft_reset_lif(),
    "NS": non_stateful(spikingjelly_lif()),
    "sigmoid": spikingjelly_lif(surrogate="sigmoid", width=4.0),
}
#: Steps and neurons of what is timed.
SIZES = {"T4": (4, 1 << 24), "T16": (16, 1 << 22)}
GOALS = {"float32": 1.3, "bfloat16": 1.8}
#: Largest relative difference of gradients from the reference in float32. A GPU's exponential and quotient are each one
#: or two units in the last place (6e-8) off, which adds up over the steps.
SLACK = {"float32": 5e-6, "bfloat16": 2**-7}


def compute(how: Any, dynamics: Dynamics, x: torch.Tensor, weights: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return spikes and the gradient of the input."""
    x = x.detach().requires_grad_()
    constants = torch.tensor(dynamics.factor), torch.tensor(dynamics.threshold)
    spikes, _ = how.sequence(dynamics, x, torch.zeros_like(x[0]), *constants)
    return spikes.detach(), torch.autograd.grad(spikes, x, weights)[0]


def correctness(on: str, quick: bool) -> Iterator[dict[str, Any]]:
    """Yield for each model, dtype and shape whether spikes equal the reference's, and how far gradients are."""
    shapes = [(3, 2, 5, 7), (5, 700)] if quick else [(3, 2, 5, 7), (16, 1000), (9, 4, 33, 17, 5), (16, 16, 64, 32, 32)]
    for name, dynamics in MODELS.items():
        for dtype in (torch.float32, torch.bfloat16):
            for shape in shapes:
                generator = torch.Generator().manual_seed(0)
                x, weights = (torch.randn(shape, generator=generator).to(on, dtype) for _ in range(2))
                spikes, gradient = compute(device, dynamics, x + 0.5, weights)
                expected, truth = compute(reference, dynamics, (x + 0.5).float(), weights.float())
                away = float((gradient.float() - truth).abs().max() / truth.abs().max().clamp_min(1e-9))
                kind = str(dtype).removeprefix("torch.")
                equal = bool((spikes.float() == expected).all())
                yield {
                    "model": name,
                    "dtype": kind,
                    "shape": list(shape),
                    "spikes_equal": equal,
                    "gradient_difference": away,
                    "passed": equal and away <= SLACK[kind],
                }


def ours(dtype: torch.dtype) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return our layer."""
    from neurodeploy.models.spiking.layer import SpikingNeuron

    return SpikingNeuron(spikingjelly_lif())


def spikingjelly(backend: str) -> Callable[[torch.dtype], Callable[[torch.Tensor], torch.Tensor]]:
    """Return what makes SpikingJelly's layer on one of its backends, or on what it chooses by itself."""

    def make(dtype: torch.dtype) -> Callable[[torch.Tensor], torch.Tensor]:
        node = twins.node_of(spikingjelly_lif(), backend)

        def run(x: torch.Tensor) -> torch.Tensor:
            twins.forget(node)
            spikes: torch.Tensor = node(x)
            return spikes

        return run

    return make


def contestants() -> dict[str, Callable[[torch.dtype], Callable[[torch.Tensor], torch.Tensor]]]:
    """Return who can take part, by name."""
    release = twins.find_spikingjelly(click.echo)
    others = {f"spikingjelly {backend}".strip(): spikingjelly(backend) for backend in twins.backends(release)}
    return {"neurodeploy": ours, **(others if release else {})}


def timed(layer: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor, rounds: int) -> float:
    """Return the median seconds of forward and backward, after two of each."""
    wait = torch.cuda.synchronize if x.is_cuda else (lambda: None)
    weights, times = torch.ones_like(x), []
    for i in range(rounds + 2):
        x.grad = None
        wait()
        begin = time.perf_counter()
        layer(x).backward(weights)
        wait()
        if i >= 2:
            times.append(time.perf_counter() - begin)
    return statistics.median(times)


def speed(on: str, quick: bool) -> Iterator[dict[str, Any]]:
    """Yield seconds of everyone at every size and dtype; who cannot run says why."""
    everyone = contestants()
    for size, (steps, neurons) in SIZES.items():
        for dtype in (torch.float32, torch.bfloat16):
            x = torch.randn(steps, 1024 if quick else neurons, device=on, dtype=dtype).requires_grad_()
            for name, make in everyone.items():
                row = {"size": size, "dtype": str(dtype).removeprefix("torch."), "who": name}
                try:
                    yield row | {"seconds": timed(make(dtype), x, 1 if quick else 20)}
                except Exception as error:  # noqa: BLE001  # a peer's failure, whatever it is, is a line of the result
                    yield row | {"left_out": f"{type(error).__name__}: {error}"}


def compilations() -> dict[str, int] | None:
    """Return how many forward kernels there are before and after forty shapes of which some are multiples of 16."""
    from neurodeploy.models.spiking import triton_kernels

    caches = getattr(triton_kernels.forward, "device_caches", None)
    if caches is None:
        return None

    def count() -> int:
        return sum(len(cache[0]) for cache in caches.values())

    before = count()
    for n in range(40):
        x = torch.randn(2 + n, 500 + 37 * n + 16 * (n % 2), device="cuda")
        compute(device, MODELS["LIF-sj"], x, torch.ones_like(x))
    return {"before": before, "after": count()}


def goals(rows: list[dict[str, Any]]) -> list[str]:
    """Return of each goal what was reached: SpikingJelly's fastest backend in float32 over ours in each dtype."""
    found = {(row["size"], row["dtype"], row["who"]): row["seconds"] for row in rows if "seconds" in row}
    peers = {row["who"] for row in rows} - {"neurodeploy"}
    lines = []
    for size in SIZES:
        theirs = min((found[key] for peer in peers if (key := (size, "float32", peer)) in found), default=None)
        for dtype, goal in GOALS.items():
            mine = found.get((size, dtype, "neurodeploy"))
            if theirs is None or mine is None:
                lines.append(f"{size} {dtype}: not measured, goal {goal}")
            else:
                lines.append(f"{size} {dtype}: {theirs / mine:.2f}, goal {goal}: {theirs / mine >= goal}")
    return lines


@click.command()
@click.option("-o", "--output", default=Path("gpu-training.json"), show_default=True, type=click.Path(path_type=Path))
@click.option("--quick", is_flag=True, help="Tiny sizes, to test the script.")
def main(output: Path, quick: bool) -> None:
    """Hold spiking layers on CUDA against the reference, and measure them."""
    interpreted = os.environ.get("TRITON_INTERPRET") == "1"
    if not (interpreted or torch.cuda.is_available()):
        raise click.ClickException("torch finds no GPU; a CUDA build of torch and a GPU are needed")
    on = "cpu" if interpreted else "cuda"
    title = "Triton's interpreter" if interpreted else torch.cuda.get_device_name()
    report: dict[str, Any] = {"schema": 1, "date": datetime.now(UTC).isoformat(timespec="seconds"), "quick": quick}
    report |= {"device": title, "torch": torch.__version__}
    report["correctness"] = list(correctness(on, quick))
    failed = [row for row in report["correctness"] if not row["passed"]]
    click.echo(f"{len(report['correctness'])} comparisons, {len(failed)} failed")
    report["compilations"] = None if interpreted else compilations()
    report["speed"] = list(speed(on, quick))
    report["goals"] = goals(report["speed"])
    with replacing(output) as temporary:
        temporary.write_text(json.dumps(report, indent=1) + "\n")
    for line in report["goals"]:
        click.echo(line)
    if failed:
        raise click.exceptions.Exit(1)


if __name__ == "__main__":
    main()

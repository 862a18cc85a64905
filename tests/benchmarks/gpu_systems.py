"""The trained systems on one GPU in one call of a few minutes: ``python -m tests.benchmarks.gpu_systems``.

First the three systems are held against the same networks on SpikingJelly's layers, weight for weight: spikes, answers
and gradients in float32. Then both train them (forward, cross-entropy, backward, a step of SGD, in a recipe's bf16) in
rounds in which everyone has a turn, and the memory of STDL is held against BPTT's. Without a GPU it says so and ends
with 2. ``--device cpu --tiny`` runs all of it on small networks in float32, to test the script; the figures are then
void, and memory is what autograd keeps.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import click
import torch
from torch import Tensor, nn

from neurodeploy.files import replacing
from neurodeploy.models.spiking.layer import MultiSpike, SpikingNeuron
from neurodeploy.models.stdl.settings import BpttSettings, StdlSettings
from tests.benchmarks import twins
from tests.benchmarks.rounds import Spread, interleave, ratios
from tests.benchmarks.system_contestants import (
    LOCAL,
    SYSTEMS,
    TINY,
    TINY_LOCAL,
    Contestant,
    System,
    ours,
    theirs,
)

ROUNDS, LEAST = 7, 1.0
#: Samples that outputs are compared on.
COMPARED = 2
#: At least so many times as fast as SpikingJelly; at most this share of BPTT's memory.
FASTER, SHARE = 1.3, 0.25
#: In float32 without TF32: the share of spikes that may differ, and the relative distance of all gradients.
SPIKES_APART, GRADIENTS_APART = 1e-3, 1e-2
PACKAGES = ("torch", "triton", "spikingjelly", "cupy", "numpy")
#: Eight groups: with one a unit auxiliary networks' weights, not activations, would be most of what STDL takes.
GROUPS, TINY_GROUPS = 8, 2


@contextmanager
def exact() -> Iterator[None]:
    """Compute products in float32 proper."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


def outcome(model: nn.Module, names: Sequence[str], x: Tensor) -> tuple[dict[str, Tensor], Tensor, Tensor]:
    """Return the spikes of the modules ``names``, the answers, and all gradients of the answers' squares in a row."""
    spikes: dict[str, Tensor] = {}
    modules = dict(model.named_modules())
    hooks = [
        modules[name].register_forward_hook(lambda _m, _i, out, name=name: spikes.update({name: out.detach()}))
        for name in names
    ]
    torch.manual_seed(1)  # for dropout, which both draw in the same order
    answers = model(x)
    answers.square().sum().backward()
    for hook in hooks:
        hook.remove()
    gradients = [parameter.grad.flatten() for parameter in model.parameters() if parameter.grad is not None]
    return spikes, answers.detach(), torch.cat(gradients)


def agreement(system: System, device: str) -> dict[str, Any]:
    """Return how far spikes, answers and gradients of both are apart, from the same weights and input."""
    model = system.build(device)
    names = [name for name, module in model.named_modules() if isinstance(module, SpikingNeuron | MultiSpike)]
    x = system.data(device, COMPARED)[0]
    with exact():
        twin = twins.on_spikingjelly(model)
        twins.forget(twin)
        mine, answers, gradients = outcome(model, names, x)
        other, their_answers, their_gradients = outcome(twin, names, x)
    cells = sum(spikes.numel() for spikes in mine.values())
    differing = sum(int((mine[name] != other[name]).sum()) for name in names)
    apart = float((gradients - their_gradients).norm() / gradients.norm())
    found = {
        "neuron_layers": len(names),
        "spikes": sum(int((spikes != 0).sum()) for spikes in mine.values()) / cells,
        "spikes_differing": differing / cells,
        "answers_difference": float((answers - their_answers).abs().max()),
        "answers_largest": float(answers.abs().max()),
        "gradient_difference": apart,
    }
    close = found["spikes_differing"] <= SPIKES_APART and apart <= GRADIENTS_APART
    return found | {"passed": bool(close and 0 < found["spikes"] < 1)}


def summary(one: Contestant) -> dict[str, Any]:
    """Return what one contestant came to."""
    if one.problem or not one.seconds:
        return {"name": one.name, "left_out": one.problem or "it took no turn", **one.facts}
    rate = Spread.of([1 / seconds for seconds in one.seconds])
    return {"name": one.name, "samples_per_second": rate.as_dict(), "peak_bytes": one.peak, **one.facts}


def raced(everyone: Sequence[Contestant], rounds: int, least: float) -> dict[str, Any]:
    """Return everyone's speed and memory, and the first one's speed in times of the last one's, round by round."""
    for one in everyone:
        one.prepare()
    interleave(everyone, rounds, least)
    found: dict[str, Any] = {"contestants": [summary(one) for one in everyone]}
    if len(everyone) > 1 and not any(one.problem for one in everyone):
        found["times_as_fast"] = Spread.of(ratios(everyone[-1].seconds, everyone[0].seconds)).as_dict()
    for one in everyone:
        one.drop()
    return found


def measured(system: System, device: str, release: str, rounds: int, least: float) -> dict[str, Any]:
    """Return correctness and figures of one system."""
    facts = {"shape": list(system.shape), "steps": system.steps, "batch": system.batch}
    if not release:
        return facts | raced([ours(system, device)], rounds, least)
    found = facts | {"agreement": agreement(system, device)}
    return found | raced([ours(system, device), theirs(system, device, release)], rounds, least)


def memory(system: System, groups: int, device: str, rounds: int, least: float) -> dict[str, Any]:
    """Return the peaks of BPTT and of STDL in so many groups under its default budget, and the share of the latter."""
    everyone = [ours(system, device, BpttSettings(), "BPTT"), ours(system, device, StdlSettings(groups), "STDL")]
    found = {"shape": list(system.shape), "steps": system.steps, "batch": system.batch, "groups": groups}
    found |= raced(everyone, rounds, least)
    if not any(one.problem for one in everyone):
        found["share_of_memory"] = everyone[1].peak / everyone[0].peak
    return found


def goals(systems: dict[str, Any], local: dict[str, Any]) -> list[dict[str, Any]]:
    """Return of each goal what was found, and whether it was met; None where it was not measured."""
    lines = []
    for name, found in systems.items():
        ratio = found.get("times_as_fast", {}).get("median")
        met = None if ratio is None else ratio >= FASTER
        lines.append({"what": f"{name}: speed, spikingjelly = 1", "found": ratio, "goal": f">= {FASTER}", "met": met})
    share = local.get("share_of_memory")
    met = None if share is None else share <= SHARE
    lines.append(
        {"what": "ResNet-34, T = 4: memory of STDL, BPTT = 1", "found": share, "goal": f"<= {SHARE}", "met": met}
    )
    return lines


def table(systems: dict[str, Any]) -> Iterator[str]:
    """Yield the lines that a reader sees: samples are clips, or images where there is one step."""
    yield f"{'system':28} {'who':14} {'samples/s':>12} {'peak MiB':>10}"
    for name, found in systems.items():
        for row in found["contestants"]:
            if "left_out" in row:
                yield f"{name:28} {row['name']:14} left out: {row['left_out']}"
                continue
            rate, peak = row["samples_per_second"]["median"], row["peak_bytes"] / 2**20
            yield f"{name:28} {row['name']:14} {rate:12,.1f} {peak:10,.0f}"


def versions() -> dict[str, str]:
    """Return the versions of what computes."""
    found = {"python": platform.python_version(), "cuda": torch.version.cuda or ""}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def report_of(device: str, rounds: int, *, tiny: bool, peer: bool) -> dict[str, Any]:
    """Return the whole document."""
    release = twins.find_spikingjelly(click.echo, install=not tiny) if peer else ""
    least = 0.0 if tiny else LEAST
    systems = {
        name: measured(system, device, release, rounds, least) for name, system in (TINY if tiny else SYSTEMS).items()
    }
    network, groups = (TINY_LOCAL, TINY_GROUPS) if tiny else (LOCAL, GROUPS)
    local = memory(network, groups, device, rounds, least)
    title = torch.cuda.get_device_name() if device == "cuda" else platform.processor() or platform.machine()
    return {
        "schema": 1,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": title,
        "tiny": tiny,
        "versions": versions(),
        "systems": systems,
        "local": local,
        "goals": goals(systems, local),
    }


@click.command()
@click.option("-o", "--output", default=Path("gpu-systems.json"), show_default=True, type=click.Path(path_type=Path))
@click.option("--device", type=click.Choice(("cuda", "cpu")), default="cuda", show_default=True)
@click.option("--tiny", is_flag=True, help="Small networks and one round, to test the script.")
@click.option("--rounds", default=ROUNDS, show_default=True, type=click.IntRange(1))
@click.option("--peer/--no-peer", default=True, show_default=True, help="Whether SpikingJelly takes part.")
def main(output: Path, device: str, tiny: bool, rounds: int, peer: bool) -> None:
    """Hold the trained systems against SpikingJelly's layers, and STDL's memory against BPTT's."""
    if device == "cuda" and not torch.cuda.is_available():
        click.echo("not run: no GPU")
        raise click.exceptions.Exit(2)
    report = report_of(device, 1 if tiny else rounds, tiny=tiny, peer=peer)
    with replacing(output) as temporary:
        temporary.write_text(json.dumps(report, indent=1) + "\n")
    for line in table({**report["systems"], "ResNet-34, 224 px": report["local"]}):
        click.echo(line)
    for goal in report["goals"]:
        verdict = {None: "not measured", True: "met", False: "NOT MET"}[goal["met"]]
        found = "" if goal["met"] is None else f"{goal['found']:.2f}: "
        click.echo(f"{goal['what']}, goal {goal['goal']}: {found}{'void' if tiny else verdict}")
    failed = [name for name, found in report["systems"].items() if not found.get("agreement", {"passed": 1})["passed"]]
    for name in failed:
        click.echo(f"{name}: DIFFERS from SpikingJelly's: {report['systems'][name]['agreement']}")
    if failed:
        raise click.exceptions.Exit(1)


if __name__ == "__main__":
    main()

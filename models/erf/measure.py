"""The gradients that receptive fields are made of, for any torch module."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from neurodeploy.errors import UsageError
from neurodeploy.models.convnet import evaluating
from neurodeploy.models.erf.scalars import ReceptiveField
from neurodeploy.models.neuron import Lif
from neurodeploy.models.spiking.layer import MultiSpike, SpikingNeuron
from neurodeploy.models.spiking.normalized import NormalizedNeuron
from neurodeploy.models.tables import nearest

_NEURONS = (SpikingNeuron, NormalizedNeuron, MultiSpike, Lif)

#: One place of an output, ``centre``, or ``all`` of them at once.
Site = tuple[int, int] | Literal["centre", "all"]


def default_layers(model: nn.Module) -> list[str]:
    """Return the stages of ``model``, else its spiking layers, else its output alone (the empty name)."""
    stages = list(getattr(model, "stages", {}))
    return stages or [name for name, module in model.named_modules() if isinstance(module, _NEURONS)] or [""]


def layer_of(model: nn.Module, name: str) -> nn.Module:
    """Return the stage or module of that name; the empty name is the whole. Raises :class:`UsageError`."""
    stages = getattr(model, "stages", {})
    modules = dict(model.named_modules())
    if name not in stages and name not in modules:
        known = [*stages, *(one for one in modules if one)]
        raise UsageError(f"layer {name!r}", f"is none of this {type(model).__name__}", nearest(name, known))
    found: nn.Module = stages[name] if name in stages else modules[name]
    return found


@contextmanager
def _listening(model: nn.Module, layers: Iterable[str]) -> Iterator[dict[str, Tensor]]:
    """Yield layer -> its output of the last forward pass, which layers behind it cannot change in place."""
    heard: dict[str, Tensor] = {}

    def hook(name: str) -> Callable[[nn.Module, Any, Tensor], Tensor]:
        def keep(_module: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
            if not isinstance(output, Tensor):
                raise UsageError(f"layer {name!r}", f"puts out a {type(output).__name__}", "name one with one tensor")
            heard[name] = output
            return output.clone()

        return keep

    handles = [layer_of(model, name).register_forward_hook(hook(name)) for name in layers]
    try:
        yield heard
    finally:
        for handle in handles:
            handle.remove()


def gradients(
    model: nn.Module, x: Tensor, layers: Sequence[str] = ("",), site: Site = "centre", step: int = -1
) -> dict[str, tuple[Tensor, Tensor]]:
    """Return, by layer, the signed gradient of its output by the input, and that output, in evaluation mode.

    ``x`` is [T, B, C, H, W], or [B, C, H, W] for a network of images. The output's channels at ``site`` and ``step``
    are summed. Outputs are [T, B, C, H, W], [T, B, features], or either with T and B merged; they are returned as
    [T, B, ...], and gradients as [T, B, C, H, W] (T = 1 for images). Raises :class:`UsageError` where a layer did not
    run, or where site or step lie outside.
    """
    timed = x.ndim == 5
    x = x.detach().clone().requires_grad_()
    with torch.enable_grad(), evaluating(model), _listening(model, layers) as heard:
        model(x)
        found = {}
        for name in layers:
            if name not in heard:
                raise UsageError(f"layer {name!r}", "did not run", "name one that the network uses")
            output = _with_time(name, heard[name], x)
            (grad,) = torch.autograd.grad(_at(name, output, site, step), x, retain_graph=True, allow_unused=True)
            grad = torch.zeros_like(x) if grad is None else grad
            found[name] = (grad if timed else grad.unsqueeze(0), output.detach())
    return found


def st_erf(
    model: nn.Module,
    inputs: Iterable[Tensor],
    layers: Sequence[str] = ("",),
    site: Site = "centre",
    step: int = -1,
) -> list[ReceptiveField]:
    """Return the receptive field of each layer, averaged over ``inputs`` as :func:`gradients` takes them.

    ``site`` "all" gives the temporal field of the literature, the sum over all places of the output. Raises
    :class:`UsageError` as :func:`gradients` does, and where there are no inputs.
    """
    sums: dict[str, np.ndarray[Any, Any]] = {}
    outputs: dict[str, Tensor] = {}
    runs = 0
    for x in inputs:
        runs += 1
        for name, (grad, output) in gradients(model, x, layers, site, step).items():
            energy = grad.abs().mean((1, 2)).double().cpu().numpy()
            sums[name] = sums[name] + energy if name in sums else energy
            outputs[name] = output
    if not runs:
        raise UsageError("inputs", "hold no sample", "give at least one")
    return [_field(name, sums[name] / runs, outputs[name], site, step) for name in layers]


def noise(shape: Sequence[int], runs: int, seed: int = 0, *, still: bool = False) -> Iterator[Tensor]:
    """Yield ``runs`` inputs of ``shape`` from a normal distribution; ``still`` ones are the same at every step."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(runs):
        if still:
            yield torch.randn((1, *shape[1:]), generator=generator).expand(*shape)
        else:
            yield torch.randn(tuple(shape), generator=generator)


def _with_time(name: str, output: Tensor, x: Tensor) -> Tensor:
    if x.ndim == 4:
        return output.unsqueeze(0)
    if output.shape[:2] == x.shape[:2]:
        return output
    if output.shape[0] == x.shape[0] * x.shape[1]:
        return output.reshape(*x.shape[:2], *output.shape[1:])
    problem = f"puts out {tuple(output.shape)} for {x.shape[0]} steps of {x.shape[1]} samples"
    raise UsageError(f"layer {name!r}", problem, "name one whose output keeps steps and samples")


def _at(name: str, output: Tensor, site: Site, step: int) -> Tensor:
    """Return the sum of what is looked at."""
    if not -len(output) <= step < len(output):
        raise UsageError(
            f"step {step}", f"is none of the {len(output)} of layer {name!r}", "count from 0, or back from -1"
        )
    chosen = output[step]
    place = _place(name, output, site)
    return (chosen if place is None else chosen[..., place[0], place[1]]).sum()


def _place(name: str, output: Tensor, site: Site) -> tuple[int, int] | None:
    if output.ndim < 5 or site == "all":
        return None
    rows, columns = output.shape[-2:]
    row, column = (rows // 2, columns // 2) if site == "centre" else site
    if not (0 <= row < rows and 0 <= column < columns):
        raise UsageError(f"site {row},{column}", f"is outside the {rows} x {columns} of layer {name!r}", "count from 0")
    return row, column


def _field(name: str, energy: Any, output: Tensor, site: Site, step: int) -> ReceptiveField:
    place = _place(name, output, site)
    grid = (output.shape[-2], output.shape[-1]) if output.ndim >= 5 else None
    return ReceptiveField(name, energy, step % len(output), place, grid)

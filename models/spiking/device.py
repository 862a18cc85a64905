"""Spiking neurons over a whole sequence as one autograd node on a GPU, by the Triton kernels.

As on a CPU one tensor is kept for the backward pass, in the dtype of the input.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from neurodeploy.models.spiking.dynamics import RESETS, SURROGATES, Dynamics
from neurodeploy.models.spiking.fused import as_laid_out, dense, step_like

#: Neurons of a program: 16 bytes of float32 for each of its threads.
BLOCK, _WARPS = 512, 4
DTYPES = (torch.float32, torch.bfloat16, torch.float16)


@cache
def has_triton() -> bool:
    """Return whether Triton is installed."""
    return find_spec("triton") is not None


def sequence(dynamics: Dynamics, x: Tensor, v: Tensor, factor: Tensor, threshold: Tensor) -> tuple[Tensor, Tensor]:
    """Return the spikes [T, ...] of input ``x`` [T, ...] from the potential ``v`` [...], and the last potential.

    ``factor`` and ``threshold`` are 0-dimensional and may be trained; one that lies on the device is waited for. The
    memory layout of ``x`` is kept. float32, bfloat16 or float16, computed in float32.
    """
    spikes, last = _Sequence.apply(x, v, factor, threshold, dynamics)  # type: ignore[no-untyped-call]
    return spikes, last


class _Sequence(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, v: Tensor, factor: Tensor, threshold: Tensor, dynamics: Dynamics
    ) -> tuple[Tensor, Tensor]:
        from neurodeploy.models.spiking import triton_kernels

        x = dense(x)
        wanted = any(ctx.needs_input_grad)
        spikes, start, last = torch.empty_like(x), step_like(x).copy_(v), step_like(x)
        kept = torch.empty_like(x) if wanted else x
        constants, kinds = _constants(dynamics, factor, threshold)
        neurons = x[0].numel()
        flat = [_flat(t) for t in (x, start, kept, spikes, last)]
        with _on(x):
            triton_kernels.forward[(_programs(neurons),)](
                *flat, *constants[:3], len(x), neurons, *kinds, KEEP=wanted, BLOCK=BLOCK, **_options()
            )
        if wanted:
            ctx.save_for_backward(kept, start if ctx.needs_input_grad[2] else x.new_zeros(()), factor, threshold)
        ctx.dynamics = dynamics
        return spikes, last

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_s: Tensor, grad_v: Tensor) -> tuple[Tensor | None, ...]:
        from neurodeploy.models.spiking import triton_kernels

        kept, v, factor, threshold = ctx.saved_tensors
        dynamics: Dynamics = ctx.dynamics
        needed = ctx.needs_input_grad
        trained = needed[2] or needed[3]
        constants, kinds = _constants(dynamics, factor, threshold)
        neurons = kept[0].numel()
        programs = _programs(neurons)
        totals = torch.zeros(2, programs if trained else 1, dtype=torch.float32, device=kept.device)
        grad_x, into_v = torch.empty_like(kept), step_like(kept)
        given_v = step_like(kept).copy_(grad_v)
        start = v if v.ndim else given_v
        flat = [_flat(t) for t in (kept, start, as_laid_out(grad_s, kept), given_v, grad_x, into_v)]
        kinds = (*kinds, SURROGATES.index(dynamics.surrogate), not dynamics.detach_reset, trained)
        with _on(kept):
            triton_kernels.backward[(programs,)](
                *flat, totals, *constants[1:], len(kept), neurons, *kinds, BLOCK=BLOCK, **_options()
            )
        sums = totals.sum(1)
        parameters = [
            sums[k].to(p.device, p.dtype) if needed[2 + k] else None for k, p in enumerate((factor, threshold))
        ]
        return grad_x, into_v if needed[1] else None, *parameters, None


def _constants(dynamics: Dynamics, factor: Tensor, threshold: Tensor) -> tuple[tuple[float, ...], tuple[Any, ...]]:
    """Return the numbers that kernels take, in the order of :mod:`kinds`, and charge, strict and reset."""
    from neurodeploy.models.spiking.kinds import charge_of, constants

    value = factor.item()
    numbers = constants(dynamics, value, threshold.item())
    return numbers, (charge_of(dynamics, value), dynamics.strict, RESETS.index(dynamics.reset))


def _options() -> dict[str, Any]:
    return {"num_warps": _WARPS, "enable_fp_fusion": False}


def _programs(neurons: int) -> int:
    return max(1, -(-neurons // BLOCK))


def _flat(x: Tensor) -> Tensor:
    """Return the memory of a dense tensor as one dimension."""
    return x.detach().as_strided((x.numel(),), (1,))


def _on(x: Tensor) -> Any:
    """Return the context in which kernels start on the device of ``x``."""
    return torch.cuda.device_of(x)  # type: ignore[no-untyped-call]

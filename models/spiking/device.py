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


def takes(x: Tensor) -> bool:
    """Return whether the kernels here compute neurons on the input ``x``."""
    return x.device.type == "cuda" and x.dtype in DTYPES and bool(x.numel()) and has_triton()


def sequence(
    dynamics: Dynamics, x: Tensor, v: Tensor | None, factor: Tensor, threshold: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the spikes [T, ...] of input ``x`` [T, ...] from potential 0 or ``v`` [...], and the last potential.

    ``factor`` and ``threshold`` are 0-dimensional and may be trained; one that lies on the device is waited for. The
    memory layout of ``x`` is kept. float32, bfloat16 or float16, computed in float32.
    """
    spikes, last = _Sequence.apply(x, v, factor, threshold, dynamics)  # type: ignore[no-untyped-call]
    return spikes, last


class _Sequence(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, v: Tensor | None, factor: Tensor, threshold: Tensor, dynamics: Dynamics
    ) -> tuple[Tensor, Tensor]:
        from neurodeploy.models.spiking import triton_kernels

        x = dense(x)
        wanted = any(ctx.needs_input_grad)
        spikes, last = torch.empty_like(x), step_like(x)
        start = last if v is None else step_like(x).copy_(v)
        kept = torch.empty_like(x) if wanted else x
        constants, kinds = _constants(dynamics, factor, threshold)
        neurons = x[0].numel()
        flat = [_flat(t) for t in (x, start, kept, spikes, last)]
        with _on(x):
            triton_kernels.forward[(_programs(neurons),)](
                *flat,
                *constants[:3],
                len(x),
                neurons,
                *kinds,
                KEEP=wanted,
                START=v is not None,
                BLOCK=BLOCK,
                **_options(),
            )
        if wanted:
            # The first potential is needed for the gradient of the factor alone.
            ctx.save_for_backward(kept, start if v is not None and ctx.needs_input_grad[2] else None, factor, threshold)
        ctx.dynamics = dynamics
        ctx.set_materialize_grads(False)  # the last potential's is mostly nobody's
        return spikes, last

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_s: Tensor | None, grad_v: Tensor | None) -> tuple[Tensor | None, ...]:
        from neurodeploy.models.spiking import triton_kernels

        kept, v, factor, threshold = ctx.saved_tensors
        dynamics: Dynamics = ctx.dynamics
        needed = ctx.needs_input_grad
        trained = needed[2] or needed[3]
        constants, kinds = _constants(dynamics, factor, threshold)
        neurons = kept[0].numel()
        programs = _programs(neurons)
        totals = torch.zeros(2, programs if trained else 1, dtype=torch.float32, device=kept.device)
        grad_x = torch.empty_like(kept)
        given_s = torch.zeros_like(kept) if grad_s is None else as_laid_out(grad_s, kept)
        given_v = grad_x if grad_v is None else step_like(kept).copy_(grad_v)
        into_v = step_like(kept) if needed[1] else grad_x
        flat = [_flat(t) for t in (kept, grad_x if v is None else v, given_s, given_v, grad_x, into_v)]
        flags = {"START": v is not None, "GIVEN": grad_v is not None, "INTO": needed[1]}
        kinds = (*kinds, SURROGATES.index(dynamics.surrogate), not dynamics.detach_reset, trained)
        with _on(kept):
            triton_kernels.backward[(programs,)](
                *flat, totals, *constants[1:], len(kept), neurons, *kinds, **flags, BLOCK=BLOCK, **_options()
            )
        sums = totals.sum(1)
        parameters = [
            sums[k].to(p.device, p.dtype) if needed[2 + k] else None for k, p in enumerate((factor, threshold))
        ]
        return grad_x, into_v if needed[1] else None, *parameters, None


def rounded(x: Tensor, most: int, norm: float) -> Tensor:
    """Return ``round(clamp(x, 0, most)) / norm``, half to even, with the gradient of :class:`MultiSpike`.

    Its memory layout is that of ``x`` [T, ...]; for the backward pass a byte a value is kept. ``most`` is below 2^22.
    """
    result: Tensor = _Rounded.apply(x, float(most), norm)  # type: ignore[no-untyped-call]
    return result


class _Rounded(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, most: float, norm: float) -> Tensor:
        from neurodeploy.models.spiking import triton_kernels

        x = dense(x)
        wanted = ctx.needs_input_grad[0]
        y, within = torch.empty_like(x), torch.empty_like(x, dtype=torch.uint8) if wanted else x
        flat = [_flat(t) for t in (x, y, within)]
        with _on(x):
            triton_kernels.round_forward[(_programs(x.numel()),)](
                *flat, most, norm, x.numel(), KEEP=wanted, BLOCK=BLOCK, **_options()
            )
        if wanted:
            ctx.save_for_backward(within)
        ctx.norm, ctx.dtype = norm, x.dtype
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        from neurodeploy.models.spiking import triton_kernels

        (within,) = ctx.saved_tensors
        grad_x = torch.empty_like(within, dtype=ctx.dtype)
        flat = [_flat(t) for t in (within, as_laid_out(grad, grad_x), grad_x)]
        with _on(grad):
            triton_kernels.round_backward[(_programs(within.numel()),)](
                *flat, ctx.norm, within.numel(), BLOCK=BLOCK, **_options()
            )
        return grad_x, None, None


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

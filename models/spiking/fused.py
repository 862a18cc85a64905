"""Spiking neurons over a whole sequence as one autograd node, by the fused kernels.

Beside the spikes that it returns, one tensor is kept for the backward pass: the charged potentials, from which spikes
and slopes are computed again.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from neurodeploy.models.spiking.dynamics import Dynamics

if TYPE_CHECKING:
    from neurodeploy.models.spiking.kernels import Kernels

#: Below this many values a second thread costs more than it saves.
_VALUES_PER_THREAD = 1 << 17

Array = npt.NDArray[Any]
_Result = TypeVar("_Result")


def sequence(dynamics: Dynamics, x: Tensor, v: Tensor, factor: Tensor, threshold: Tensor) -> tuple[Tensor, Tensor]:
    """Return the spikes [T, ...] of input ``x`` [T, ...] from the potential ``v`` [...], and the last potential.

    ``factor`` and ``threshold`` are 0-dimensional and may be trained. The memory layout of ``x`` is kept, whatever its
    order of dimensions within a step. float32 or float64.
    """
    spikes, last = _Sequence.apply(x, v, factor, threshold, dynamics)  # type: ignore[no-untyped-call]
    return spikes, last


class _Sequence(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, v: Tensor, factor: Tensor, threshold: Tensor, dynamics: Dynamics
    ) -> tuple[Tensor, Tensor]:
        x = dense(x)
        spikes, last = torch.empty_like(x), _like_step(v, x)
        wanted = any(ctx.needs_input_grad)
        u = torch.empty_like(x) if wanted else x[:0]
        values = rows(x)
        run, c = _compiled(dynamics, factor, threshold, values.dtype)
        arrays = (values, row(last, x), rows(u) if wanted else values[:0], rows(spikes))
        in_pieces(values.size, values.shape[1], lambda a, b: run.forward(c, *arrays, a, b))
        if wanted:
            # The first potential is needed for the gradient of the factor alone.
            ctx.save_for_backward(u, v if ctx.needs_input_grad[2] else x.new_zeros(()), factor, threshold)
        ctx.dynamics = dynamics
        return spikes, last

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_s: Tensor, grad_v: Tensor) -> tuple[Tensor | None, ...]:
        u, v, factor, threshold = ctx.saved_tensors
        dynamics: Dynamics = ctx.dynamics
        grad_x, grad_s, into_v = torch.empty_like(u), as_laid_out(grad_s, u), _like_step(grad_v, u)
        values = rows(u)
        run, c = _compiled(dynamics, factor, threshold, values.dtype)
        needed = ctx.needs_input_grad
        trained = needed[2] or needed[3]
        start = row(_like_step(v, u), u) if needed[2] else np.zeros(values.shape[1], values.dtype)
        arrays = (values, start, rows(grad_s), row(into_v, u), rows(grad_x))

        def piece(first: int, last: int) -> Array:
            totals = np.zeros(2 if trained else 0)
            run.backward(c, *arrays, totals, first, last)
            return totals

        parts = in_pieces(values.size, values.shape[1], piece)
        parameters = [factor.new_tensor(sum(p[k] for p in parts)) if needed[2 + k] else None for k in range(2)]
        return grad_x, into_v if needed[1] else None, *parameters, None


def _compiled(dynamics: Dynamics, factor: Tensor, threshold: Tensor, dtype: npt.DTypeLike) -> tuple[Kernels, Array]:
    """Return the loops and their constants."""
    from neurodeploy.models.spiking.kernels import constants, kernels

    value = factor.item()
    return kernels(dynamics, value), constants(dynamics, value, threshold.item(), dtype)


def dense(x: Tensor) -> Tensor:
    """Return ``x`` as it is where its steps follow each other and each is dense, else a copy."""
    return x if _step_strides(x) is not None else x.contiguous()


def _step_strides(x: Tensor) -> tuple[int, ...] | None:
    """Return the strides within a step where a step is dense in some order and steps follow each other."""
    size = x[0].numel() if len(x) else 0
    ordered = sorted((stride, n) for stride, n in zip(x.stride()[1:], x.shape[1:], strict=True) if n > 1)
    expected = 1
    for stride, n in ordered:
        if stride != expected:
            return None
        expected *= n
    return x.stride()[1:] if len(x) <= 1 or x.stride(0) == size else None


def rows(x: Tensor) -> Array:
    """Return the memory of a dense ``x`` [T, ...] as an array [T, N]; it is shared, not copied."""
    flat = x.detach().as_strided((len(x), x[0].numel()), (x[0].numel(), 1))
    return flat.numpy()


def row(step: Tensor, x: Tensor) -> Array:
    """Return the memory of a step laid out as those of ``x``."""
    return step.detach().as_strided((x[0].numel(),), (1,)).numpy()


def step_like(x: Tensor) -> Tensor:
    """Return an uninitialised step laid out as those of ``x``."""
    return torch.empty_strided(x.shape[1:], x.stride()[1:], dtype=x.dtype, device=x.device)


def _like_step(values: Tensor, x: Tensor) -> Tensor:
    """Return a copy of ``values`` [...] in the memory layout of a step of ``x``."""
    return step_like(x).copy_(values)


def as_laid_out(values: Tensor, x: Tensor) -> Tensor:
    """Return ``values`` in the memory layout of ``x``."""
    if values.stride() == x.stride():
        return values
    return torch.empty_strided(x.shape, x.stride(), dtype=x.dtype, device=x.device).copy_(values)


def in_pieces(values: int, neurons: int, run: Callable[[int, int], _Result]) -> list[_Result]:
    """Return what ``run`` returns on parts of the neurons, on as many of torch's threads as are worth it."""
    threads = max(1, min(torch.get_num_threads(), values // _VALUES_PER_THREAD))
    edges = [neurons * k // threads for k in range(threads + 1)]
    if threads == 1:
        return [run(0, neurons)]
    others = [_pool().submit(run, first, last) for first, last in pairwise(edges[:-1])]
    own = run(edges[-2], edges[-1])
    return [*(other.result() for other in others), own]


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(thread_name_prefix="spiking")

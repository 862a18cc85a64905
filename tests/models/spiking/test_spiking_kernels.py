"""The fused kernels against the reference: bits of spikes and potentials, gradients to rounding, any memory layout."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from neurodeploy.models.spiking import fused, reference
from neurodeploy.models.spiking.dynamics import (
    Dynamics,
    membrane_shortcut_lif,
    non_stateful,
    soft_reset_lif,
    spikingjelly_lif,
)

#: Every charge, firing rule, reset, surrogate and both ways through the reset at least once; each costs a compilation.
MODELS = {
    "sj": spikingjelly_lif(),
    "sj through its reset": replace(spikingjelly_lif(3.0), detach_reset=False),
    "ms": membrane_shortcut_lif(),
    "soft": soft_reset_lif(),
    "sigmoid, soft, detached": Dynamics("decay", 0.8, 0.7, True, "subtract", surrogate="sigmoid", width=4.0),
    "no reset": Dynamics("decay", 0.5, 1.0, reset="none"),
    "memoryless": non_stateful(spikingjelly_lif()),
}


def run(how, dynamics, x, dtype=torch.float32):
    """Return spikes, last potential, and gradients of input, first potential, factor and threshold."""
    x = x.to(dtype).detach().requires_grad_()
    v = torch.linspace(0, 0.9, x[0].numel(), dtype=dtype).reshape(x[0].shape).requires_grad_()
    factor, threshold = (
        torch.tensor(c, dtype=dtype, requires_grad=True) for c in (dynamics.factor, dynamics.threshold)
    )
    s, last = how.sequence(dynamics, x, v, factor, threshold)
    weights = torch.arange(s.numel(), dtype=dtype).reshape(s.shape).sin()
    total = (s * weights).sum() + (last * weights[0]).sum()
    return s, last, torch.autograd.grad(total, [x, v, factor, threshold], allow_unused=True)


def currents(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * 1.2 + 0.3


@pytest.mark.parametrize("dynamics", MODELS.values(), ids=MODELS)
def test_fused_equals_the_reference(dynamics):
    x = currents(7, 3, 4, 5, 6)
    (s, last, found), (s0, last0, expected) = run(fused, dynamics, x), run(reference, dynamics, x)
    assert 0.02 < s.mean() < 0.9
    assert torch.equal(s, s0)
    assert torch.equal(last, last0)
    for one, other, slack in zip(found, expected, (1e-6, 1e-6, 1e-4, 1e-4), strict=True):
        other = torch.zeros_like(one) if other is None else other  # autograd's word for a gradient of 0
        torch.testing.assert_close(one, other, rtol=slack, atol=slack)


def test_gradients_in_double_precision_are_autograds():
    x = currents(9, 40, seed=1)
    for dynamics in (spikingjelly_lif(), soft_reset_lif()):
        found, expected = (run(how, dynamics, x, torch.float64)[2] for how in (fused, reference))
        for one, other in zip(found, expected, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4), (0, 1, 3, 4, 2), (0, 4, 3, 2, 1), (1, 0, 2, 3, 4)])
def test_memory_layout_is_kept_and_changes_nothing(order):
    x = currents(5, 2, 8, 4, 3)
    inverse = [order.index(k) for k in range(5)]
    laid_out = x.permute(order).contiguous().permute(inverse)
    (s, last, found), (s0, last0, expected) = (run(fused, MODELS["sj"], part) for part in (laid_out, x))
    assert torch.equal(s, s0)
    assert torch.equal(last, last0)
    assert torch.equal(found[0], expected[0])
    if order[0] == 0:
        assert s.stride() == laid_out.stride()


def test_a_gradient_in_another_layout_is_the_same():
    x = currents(5, 2, 8, 4, 3).requires_grad_()
    constants = torch.tensor(2.0), torch.tensor(1.0)
    s, _ = fused.sequence(MODELS["sj"], x, torch.zeros_like(x[0]), *constants)
    weights = currents(5, 2, 8, 4, 3, seed=4)
    (plain,) = torch.autograd.grad(s, x, weights, retain_graph=True)
    (turned,) = torch.autograd.grad(s, x, weights.transpose(2, 4).contiguous().transpose(2, 4))
    assert torch.equal(plain, turned)


def test_threads_change_nothing(monkeypatch):
    monkeypatch.setattr(fused, "_VALUES_PER_THREAD", 64)
    x, before = currents(6, 3, 1500), torch.get_num_threads()
    results = []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            results.append(run(fused, MODELS["soft"], x))
    finally:
        torch.set_num_threads(before)
    (s, last, found), (s0, last0, expected) = results
    assert torch.equal(s, s0)
    assert torch.equal(last, last0)
    for one, other in zip(found[:2], expected[:2], strict=True):
        assert torch.equal(one, other)


def test_one_tensor_is_kept_for_the_backward_pass():
    kept = []
    x = currents(8, 2, 30).requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        fused.sequence(MODELS["sj"], x, torch.zeros(2, 30), torch.tensor(2.0), torch.tensor(1.0))
    assert [t.numel() for t in kept if t.numel() > 1] == [x.numel()]


def test_without_gradients_nothing_is_kept():
    x = currents(8, 2, 30)
    s, last = fused.sequence(MODELS["sj"], x, torch.zeros(2, 30), torch.tensor(2.0), torch.tensor(1.0))
    s0, last0, _ = run(reference, MODELS["sj"], x)
    assert s.grad_fn is None
    assert s.shape == s0.shape
    assert last.shape == last0.shape

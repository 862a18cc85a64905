from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from neurodeploy.models.neuron import RESETS, Lif


def currents(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * 0.8 + 0.3


def stream(lif: Lif, x: Tensor) -> Tensor:
    v, spikes = torch.zeros_like(x[0]), []
    for current in x:
        s, v = lif.step(current, v)
        spikes.append(s)
    return torch.stack(spikes)


def reference(x: np.ndarray, beta: float, threshold: float, reset: str) -> np.ndarray:
    v, spikes = np.zeros_like(x[0]), []
    for current in x:
        v = np.float32(beta) * v + current
        s = v > np.float32(threshold)
        v = {"zero": np.where(s, np.float32(0), v), "subtract": v - s * np.float32(threshold), "none": v}[reset]
        spikes.append(s)
    return np.stack(spikes).astype(np.float32)


@pytest.mark.parametrize("reset", RESETS)
def test_forward_repeats_the_equations_of_its_docstring_bit_for_bit(reset: str) -> None:
    x = currents(20, 3, 5, 7)
    spikes = Lif(0.83, 0.9, reset)(x)
    assert 0.1 < spikes.mean() < 0.9
    np.testing.assert_array_equal(spikes.numpy(), reference(x.numpy(), 0.83, 0.9, reset))


@pytest.mark.parametrize("shape", [(11, 2, 3), (6, 1, 4, 5, 7), (1, 2)])
@pytest.mark.parametrize("reset", RESETS)
def test_streaming_equals_the_whole_sequence_bit_for_bit(reset: str, shape: tuple[int, ...]) -> None:
    lif, x = Lif(0.9, 1.0, reset), currents(*shape, seed=1)
    assert torch.equal(stream(lif, x), lif(x))


def test_memory_layout_changes_nothing() -> None:
    x = currents(5, 2, 8, 4, 4)
    last = x.permute(0, 1, 3, 4, 2).contiguous().permute(0, 1, 4, 2, 3)
    assert torch.equal(Lif()(x), Lif()(last))


def gradients(run: Callable[[Tensor], Tensor], lif: Lif, x: Tensor) -> tuple[Tensor, ...]:
    x = x.clone().requires_grad_()
    weights = currents(*x.shape, seed=7).to(x.dtype)
    return torch.autograd.grad((run(x) * weights).sum(), [x, *lif.parameters()])


@pytest.mark.parametrize("learn_beta", [False, True])
@pytest.mark.parametrize("reset", RESETS)
def test_gradient_equals_plain_autograd(reset: str, learn_beta: bool) -> None:
    lif, x = Lif(0.85, 1.0, reset, learn_beta=learn_beta), currents(16, 4, 6, 5, seed=2)
    own, plain = gradients(lif, lif, x), gradients(lambda x: stream(lif, x), lif, x)
    assert len(own) == 1 + learn_beta
    for a, b in zip(own, plain, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-6)


def test_a_potential_equal_to_the_threshold_does_not_fire() -> None:
    lif = Lif(1.0, 1.0)
    assert lif(torch.tensor([[0.5], [0.5], [0.25]])).flatten().tolist() == [0.0, 0.0, 1.0]


@pytest.mark.parametrize(("reset", "expected"), [("zero", [1, 0, 0]), ("subtract", [1, 1, 0]), ("none", [1, 1, 1])])
def test_the_resets_differ_after_a_large_input(reset: str, expected: list[float]) -> None:
    assert Lif(1.0, 1.0, reset)(torch.tensor([[2.5], [0.0], [0.0]])).flatten().tolist() == expected


def test_backward_keeps_one_array() -> None:
    kept: list[Tensor] = []

    def pack(tensor: Tensor) -> Tensor:
        kept.append(tensor)
        return tensor

    x = currents(8, 2, 3).requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        spikes = Lif()(x)
    large = [t for t in kept if t.numel() > 1]
    assert [t.numel() for t in large] == [x.numel()]
    assert spikes.data_ptr() not in {t.data_ptr() for t in large}


@pytest.mark.parametrize("learn_beta", [False, True])
def test_decay_and_threshold_are_plain_float_tensors(learn_beta: bool) -> None:
    lif = Lif(0.75, 1.5, learn_beta=learn_beta)
    assert (lif.beta.shape, lif.beta.dtype) == (torch.Size(()), torch.float32)
    assert lif.beta.item() == pytest.approx(0.75, abs=1e-7)
    assert lif.threshold.item() == 1.5
    assert "beta=0.75" in repr(lif)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reset": "soft"}, "'soft' is none of zero, subtract, none"),
        ({"beta": 1.5}, "beta 1.5 is outside 0 to 1"),
        ({"beta": 1.0, "learn_beta": True}, "without its ends"),
        ({"threshold": float("nan")}, "not finite"),
    ],
)
def test_wrong_parameters_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Lif(**options)

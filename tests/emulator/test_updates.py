"""The vectors of the update, by every way to a decay that this processor has, held against the golden neuron."""

from __future__ import annotations

import numpy as np
import pytest

from neurodeploy import neuron
from neurodeploy.fixedpoint import STATE_LIMIT
from neurodeploy.neurons import Lif
from neurodeploy.targets.emulator import vectors
from neurodeploy.targets.emulator.jit import njit, processor_features
from neurodeploy.targets.emulator.pointers import pointer
from neurodeploy.targets.emulator.rows import OPTIONS

LIMIT = STATE_LIMIT - 1
#: Values around which sign, rounding and the halves of a word meet.
EDGES = [0, 1, 63, 64, 4095, 4096, 4097, 8191, 1 << 15, (1 << 16) - 1, 1 << 16, 1 << 22, LIMIT - 1, LIMIT]


def compiled(way, *, inside: bool):
    update = vectors.updater(way, inside=inside)

    @njit(**OPTIONS)
    def call(a, u, v, s, numbers, found):
        shift, keep_u, keep_v, threshold, bias = numbers
        goal = pointer(a), pointer(u), pointer(v), pointer(s)
        update(
            goal[0],
            goal[1],
            goal[2],
            goal[3],
            1,
            a.size // 16,
            0,
            shift,
            keep_u,
            keep_v,
            threshold,
            bias,
            pointer(found),
        )

    return call


def ways():
    """Return the ways that code for this processor may take."""
    has = {"", *processor_features()}
    return [pytest.param(way, id=feature or "doubles") for feature, way in vectors.WAYS if feature in has]


def drawn(rng: np.random.Generator, size: int, limit: int) -> np.ndarray:
    values = rng.integers(-limit, limit + 1, size)
    edges = np.array([sign * edge for edge in EDGES for sign in (1, -1) if edge <= limit])
    values[: len(edges)] = edges
    return rng.permutation(values)


@pytest.mark.parametrize("way", ways())
@pytest.mark.parametrize("inside", [False, True])
def test_vectors_equal_the_golden_neuron(way, inside):
    """Over all of the range where wraps and clips may occur, over a part of it where they cannot."""
    update, rng = compiled(way, inside=inside), np.random.default_rng(0)
    seen = np.zeros(2, np.int64)
    for du, dv, bias in [(0, 0, 0), (4096, 4096, 5), (1, 4095, -7), (1025, 512, 3), (2048, 1, 0), (4095, 2048, -1)]:
        lif = Lif(5000, du, dv, bias, bias_exponent=6)
        u, v = drawn(rng, 4096, LIMIT // 4 if inside else LIMIT), drawn(rng, 4096, LIMIT // 4 if inside else LIMIT)
        a = rng.integers(-(1 << 14), 1 << 14, 4096) if inside else rng.integers(-(1 << 18), 1 << 18, 4096)
        expected = neuron.step(lif, {"u": u, "v": v, "frozen": np.zeros_like(u)}, a[None])
        numbers = tuple(np.int32(x) for x in (6, 4096 - du, 4096 - dv, 5000 << 6, bias << 6))
        found, s = np.zeros(4, np.int64), np.zeros(4096, np.uint8)
        u, v = u.astype(np.int32), v.astype(np.int32)
        update(a.astype(np.int32), u, v, s, numbers, found)
        for name, values, right in (("u", u, expected.state["u"]), ("v", v, expected.state["v"]), ("s", s, expected.s)):
            assert np.array_equal(values, right), (name, du, dv)
        assert found[0] == np.abs(expected.state["u"]).max()
        assert found[2:].tolist() == [int(expected.wrapped.sum()), int(expected.clipped.sum())]
        seen += found[2:]
    assert inside or seen.all()


@pytest.mark.parametrize("way", ways())
def test_a_decay_is_exact_for_every_factor(way):
    """Of what u and v may be, and of u twice as large, which a single wrap can leave."""
    update = compiled(way, inside=True)
    x = np.concatenate([drawn(np.random.default_rng(1), 1000, LIMIT), [vectors.DECAYED - 1, 1 - vectors.DECAYED]])
    x = np.resize(x, 1008).astype(np.int32)
    for keep in range(4097):
        u, v, s, found = x.copy(), np.zeros_like(x), np.zeros(x.size, np.uint8), np.zeros(4, np.int64)
        numbers = tuple(np.int32(n) for n in (0, keep, 0, vectors.DECAYED, 0))
        update(np.zeros_like(x), u, v, s, numbers, found)
        product = x.astype(np.int64) * keep
        assert np.array_equal(u, np.sign(product) * (np.abs(product) >> 12)), keep

"""Networks that hypothesis draws: the golden model, the emulator and Lava's own models agree in every s, u and v.

``NEURODEPLOY_FUZZ_COUNT`` says how many networks, ``NEURODEPLOY_FUZZ_SEED`` which; ``make fuzz`` sets both. A failure
is shrunk and printed as a recipe that builds the network again.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, event, given, seed, settings

from neurodeploy.comparison import compare
from neurodeploy.errors import Unsupported
from neurodeploy.recording import Recording
from neurodeploy.simulation import simulate
from neurodeploy.targets.lava import Session

from .recipes import NEURONS, Recipe
from .strategies import recipes

COUNT = int(os.environ.get("NEURODEPLOY_FUZZ_COUNT", "200"))
SEED = int(os.environ.get("NEURODEPLOY_FUZZ_SEED", "0"))
#: From so many networks on, all that there is to draw should have been drawn.
ENOUGH = 200
EVERYTHING = ("s", "u", "v")


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with Session() as started:
        yield started


def assert_equal(recipe: Recipe, expected: Recording, found: Recording) -> None:
    """Compare every cell, and say where the first difference is."""
    assert compare(expected, found).equal, f"{found.backend}, {compare(expected, found).summary()}: {recipe}"
    for quantity in ("spikes", "u", "v"):
        for name, values in getattr(expected, quantity).items():
            differing = np.argwhere(getattr(found, quantity)[name] != values)
            assert len(differing) == 0, f"{found.backend}: {quantity} of {name} at {differing[0]}: {recipe}"
    assert (found.wraps, found.clips) == (expected.wraps, expected.clips), f"{found.backend}: {recipe}"


def on_lava(session: Session, recipe: Recipe) -> tuple[Recipe, Recording]:
    """Return Lava's recording, in chip time where early spikes would reach into the sample."""
    try:
        return recipe, session.run(*recipe.build(), EVERYTHING)
    except Unsupported as refused:
        if "before the input reaches it" not in str(refused):
            raise
        return recipe.in_chip_time(), session.run(*recipe.in_chip_time().build(), EVERYTHING)


def count(seen: Counter[str], recipe: Recipe, run: Recording) -> None:
    """Add up what a network reached."""
    synapses = [*(layer.drive for layer in recipe.layers), *(extra for _, extra in recipe.extra)]
    seen.update(
        networks=1,
        wraps=sum(run.wraps.values()),
        clips=sum(run.clips.values()),
        spikes=sum(int((s != 0).sum()) for s in run.spikes.values()),
        loops=any(extra.source >= target for target, extra in recipe.extra),
        delays=any(s.delay for s in synapses),
        sparse=any(s.kind == "sparse" for s in synapses),
        convolutions=any(layer.geometry for layer in recipe.layers),
        graded=recipe.payload > 1,
        resets=bool(recipe.reset[0]),
    )
    seen.update({layer.neuron for layer in recipe.layers})


def test_golden_emulator_and_lava_agree(session: Session) -> None:
    seen: Counter[str] = Counter()

    @seed(SEED)
    @settings(
        max_examples=COUNT,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    @given(recipes())
    def check(recipe: Recipe) -> None:
        try:
            recipe, lava = on_lava(session, recipe)
        except Unsupported as refused:
            seen["refused"] += 1
            event(f"refused: {refused.problem}")
            return
        network, spikes = recipe.build()
        golden, emulator = (simulate(network, spikes, backend, EVERYTHING) for backend in ("golden", "emulator"))
        assert_equal(recipe, golden, emulator)
        assert_equal(recipe, golden, lava)
        count(seen, recipe, golden)

    check()
    if COUNT >= ENOUGH:
        assert_reached(seen)


def assert_reached(seen: Counter[str]) -> None:
    """Hold the drawn networks to have come where the arithmetic is hard."""
    assert seen["refused"] <= COUNT / 20, f"too many networks are none that Lava runs: {seen}"
    scarce = {name: seen[name] for name in (*NEURONS, "loops", "delays", "sparse", "convolutions", "graded", "resets")}
    # No more than this: which networks a seed draws also depends on the constants that hypothesis finds in our files.
    assert all(scarce.values()), f"never drawn: {scarce}"
    plenty = {name: seen[name] for name in ("wraps", "clips", "spikes")}
    assert min(plenty.values()) > COUNT, f"the edges are not reached: {plenty}"

"""Our account of what lava-dl's loader does to dense weights, against the loader's and Lava's own functions."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest

from neurodeploy.export.netx.faults import clipped, fault
from neurodeploy.targets.lava.child import WORKER
from neurodeploy.targets.lava.environment import Environment
from neurodeploy.targets.lava.pythons import clean_environment
from tests.export.netx import files

#: Says with which values Lava runs the rows of each layer: what is summed after clipping and truncation, shifted back.
SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
import netx
import numpy as np
netx.load()
from lava.lib.dl.netx.utils import optimize_weight_bits
from lava.utils.weightutils import clip_weights, determine_sign_mode, truncate_weights
layers = np.load(sys.argv[2])
runs = {}
for name in layers.files:
    weight = layers[name]
    kept = 5 if name.endswith("rec") else weight.shape[1]
    try:
        joint, bits, exponent, _ = optimize_weight_bits(weight)
    except OverflowError:
        continue
    parts = []
    for part in (joint[:, :kept], joint[:, kept:]):
        if part.size:
            mode = determine_sign_mode(part)
            held = truncate_weights(clip_weights(part, mode, num_bits=8), mode, bits)
            parts.append(held * 2.0**exponent)
    runs[name] = np.hstack(parts)
np.savez(sys.argv[3], **runs)
"""

NAMED = {
    "non-positive, minimum a power of two": [[0, -128, -2, -64]],
    "non-positive, odd, below -128": [[0, -131, -6]],
    "inhibitory, minimum a power of two": [[-64, -3, -12]],
    "excitatory beyond 255": [[3, 300, 4]],
    "all zero": [[0, 0]],
    "mixed and odd at both ends": [[253, -255, 3, -5]],
    "mixed beyond the range": [[300, -300, 2, 1]],
}


def layers() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    drawn: dict[str, np.ndarray] = {name: np.array(weight) for name, weight in NAMED.items()}
    for index in range(300):
        first, second = rng.choice(files.KINDS, 2)
        drawn[f"{index}"] = files.weights(rng, first, 2, int(rng.integers(1, 4)))
        pair = (files.weights(rng, first, 2, 5), files.weights(rng, second, 2, 2))
        drawn[f"{index}/rec"] = np.hstack(pair)
    return drawn


def test_every_weight_runs_as_we_say(tmp_path, lava: Environment) -> None:
    drawn = layers()
    np.savez(tmp_path / "layers.npz", **drawn)
    command = [str(lava.python), "-s", "-B", "-c", SCRIPT, str(WORKER), str(tmp_path / "layers.npz")]
    subprocess.run([*command, str(tmp_path / "runs.npz")], check=True, env=clean_environment(), capture_output=True)
    runs = np.load(tmp_path / "runs.npz")
    spoiled = 0
    for name, weight in drawn.items():
        matrices = [weight[:, :5], weight[:, 5:]] if name.endswith("rec") else [weight]
        found = fault(clipped(matrices))
        if name not in runs:
            assert found is not None, name
            assert found.runs is None, name
            continue
        expected = np.hstack(clipped(matrices))
        differing = np.argwhere(runs[name] != expected)
        assert (found is None) == (len(differing) == 0), f"{name}: {found}, {weight}"
        if found is not None:
            row, column = found.place[0], found.place[1] + 5 * found.matrix
            assert found.total == len(differing), name
            assert found.runs == runs[name][row, column], name
            assert found.stored == expected[row, column] != found.runs
            spoiled += 1
    assert spoiled > 20


@pytest.mark.parametrize(
    ("weight", "says"),
    [
        ([[0, -128, -2, -64]], "weight[0, 1] is -128 and would run as -127"),
        ([[0, -131, -6]], "weight[0, 1] is -131 and would run as 0 and 1 more weights differ"),
        ([[-64, -3, -12]], "weight[0, 0] is -64 and would run as -63"),
        ([[0, 0]], "all weights are 0, which its loader cannot scale"),
    ],
)
def test_faults_in_words(weight, says) -> None:
    assert str(fault([np.array(weight)])) == says


def test_recurrent_weights_of_one_sign_vanish_beside_odd_mixed_ones() -> None:
    found = fault([np.array([[131, -77]]), np.array([[9]])])
    assert str(found) == "weight_rec[0, 0] is 9 and would run as 0"
    assert fault([np.array([[130, -78]]), np.array([[8]])]) is None


def test_sums_that_are_not_shifted_back() -> None:
    weight = [np.array([[3, -2]]), np.array([[1]])]
    assert fault(weight) is None
    found = fault(weight, shifted_back=False)
    assert found is not None
    assert found.runs == 3 * 64

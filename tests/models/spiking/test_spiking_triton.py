"""The Triton kernels: run by Triton's interpreter against the reference, and compiled for a GPU without having one."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.gpu_compilation import in_a_child
from tests.models.spiking.test_spiking_kernels import MODELS

STORED = ("*fp32", "*bf16", "*fp16")

INTERPRETED = """
import json
from dataclasses import replace
import torch
from neurodeploy.models.spiking import device, reference
from neurodeploy.models.spiking.dynamics import *
from neurodeploy.models.spiking.layer import _MultiSpike
from tests.models.spiking.test_spiking_kernels import MODELS, currents, run

found = {}
for name, dynamics in MODELS.items():
    x = currents(6, 3, 5, 2, 20)
    x = x.permute(0, 1, 3, 4, 2).contiguous().permute(0, 1, 4, 2, 3)
    (s, last, grads), (s0, last0, expected) = run(device, dynamics, x), run(reference, dynamics, x)
    errors = []
    for one, other in zip(grads, expected):
        other = torch.zeros_like(one) if other is None else other
        errors.append(float((one - other).abs().max() / (1 + other.abs().max())))
    found[name] = dict(
        spikes=float(s.mean()), equal=bool(torch.equal(s, s0) and torch.equal(last, last0)),
        layout=s.stride() == x.stride(), errors=errors
    )
x = currents(6, 4, 700).bfloat16()
dynamics = MODELS["sj"]
constants = torch.tensor(2.0), torch.tensor(1.0)
results = []
for how, dtype in ((device, torch.bfloat16), (reference, torch.float32)):
    y = x.to(dtype).requires_grad_()
    s, _ = how.sequence(dynamics, y, torch.zeros_like(y[0]), *constants)
    weights = currents(6, 4, 700, seed=2).bfloat16().to(dtype)
    results.append((s.detach().float(), torch.autograd.grad(s, y, weights)[0].float(), s.dtype))
(s, g, kind), (s0, g0, _) = results
found["bfloat16"] = dict(
    equal=bool(torch.equal(s, s0)), error=float((g - g0).abs().max() / g0.abs().max()), kind=str(kind)
)
found["from 0"] = {}
for name, dynamics in MODELS.items():
    results = []
    for how, start in ((device, None), (reference, torch.zeros(3, 7))):
        y = currents(6, 3, 7).requires_grad_()
        factor, threshold = (torch.tensor(c, requires_grad=True) for c in (dynamics.factor, dynamics.threshold))
        s, last = how.sequence(dynamics, y, start, factor, threshold)
        given = torch.autograd.grad((s * currents(6, 3, 7, seed=3)).sum(), [y, factor, threshold], allow_unused=True)
        results.append((s.detach(), last.detach(), *(torch.zeros(()) if g is None else g for g in given)))
    (s, last, *grads), (s0, last0, *expected) = results
    equal = bool(torch.equal(s, s0) and torch.equal(last, last0))
    errors = [float((g - e).abs().max() / (1 + e.abs().max())) for g, e in zip(grads, expected)]
    found["from 0"][name] = dict(equal=equal, errors=errors)
found["integers"] = {}
for dtype, cases in (
    (torch.float32, ((4, 4.0), (4, 1.0), (7, 3.0))),
    (torch.bfloat16, ((4, 4.0), (4, 1.0))),  # a quotient that bfloat16 cannot hold is cut off by the interpreter alone
):
    for most, norm in cases:
        x = torch.cat([torch.arange(-8, 40) / 4, currents(208) * 3, torch.tensor([-0.0, float("inf")])])
        x = x.reshape(3, 2, 43).to(dtype).transpose(1, 2).contiguous().transpose(1, 2)
        weights = currents(3, 2, 43, seed=5).to(dtype)
        results = []
        for how in (lambda y: device.rounded(y, most, norm), lambda y: _MultiSpike.apply(y, float(most), norm)):
            y = x.detach().requires_grad_()
            z = how(y)
            results.append((z.detach(), torch.autograd.grad(z, y, weights)[0]))
        (z, g), (z0, g0) = results
        found["integers"][f"{dtype} {most} {norm}"] = dict(
            equal=bool(torch.equal(z, z0)), gradient=bool(torch.equal(g, g0)), levels=len(z.unique()),
            kind=str(z.dtype), layout=z.stride() == x.stride(), passing=float((g != 0).float().mean())
        )
nothing = device.rounded(torch.tensor([float("nan"), 1.0]), 4, 4.0)
found["nan"] = bool(nothing.isnan()[0]) and float(nothing[1])
print(json.dumps(found))
"""


def child(script, tmp_path, **variables):
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    environment |= {"TRITON_CACHE_DIR": str(tmp_path), **variables}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def interpreted(tmp_path_factory):
    return child(INTERPRETED, tmp_path_factory.mktemp("triton"), TRITON_INTERPRET="1")


def test_every_kind_of_neuron_equals_the_reference(interpreted):
    assert len(MODELS) == 7
    for name in MODELS:
        found = interpreted[name]
        assert found["equal"], name
        assert found["layout"], name
        assert 0.02 < found["spikes"] < 0.9, name
        assert max(found["errors"][:2]) < 1e-6, name
        assert max(found["errors"][2:]) < 1e-4, name


def test_a_sequence_from_potential_0_reads_none_and_equals_the_reference(interpreted):
    assert set(interpreted["from 0"]) == set(MODELS)
    for name, found in interpreted["from 0"].items():
        assert found["equal"], name
        assert found["errors"][0] < 1e-6, name
        assert max(found["errors"][1:]) < 1e-4, name


def test_integers_and_their_gradients_have_the_bits_of_the_plain_form(interpreted):
    assert len(interpreted["integers"]) == 5
    for name, found in interpreted["integers"].items():
        most = int(name.split()[1])
        assert found["equal"], name
        assert found["gradient"], name
        assert found["layout"], name
        assert found["levels"] == most + 1, name
        assert 0.2 < found["passing"] < 0.9, name
        assert found["kind"] == name.split()[0], name
    assert interpreted["nan"] == 0.25  # what is no number is seen, its neighbour is not spoilt


def test_bfloat16_storage_changes_no_spike_and_rounds_gradients(interpreted):
    found = interpreted["bfloat16"]
    assert found["equal"]
    assert found["kind"] == "torch.bfloat16"
    assert 0 < found["error"] < 2**-6


def test_every_launch_compiles_without_fused_arithmetic_and_reads_16_bytes_at_once(tmp_path):
    kernels = in_a_child("training", tmp_path)
    loops = [kernel for kernel in kernels if kernel.name in ("forward", "backward")]
    assert {kernel.signature["kept"] for kernel in loops} == set(STORED)
    assert {kernel.signature["x"] for kernel in kernels if kernel.name == "round_forward"} == set(STORED)
    assert {kernel.constants["START"] for kernel in loops} == {"True", "False"}
    for name, constant, count in (("forward", "CHARGE", 4), ("backward", "CHARGE", 4), ("backward", "SURROGATE", 4)):
        assert len({kernel.constants[constant] for kernel in kernels if kernel.name == name}) == count
    for kernel in kernels:
        assert any(i.startswith("ld.global") for i in kernel.instructions), kernel
        assert kernel.local == 0, kernel
        if kernel.name in ("forward", "round_forward"):
            assert not [i for i in kernel.instructions if i.startswith(("fma", "mad.f", "mad.rn.f"))], kernel
        if "*fp32" in (kernel.signature.get("kept"), kernel.signature.get("x"), kernel.signature.get("grad_y")):
            assert any("v4.b32" in i for i in kernel.instructions), kernel


def test_every_launch_of_the_trained_systems_compiles(tmp_path):
    kernels = in_a_child("systems", tmp_path)
    assert {kernel.name for kernel in kernels} == {"forward", "backward", "round_forward", "round_backward"}
    for kernel in kernels:
        assert kernel.local == 0, kernel
        # Whole sequences from potential 0, whose last potential nobody asks for: nothing is read or written for either.
        if kernel.name == "backward":
            assert {kernel.constants[name] for name in ("START", "GIVEN", "INTO", "TRAINED")} == {"False"}

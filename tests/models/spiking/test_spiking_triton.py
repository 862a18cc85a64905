"""The Triton kernels: run by Triton's interpreter against the reference, and compiled for a GPU without having one."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.gpu_compilation import in_a_child

INTERPRETED = """
import json
from dataclasses import replace
import torch
from neurodeploy.models.spiking import device, reference
from neurodeploy.models.spiking.dynamics import *
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
    kinds = {name: found for name, found in interpreted.items() if name != "bfloat16"}
    assert len(kinds) == 7
    for name, found in kinds.items():
        assert found["equal"], name
        assert found["layout"], name
        assert 0.02 < found["spikes"] < 0.9, name
        assert max(found["errors"][:2]) < 1e-6, name
        assert max(found["errors"][2:]) < 1e-4, name


def test_bfloat16_storage_changes_no_spike_and_rounds_gradients(interpreted):
    found = interpreted["bfloat16"]
    assert found["equal"]
    assert found["kind"] == "torch.bfloat16"
    assert 0 < found["error"] < 2**-6


def test_every_launch_compiles_without_fused_arithmetic_and_reads_16_bytes_at_once(tmp_path):
    kernels = in_a_child("training", tmp_path)
    assert {kernel.signature["kept"] for kernel in kernels} == {"*fp32", "*bf16", "*fp16"}
    for name, constant, count in (("forward", "CHARGE", 4), ("backward", "CHARGE", 4), ("backward", "SURROGATE", 4)):
        assert len({kernel.constants[constant] for kernel in kernels if kernel.name == name}) == count
    for kernel in kernels:
        assert any(i.startswith("ld.global") for i in kernel.instructions), kernel
        assert kernel.local == 0, kernel
        if kernel.name == "forward":
            assert not [i for i in kernel.instructions if i.startswith(("fma", "mad.f", "mad.rn.f"))], kernel
        if kernel.signature["kept"] == "*fp32":
            assert any("v4.b32" in i for i in kernel.instructions), kernel

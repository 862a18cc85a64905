"""What --device cuda says where it cannot run; neither Triton nor a GPU is needed to say it."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from neurodeploy.errors import BackendMissing, UsageError
from neurodeploy.simulation import simulate
from neurodeploy.targets.emulator.cuda import device as devices
from tests.random_networks import random_network, random_spikes


@pytest.fixture(autouse=True)
def unopened(monkeypatch):
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    devices.open_device.cache_clear()
    yield
    devices.open_device.cache_clear()


def run_on_cuda():
    network = random_network(0)
    return simulate(network, random_spikes(network, 0), device="cuda")


@pytest.mark.parametrize("missing", ["torch", "triton"])
def test_names_the_package_that_is_missing(missing, monkeypatch):
    monkeypatch.setattr(devices, "find_spec", lambda name: None if name == missing else object())
    with pytest.raises(BackendMissing, match=rf"{missing} is not installed; pip install 'neurodeploy\[cuda\]'"):
        run_on_cuda()


def test_names_a_torch_without_cuda(monkeypatch):
    monkeypatch.setattr(torch.version, "cuda", None)
    with pytest.raises(BackendMissing, match="is built without CUDA; install a CUDA build of torch"):
        run_on_cuda()


def test_says_that_no_gpu_is_found(monkeypatch):
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(BackendMissing, match=r"\(CUDA 13\.0\) finds no GPU; check that nvidia-smi lists one"):
        run_on_cuda()


def test_names_a_gpu_that_is_too_old():
    old = SimpleNamespace(name="NVIDIA Elder", major=7, minor=5, multi_processor_count=40)
    with pytest.raises(BackendMissing, match=r"NVIDIA Elder has compute capability 7\.5, 8\.0 is the least"):
        devices._described(old, {})


def test_describes_a_gpu(monkeypatch):
    new = SimpleNamespace(name="NVIDIA H", major=9, minor=0, multi_processor_count=132)
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    found = devices._described(new, {"torch": "2"})
    assert (found.name, found.processors, found.interpreted) == ("cuda", 132, False)
    assert found.versions == {"torch": "2", "cuda": "13.0", "device": "NVIDIA H"}


def test_other_backends_refuse_the_device():
    network = random_network(0)
    with pytest.raises(UsageError, match="the backend golden runs on the CPU alone"):
        simulate(network, random_spikes(network, 0), "golden", device="cuda")
    with pytest.raises(UsageError, match="'tpu' is none; one of cpu, cuda"):
        simulate(network, random_spikes(network, 0), device="tpu")


def test_a_bad_input_is_refused_before_the_device_is_looked_for():
    with pytest.raises(Exception, match="holds NaN"):
        simulate(random_network(0), np.full((1, 2, *random_network(0).ports[0].shape), np.nan), device="cuda")

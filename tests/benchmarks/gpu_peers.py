"""Float32 simulators on the same GPU, stepping the same layers: what batch-1 latency is compared with.

Each is the plain use of its library: one linear or convolution layer and one neuron layer a population, a loop over the
steps around them. The neurons are leaky integrate-and-fire ones with the decays and thresholds of the workload, so the
work is like; the spikes are not ours, for floats are not integers.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import torch
from torch import nn

from neurodeploy.network import Convolution
from tests.benchmarks.workloads import CURRENT_DECAY, VOLTAGE_DECAY, Layer, Workload

ALPHA, BETA = 1 - CURRENT_DECAY / 4096, 1 - VOLTAGE_DECAY / 4096
#: A peer: (workload, device) -> a function from float32 [steps, samples, *shape] to the last layer's answer.
Peer = Callable[[Workload, str], Callable[[torch.Tensor], Any]]


def synapse(layer: Layer, device: str) -> nn.Module:
    """Return the layer's weights as a float32 module; a dense one flattens what it is given."""
    weight = torch.tensor(layer.connection.weight, dtype=torch.float32)
    if isinstance(layer.connection, Convolution):
        c = layer.connection
        module: nn.Module = nn.Conv2d(
            weight.shape[1] * c.groups, len(weight), weight.shape[2:], c.stride, c.padding, c.dilation, c.groups, False
        )
        module.weight.data = weight
    else:
        linear = nn.Linear(weight.shape[1], len(weight), bias=False)
        linear.weight.data = weight
        module = nn.Sequential(nn.Flatten(), linear)
    return module.to(device)


def stepping(
    workload: Workload, device: str, neuron: Callable[[Layer], Callable[[torch.Tensor, Any], tuple[torch.Tensor, Any]]]
) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return the loop over steps and layers; ``neuron(layer)`` is a function (input, state) -> (spikes, state)."""
    synapses = [synapse(layer, device) for layer in workload.layers]
    neurons = [neuron(layer) for layer in workload.layers]
    loops = [
        None
        if layer.recurrent is None
        else torch.tensor(layer.recurrent.weight, dtype=torch.float32, device=device).t().contiguous()
        for layer in workload.layers
    ]

    @torch.no_grad()
    def run(x: torch.Tensor) -> torch.Tensor:
        states: list[Any] = [None] * len(neurons)
        sent: list[Any] = [None] * len(neurons)
        answers = []
        for step in x:
            for i, (weights, update) in enumerate(zip(synapses, neurons, strict=True)):
                current = weights(step)
                loop = loops[i]
                if loop is not None and sent[i] is not None:
                    current = current + sent[i] @ loop
                step, states[i] = update(current, states[i])
                sent[i] = step
            answers.append(step)
        return torch.stack(answers)

    return run


def eager(workload: Workload, device: str) -> Callable[[torch.Tensor], Any]:
    """Return plain torch: the fewest operations that a float neuron with a current takes."""

    def neuron(layer: Layer) -> Callable[[torch.Tensor, Any], tuple[torch.Tensor, Any]]:
        def update(current: torch.Tensor, state: Any) -> tuple[torch.Tensor, Any]:
            u, v = state or (torch.zeros_like(current), torch.zeros_like(current))
            u = torch.add(current, u, alpha=ALPHA)
            v = torch.add(u, v, alpha=BETA)
            spikes = (v > layer.threshold).float()
            return spikes, (u, v * (1 - spikes))

        return update

    return stepping(workload, device, neuron)


def snntorch(workload: Workload, device: str) -> Callable[[torch.Tensor], Any]:
    """Return snnTorch's Synaptic neurons, reset to zero."""
    library = import_module("snntorch")

    def neuron(layer: Layer) -> Callable[[torch.Tensor, Any], tuple[torch.Tensor, Any]]:
        cell = library.Synaptic(alpha=ALPHA, beta=BETA, threshold=layer.threshold, reset_mechanism="zero").to(device)

        def update(current: torch.Tensor, state: Any) -> tuple[torch.Tensor, Any]:
            if state is None:
                state = (torch.zeros_like(current), torch.zeros_like(current))
            spikes, *new = cell(current, *state)
            return spikes, tuple(new)

        return update

    return stepping(workload, device, neuron)


def norse(workload: Workload, device: str) -> Callable[[torch.Tensor], Any]:
    """Return Norse's LIF cells, its own time constants scaled to the workload's decays."""
    library = import_module("norse.torch")

    def neuron(layer: Layer) -> Callable[[torch.Tensor, Any], tuple[torch.Tensor, Any]]:
        parameters = library.LIFParameters(
            tau_syn_inv=torch.tensor((1 - ALPHA) * 1000.0, device=device),
            tau_mem_inv=torch.tensor((1 - BETA) * 1000.0, device=device),
            v_th=torch.tensor(float(layer.threshold), device=device),
        )
        return library.LIFCell(p=parameters, dt=0.001).to(device)  # type: ignore[no-any-return]

    return stepping(workload, device, neuron)


def spikingjelly(workload: Workload, device: str) -> Callable[[torch.Tensor], Any]:
    """Return SpikingJelly's multi-step LIF nodes; without a loop all steps of a layer are given at once."""
    base = import_module("spikingjelly.activation_based.neuron")
    functional = import_module("spikingjelly.activation_based.functional")
    if any(layer.recurrent is not None for layer in workload.layers):
        raise RuntimeError("its multi-step layers have no recurrence")
    cells = [
        base.LIFNode(tau=1 / (1 - BETA), v_threshold=float(layer.threshold), step_mode="m", decay_input=False).to(
            device
        )
        for layer in workload.layers
    ]
    synapses = [synapse(layer, device) for layer in workload.layers]

    @torch.no_grad()
    def run(x: torch.Tensor) -> torch.Tensor:
        for weights, cell in zip(synapses, cells, strict=True):
            functional.reset_net(cell)
            steps, samples = x.shape[:2]
            current = weights(x.flatten(0, 1))
            x = cell(current.view(steps, samples, *current.shape[1:]))
        return x

    return run


PEERS: dict[str, Peer] = {
    "torch, step by step": eager,
    "snnTorch": snntorch,
    "Norse": norse,
    "SpikingJelly": spikingjelly,
}

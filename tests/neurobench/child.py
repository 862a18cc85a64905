"""Run NeuroBench on networks described in a JSON file: ``neurobench_child.py NETWORKS.json RESULTS.json``.

Runs in a process of its own with NeuroBench on its path, and imports nothing of neurodeploy: the description holds all.
Every neuron integrates and fires above its threshold, and is reset to zero in the same step.
"""

import json
import sys

import numpy as np
import snntorch
import torch
from neurobench.benchmarks import Benchmark
from neurobench.metrics.static import ConnectionSparsity, Footprint
from neurobench.metrics.workload import ActivationSparsity, MembraneUpdates, SynapticOperations
from neurobench.models import SNNTorchModel
from torch import nn


class Chain(nn.Module):
    """Layers and neurons in turn; answers with the last neurons' spikes and potentials."""

    def __init__(self, layers):
        super().__init__()
        modules = []
        for layer in layers:
            weight = torch.tensor(layer["weight"], dtype=torch.float32)
            if weight.ndim == 4:
                module = nn.Conv2d(
                    weight.shape[1] * layer["groups"],
                    weight.shape[0],
                    tuple(weight.shape[2:]),
                    stride=tuple(layer["stride"]),
                    padding=tuple(layer["padding"]),
                    dilation=tuple(layer["dilation"]),
                    groups=layer["groups"],
                    bias=False,
                )
            else:
                modules.append(nn.Flatten())
                module = nn.Linear(*weight.shape[::-1], bias=False)
            module.weight.data = weight
            neuron = snntorch.Leaky(
                beta=1.0, threshold=layer["threshold"], reset_mechanism="zero", reset_delay=False, init_hidden=True
            )
            modules += [module, neuron]
        self.chain = nn.Sequential(*modules)

    def reset(self):
        """Clear the potentials before each batch; snnTorch's own reset does not look into a Sequential."""
        for module in self.chain:
            if isinstance(module, snntorch.Leaky):
                module.reset_mem()

    def forward(self, x):
        """Return what one step answers."""
        spikes = self.chain(x)
        return spikes, spikes


class Arrays(nn.Module):
    """Buffers alone, for NeuroBench to weigh."""

    def __init__(self, arrays):
        super().__init__()
        for index, (dtype, shape) in enumerate(arrays):
            self.register_buffer(f"array{index}", torch.zeros(shape, dtype=getattr(torch, dtype)))

    def __net__(self):
        """Return the module as NeuroBench asks for it."""
        return self


def measure(description):
    """Return NeuroBench's results for one network."""
    inputs = torch.tensor(np.array(description["inputs"]), dtype=torch.float32)
    data = torch.utils.data.TensorDataset(inputs, torch.zeros(len(inputs)))
    loader = torch.utils.data.DataLoader(data, batch_size=description["batch"])
    model = SNNTorchModel(Chain(description["layers"]))
    workload = [ActivationSparsity, SynapticOperations, MembraneUpdates]
    with torch.no_grad():
        results = Benchmark(model, loader, [], [], [[ConnectionSparsity], workload]).run(quiet=True)
    return {**results, "Footprint": Footprint()(Arrays(description["arrays"]))}


if __name__ == "__main__":
    with open(sys.argv[1]) as stream:
        networks = json.load(stream)
    results = {name: measure(description) for name, description in networks.items()}
    with open(sys.argv[2], "w") as stream:
        json.dump(results, stream)

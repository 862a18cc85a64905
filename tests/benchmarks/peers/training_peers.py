"""Training iterations of ours and of other libraries: ``training_peers.py NAME``.

A job is a network of :mod:`training_nets` or the neuron alone. Neurons of SpikingJelly and ours are the same: tau 2,
hard reset, ATan of alpha 2, detached reset; those of others come as near as the library goes at its cheapest.
snnTorch's lets the gradient through its reset where that follows at once. An iteration is forward, cross-entropy,
backward and a step of SGD. Both memory layouts are tried and the faster one is kept.
"""

import sys
import time
from importlib import import_module
from importlib.metadata import version

import numpy as np
import torch
from serving import Job, serve
from torch import nn
from training_nets import ALONE, SIZES, Merged, data, network, plain

#: Trials of each layout before the faster is kept.
TRIALS = 3


class Loop(nn.Module):
    """A library's neuron of one step, called step by step."""

    def __init__(self, cell):
        super().__init__()
        self.cell = cell

    def forward(self, x):
        state, spikes = None, []
        for current in x:
            out, state = self.cell(current, state)
            spikes.append(out)
        return torch.stack(spikes)


class Library:
    """A library: its name, the dimension of time, and its neuron."""

    library, time = "torch", 0

    def through_reset(self):
        """Return the neuron whose reset passes the gradient on, or None."""

    def neuron(self):
        return nn.ReLU()

    def build(self, net):
        """Return the network of this name."""
        return network(net, plain(self.neuron), self.time)

    def forget(self, net):
        """Bring the network back to where a sample begins."""


class SpikingJelly(Library):
    library = "spikingjelly"

    def __init__(self):
        self.nodes = import_module("spikingjelly.activation_based.neuron")
        self.atan = import_module("spikingjelly.activation_based.surrogate").ATan
        self.reset = import_module("spikingjelly.activation_based.functional").reset_net

    def neuron(self):
        return self.nodes.LIFNode(2.0, surrogate_function=self.atan(2.0), detach_reset=True, step_mode="m")

    def forget(self, net):
        self.reset(net)


class SnnTorch(Library):
    library = "snntorch"

    def neuron(self):
        snntorch, surrogate = import_module("snntorch"), import_module("snntorch.surrogate")
        leaky = snntorch.Leaky(0.5, spike_grad=surrogate.atan(2.0), reset_mechanism="zero", reset_delay=False)
        return Loop(lambda x, v: leaky(x / 2, torch.zeros_like(x) if v is None else v))


class Norse(Library):
    library = "norse"

    def neuron(self):
        norse = import_module("norse.torch")
        return Loop(norse.LIFBoxCell(norse.LIFBoxParameters(tau_mem_inv=torch.tensor(500.0)), dt=0.001))


class Sinabs(Library):
    library, time = "sinabs", 1

    def neuron(self):
        layers, activation = import_module("sinabs.layers"), import_module("sinabs.activation")
        return layers.LIF(1.4427, spike_fn=activation.SingleSpike, reset_fn=activation.MembraneReset(), norm_input=True)

    def forget(self, net):
        for module in net.modules():
            if hasattr(module, "reset_states"):
                module.reset_states()


class Neurons(Library):
    """Ours, a neuron layer in the place of theirs."""

    library = "neurodeploy"

    def neuron(self):
        from neurodeploy.models.spiking.dynamics import spikingjelly_lif
        from neurodeploy.models.spiking.layer import SpikingNeuron

        return SpikingNeuron(spikingjelly_lif())

    def through_reset(self):
        from dataclasses import replace

        from neurodeploy.models.spiking.dynamics import spikingjelly_lif
        from neurodeploy.models.spiking.layer import SpikingNeuron

        return SpikingNeuron(replace(spikingjelly_lif(), detach_reset=False))


class Ours(Neurons):
    """Ours, each batch norm before a neuron in one node with it."""

    def build(self, net):
        from neurodeploy.models.spiking.normalized import NormalizedNeuron

        whole = super().build(net)
        for chain in [module for module in whole.modules() if type(module) is nn.Sequential]:
            for at in range(len(chain) - 1, 0, -1):
                neuron, before = chain[at], chain[at - 1]
                if hasattr(neuron, "dynamics") and isinstance(before, Merged):
                    chain[at] = NormalizedNeuron(before.layers.pop(-1), neuron.dynamics)
        return whole


class Iteration(Job):
    """One training iteration of a network."""

    def __init__(self, library, net):
        torch.manual_seed(0)
        self.library = library
        self.net = library.build(net)
        self.x, self.labels = data(net, library.time)
        self.optimizer = torch.optim.SGD(self.net.parameters(), 1e-4)
        self.layout = fastest(self)

    def arrange(self, channels_last):
        flat = self.x.flatten(0, 1)
        form = torch.channels_last if channels_last else torch.contiguous_format
        self.x = flat.contiguous(memory_format=form).unflatten(0, self.x.shape[:2])
        self.net.to(memory_format=form)

    def forward(self):
        self.library.forget(self.net)
        return nn.functional.cross_entropy(self.net(self.x), self.labels)

    def run(self):
        self.optimizer.zero_grad()
        loss = self.forward()
        loss.backward()
        self.optimizer.step()
        return loss

    def look(self, result):
        own = {p.untyped_storage().data_ptr() for p in self.net.parameters()}
        mib = kept(self.forward, own)
        return {"loss": result.item(), "kept_mib": mib, "layout": self.layout, "version": release(self.library)}


class Alone(Job):
    """Forward and backward of one neuron layer, with what it computes in a file."""

    def __init__(self, library, save):
        self.library, self.save, self.layout = library, save, "contiguous"
        steps, samples, shape = ALONE
        generator = torch.Generator().manual_seed(0)
        x, weights = (torch.randn(steps, samples, *shape, generator=generator) for _ in range(2))
        if library.time:
            x, weights = (t.transpose(0, 1).contiguous() for t in (x, weights))
        self.x, self.weights = (x + 0.5).requires_grad_(), weights
        self.net = library.neuron()

    def forward(self):
        self.library.forget(self.net)
        return self.net(self.x)

    def run(self):
        self.x.grad = None
        spikes = self.forward()
        spikes.backward(self.weights)
        return spikes

    def look(self, result):
        spikes, grad = (t.detach().transpose(0, 1) if self.library.time else t.detach() for t in (result, self.x.grad))
        arrays = {"spikes": spikes.numpy(), "grad": grad.numpy()}
        if (other := self.library.through_reset()) is not None:
            arrays["grad_through_reset"] = torch.autograd.grad(other(self.x), self.x, self.weights)[0].numpy()
        np.savez(self.save, **arrays)
        own = {self.x.untyped_storage().data_ptr()}
        facts = {"kept_mib": kept(self.forward, own), "version": release(self.library)}
        return {**facts, "layout": self.layout}


def release(library):
    return "" if library.library == "neurodeploy" else version(library.library)


def fastest(job):
    """Arrange a job in the faster memory layout; return which."""
    taken = {}
    for channels_last in (False, True):
        job.arrange(channels_last)
        job.run()
        times = []
        for _ in range(TRIALS):
            begin = time.perf_counter()
            job.run()
            times.append(time.perf_counter() - begin)
        taken[channels_last] = min(times)
    channels_last = taken[True] < taken[False]
    job.arrange(channels_last)
    return "channels_last" if channels_last else "contiguous"


def kept(forward, own):
    """Return MiB of the distinct storages kept for the backward pass, but for those in ``own``."""
    storages = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            storages[storage.data_ptr()] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        result = forward()
    del result
    return sum(storage.nbytes() for storage in storages.values()) / 2**20


LIBRARIES = {
    "ours": Ours,
    "neurons": Neurons,
    "spikingjelly": SpikingJelly,
    "snntorch": SnnTorch,
    "norse": Norse,
    "sinabs": Sinabs,
    "relu": Library,
}

if __name__ == "__main__":
    library = LIBRARIES[sys.argv[1]]()
    library.neuron()

    def make(net, save, threads):
        torch.set_num_threads(threads)
        return Iteration(library, net) if net in SIZES else Alone(library, save)

    serve(make)

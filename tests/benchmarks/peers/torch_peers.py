"""Float32 libraries on torch, each computing the layers of a workload as its own users would.

The neurons of snnTorch's Synaptic and of Norse have a synaptic current as ours do and get our decays and thresholds.
The others are plain leaky neurons; there a spike brings at once what the current would bring in all, so the thresholds
are divided by that factor and activity is alike, not equal. Imports nothing of neurodeploy: a peer may live elsewhere.

Where a layer has no loop, sinabs and SpikingJelly apply its synapses to all steps at once, as their layers do; snnTorch
and Norse go through all layers step by step. Input is float32 in the order the library wants before the clock starts.
Each computes on one thread or on all, whichever was faster in a trial.
"""

import math
import sys
from importlib import import_module
from importlib.metadata import version

import numpy as np
import torch
from serving import Job, serve
from torch import nn


class Layer:
    """One population of the file that the benchmark wrote: weights as a module, threshold, loop."""

    def __init__(self, arrays, index):
        weight = torch.tensor(arrays[f"weight{index}"], dtype=torch.float32)
        if weight.ndim == 4:
            stride, padding = (tuple(int(n) for n in arrays[f"{name}{index}"]) for name in ("stride", "padding"))
            self.synapse = nn.Conv2d(weight.shape[1], len(weight), weight.shape[2:], stride, padding, bias=False)
            self.synapse.weight.data = weight
        else:
            linear = nn.Linear(weight.shape[1], len(weight), bias=False)
            linear.weight.data = weight
            self.synapse = nn.Sequential(nn.Flatten(), linear)
        self.threshold = float(arrays[f"threshold{index}"])
        self.loop = None
        if f"recurrent{index}" in arrays:
            matrix = torch.tensor(arrays[f"recurrent{index}"], dtype=torch.float32)
            self.loop = nn.Linear(matrix.shape[1], len(matrix), bias=False)
            self.loop.weight.data = matrix


class Peer(Job):
    """A library's network; those that inherit say how it is computed. Decays are the share that a step keeps."""

    #: Whether time comes before the samples in what the library takes.
    time_first = True

    def __init__(self, data, threads):
        torch.set_grad_enabled(False)
        with np.load(data) as file:
            arrays = dict(file)
        self.keep_u, self.keep_v = float(arrays["keep_u"]), float(arrays["keep_v"])
        #: What a current brings in all, of what it brings in its first step.
        self.gain = 1 / (1 - self.keep_u)
        self.layers = [Layer(arrays, index) for index in range(int(arrays["layers"]))]
        x = torch.from_numpy(arrays["spikes"])
        self.batch = len(x)
        self.x = (x.transpose(0, 1) if self.time_first else x).float().contiguous()
        self.counts = None
        self.build()
        self.threads = min((1, threads), key=self._trial)

    def _trial(self, threads):
        """Return the seconds of a run on so many threads at best: small layers are faster on one."""
        torch.set_num_threads(threads)
        first = self.timed()[0]
        return min(first, *(self.timed()[0] for _ in range(1 if first > 1 else 4)))

    def timed(self):
        """Return the seconds of a run, on the threads that suit it, and what came out."""
        if hasattr(self, "threads"):
            torch.set_num_threads(self.threads)
        return super().timed()

    def build(self):
        """Make the library's neurons."""

    def keep(self, index, spikes):
        """Count a layer's spikes where they are asked for; not while it is timed."""
        if self.counts is not None:
            shape, before = self.counts.get(index, (list(spikes.shape), 0.0))
            self.counts[index] = shape, before + float(spikes.sum())

    def look(self, result):
        self.counts = {}
        self.run()
        found, self.counts = self.counts, None
        answer = {"shapes": [], "spikes": [found[index][1] / self.batch for index in sorted(found)]}
        answer["shapes"] = [self.one(found[index][0]) for index in sorted(found)]
        return answer | {"output": list(result.shape), "threads": self.threads, "versions": self.versions()}

    def one(self, shape):
        """Return the shape of one sample and step."""
        return shape[2:]

    def versions(self):
        """Return the versions of what computes."""
        return {name: version(name) for name in (self.library.split(".")[0], "torch")}


class Stepping(Peer):
    """Step by step through all layers; those that inherit say what a neuron does in a step, and from which library."""

    def step(self, index, current, state):
        """Return (spikes, state) of a layer."""
        raise RuntimeError("what a step is is said by those that inherit")

    def one(self, shape):
        return shape[1:]

    def run(self):
        states, sent, answers = [None] * len(self.layers), [None] * len(self.layers), []
        for spikes in self.x:
            for index, layer in enumerate(self.layers):
                current = layer.synapse(spikes)
                if layer.loop is not None and sent[index] is not None:
                    current = current + layer.loop(sent[index])
                spikes, states[index] = self.step(index, current, states[index])
                sent[index] = spikes
                self.keep(index, spikes)
            answers.append(spikes)
        return torch.stack(answers)


class SnnTorchLeaky(Stepping):
    library = "snntorch"

    def build(self):
        snntorch = import_module(self.library)
        self.cells = [
            snntorch.Leaky(self.keep_v, threshold=layer.threshold / self.gain, reset_mechanism="zero")
            for layer in self.layers
        ]

    def step(self, index, current, state):
        return self.cells[index](current, torch.zeros_like(current) if state is None else state)


class SnnTorchSynaptic(Stepping):
    library = "snntorch"

    def build(self):
        snntorch = import_module(self.library)
        self.cells = [
            snntorch.Synaptic(self.keep_u, self.keep_v, threshold=layer.threshold, reset_mechanism="zero")
            for layer in self.layers
        ]

    def step(self, index, current, state):
        if state is None:
            state = torch.zeros_like(current), torch.zeros_like(current)
        spikes, *state = self.cells[index](current, *state)
        return spikes, state


class Norse(Stepping):
    library = "norse.torch"

    def build(self):
        norse = import_module(self.library)
        # Its membrane takes of the current what it loses of itself: the threshold is in that measure.
        share_u, share_v = 1 - self.keep_u, 1 - self.keep_v
        self.cells = [
            norse.LIFCell(
                norse.LIFParameters(
                    tau_syn_inv=torch.tensor(share_u * 1000),
                    tau_mem_inv=torch.tensor(share_v * 1000),
                    v_th=torch.tensor(layer.threshold * share_v),
                ),
                dt=0.001,
            )
            for layer in self.layers
        ]

    def step(self, index, current, state):
        return self.cells[index](current, state)


class Sinabs(Peer):
    library, time_first = "sinabs.layers", False

    def build(self):
        layers, activation = import_module(self.library), import_module("sinabs.activation")
        common = {
            "tau_mem": -1 / math.log(self.keep_v),
            "spike_fn": activation.SingleSpike,
            "reset_fn": activation.MembraneReset(),
            "norm_input": False,
        }
        self.cells = []
        for layer in self.layers:
            settings = {**common, "spike_threshold": torch.tensor(layer.threshold / self.gain)}
            if layer.loop is not None:
                self.cells.append(layers.LIFRecurrent(rec_connect=layer.loop, **settings))
            else:
                self.cells.append(layers.LIF(**settings))

    def run(self):
        spikes = self.x
        samples, steps = spikes.shape[:2]
        for index, (layer, cell) in enumerate(zip(self.layers, self.cells)):  # noqa: B905  # as many
            cell.reset_states()
            spikes = cell(layer.synapse(spikes.flatten(0, 1)).unflatten(0, (samples, steps)))
            self.keep(index, spikes)
        return spikes


class SpikingJelly(Peer):
    library = "spikingjelly.activation_based.neuron"

    def build(self):
        neuron = import_module(self.library)
        self.reset = import_module("spikingjelly.activation_based.functional").reset_net
        self.cells = [
            neuron.LIFNode(
                1 / (1 - self.keep_v),
                decay_input=False,
                v_threshold=layer.threshold / self.gain,
                step_mode="m" if layer.loop is None else "s",
            ).eval()
            for layer in self.layers
        ]

    def run(self):
        spikes = self.x
        steps, samples = spikes.shape[:2]
        for index, (layer, cell) in enumerate(zip(self.layers, self.cells)):  # noqa: B905  # as many
            self.reset(cell)
            current = layer.synapse(spikes.flatten(0, 1)).unflatten(0, (steps, samples))
            spikes = cell(current) if layer.loop is None else self._around(current, layer.loop, cell)
            self.keep(index, spikes)
        return spikes

    @staticmethod
    def _around(current, loop, cell):
        """Return the spikes of a layer that hears itself: its neurons step by step."""
        sent = [cell(current[0])]
        for arriving in current[1:]:
            sent.append(cell(arriving + loop(sent[-1])))
        return torch.stack(sent)


PEERS = {
    "snntorch-leaky": SnnTorchLeaky,
    "snntorch-synaptic": SnnTorchSynaptic,
    "norse": Norse,
    "sinabs": Sinabs,
    "spikingjelly": SpikingJelly,
}

if __name__ == "__main__":
    peer = PEERS[sys.argv[1]]
    import_module(peer.library)  # before memory is looked at for the first time
    serve(peer)

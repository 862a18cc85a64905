"""nengo-loihi's emulator, given our integers block by block, so that it computes the same network spike for spike.

Its builder would choose integers of its own from a float model. The emulator underneath takes blocks of integers, and
its arithmetic is that of our neurons where nothing overflows: decays of 12 bits rounded toward zero, weights shifted by
6, a strict threshold, a reset to zero, one step a hop. What it fires is held against ours by the benchmark.
"""

import os
import time
import warnings

import numpy as np
from nengo_loihi.block import Axon, LoihiBlock, Synapse
from nengo_loihi.builder import Model
from nengo_loihi.emulator import EmulatorInterface
from nengo_loihi.inputs import SpikeInput
from serving import Job, serve

SHIFT, STATE_MAX = 6, (1 << 23) - 1


class Nengo(Job):
    """A dense workload, one sample at a time: the emulator knows no batches."""

    def __init__(self, data):
        with np.load(data) as file:
            self.arrays = dict(file)
        self.spikes = self.arrays["spikes"].reshape(*self.arrays["spikes"].shape[:2], -1)
        assert len(self.spikes) == 1, "one sample"

    def timed(self):
        """Return the seconds of the steps alone; the emulator is made anew before, without the clock."""
        emulator = EmulatorInterface(self._model(), seed=0)
        counts, began = [], time.perf_counter()
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            emulator.run_steps(self.spikes.shape[1])
        seconds = time.perf_counter() - began
        if warned:
            raise ValueError(f"the emulator warns: {warned[0].message}")
        for part in emulator.block_info.slices.values():
            counts.append(float(emulator.compartment.spike_count[part].sum()))
        return seconds, counts

    def look(self, result):
        import nengo_loihi

        shapes = [[len(self.arrays[f"weight{index}"])] for index in range(len(result))]
        return {"shapes": shapes, "spikes": result, "versions": {"nengo-loihi": nengo_loihi.__version__}}

    def _model(self):
        model, blocks = Model(), []
        for index in range(int(self.arrays["layers"])):
            blocks.append(self._block(index))
            model.add_block(blocks[-1])
        source = SpikeInput(self.spikes.shape[2])
        for t, fired in enumerate(self.spikes[0], start=1):
            source.add_spikes(t, fired.nonzero()[0])
        model.add_input(source)
        for index, block in enumerate(blocks):
            _connect(source if index == 0 else blocks[index - 1], block, self.arrays[f"weight{index}"])
            if f"recurrent{index}" in self.arrays:
                _connect(block, block, self.arrays[f"recurrent{index}"])
        return model

    def _block(self, index):
        size = len(self.arrays[f"weight{index}"])
        block = LoihiBlock(size)
        neurons = block.compartment
        decay_u, decay_v = (round(4096 * (1 - float(self.arrays[f"keep_{name}"]))) for name in "uv")
        neurons.decay_u = np.full(size, decay_u - 1, np.int32)  # the emulator adds 1
        neurons.decay_v = np.full(size, decay_v, np.int32)
        neurons.vth = np.full(size, int(self.arrays[f"threshold{index}"]) << SHIFT, np.int32)
        neurons.bias = np.zeros(size, np.int32)
        neurons.refract_delay = np.ones(size, np.int32)
        neurons.vmin, neurons.vmax = -STATE_MAX, STATE_MAX
        neurons.scale_u = neurons.scale_v = False
        return block


def _connect(source, target, weight):
    """Connect everyone with everyone by integers, int32 [target, source]."""
    synapse = Synapse(weight.shape[1])
    rows = list(weight.T.astype(np.int32) << SHIFT)
    synapse._set_weights_indices(rows, weight_dtype=np.int32, compression=3)
    target.add_synapse(synapse)
    axon = Axon(weight.shape[1])
    axon.target = synapse
    axon.set_compartment_axon_map(np.arange(weight.shape[1]))
    source.add_axon(axon)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    serve(Nengo)

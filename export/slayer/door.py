"""A checkpoint of slayer as an integer Network that equals it, beside the live module.

A module of slayer shapes some of its parameters only when it first runs, and draws them anew when it does: one run on
silence comes before the weights are loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from neurodeploy.errors import UsageError
from neurodeploy.export.factory import build
from neurodeploy.export.live import LiveNetwork
from neurodeploy.export.slayer.chain import PORT, Chain, Step, follow, kind_of, run
from neurodeploy.export.slayer.home import require_slayer
from neurodeploy.export.slayer.neurons import read_neuron
from neurodeploy.export.slayer.record import record
from neurodeploy.export.slayer.synapses import read_synapses
from neurodeploy.export.weights import fill, load_weights
from neurodeploy.network import Network, Population, Port, Projection, Shape
from neurodeploy.neurons import Lif
from neurodeploy.verify_network import verify_network

if TYPE_CHECKING:
    from neurodeploy.export.door import Request

#: Seconds of a step: slayer's sampling time of 1 is a millisecond.
DEFAULT_DT = 1e-3

#: Steps and density of the random input of a proof where nobody gives samples.
DEFAULT_STEPS = 50
DENSITY = 0.3

#: Parameters whose shape slayer settles in a run; those of norms only in training.
_LATE = ("current_decay", "voltage_decay", "delay", "running_mean", "spike_state")


def open_slayer(request: Request) -> LiveNetwork:
    """Return the network of a checkpoint, and the module that still runs it.

    Raises
    ------
    UsageError, InputError, BackendMissing, Unsupported : see :func:`neurodeploy.export.door.open_model`.
    """
    if not request.factory:
        raise UsageError("--from slayer", "weights alone say nothing of the network", "add --factory mynet:build")
    require_slayer(request.packages)
    tensors = load_weights(request.checkpoint)
    module = build(request.factory)
    shape = request.sample_shape() or first_shape(module)
    if isinstance(shape, Mapping):
        raise UsageError("--input-shape", f"names the inputs {', '.join(shape)}", "a network of slayer has one input")
    run(module, torch.zeros(1, *shape, 2))
    _settle(module, tensors)
    fill(module, tensors, request.checkpoint)
    return open_module(module, shape=shape, dt=request.dt, steps=request.steps)


def open_module(
    module: nn.Module, *, shape: Shape | None = None, dt: float | None = None, steps: int | None = None
) -> LiveNetwork:
    """Return the integer Network of a module of CUBA blocks, whose shapes have settled.

    Parameters
    ----------
    module : in evaluation mode; takes sequences [batch, ..., steps].
    shape : of one sample in one step; that of the first block if it is a layer that takes all cells and None is given.
    """
    shape = shape or first_shape(module)
    chain = follow(module, shape)
    network = _network(chain, shape, dt or DEFAULT_DT)
    verify_network(network)

    def draw(samples: int, seed: int) -> npt.NDArray[np.uint8]:
        drawn = np.random.default_rng(seed).random((samples, steps or DEFAULT_STEPS, *shape)) < DENSITY
        return drawn.astype(np.uint8)

    return LiveNetwork(network, lambda inputs: record(module, chain, inputs), draw)


def first_shape(module: nn.Module) -> Shape:
    """Return the input shape of a network whose first block with weights takes all cells.

    Raises
    ------
    UsageError : the first block is a convolution or a pool, or there is none.
    """
    for name, part in module.named_modules():
        kind = kind_of(part)
        if kind in ("Dense", "Affine", "Recurrent"):
            block: Any = part
            synapse = block.input_synapse if kind == "Recurrent" else block.synapse
            channels, *kernel = (int(synapse.in_channels), *map(int, synapse.kernel_size[:2]))
            return (channels,) if kernel == [1, 1] else (channels, *kernel)
        if kind in ("Conv", "Pool"):
            raise UsageError("--input-shape", f"the first block {name!r} takes any size", "give it, as 2,34,34")
    raise UsageError("--input-shape", "no block tells the shape of the input", "give it, as 700 or 2,34,34")


def _settle(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Give parameters that slayer shapes late the shape that they have in the checkpoint."""
    for path, part in module.named_modules():
        for name in _LATE:
            found, wanted = getattr(part, name, None), tensors.get(f"{path}.{name}" if path else name)
            if isinstance(found, Tensor) and wanted is not None and found.shape != wanted.shape:
                found.data = torch.zeros_like(wanted, dtype=found.dtype)


def _network(chain: Chain, shape: Shape, dt: float) -> Network:
    latencies = {PORT: 0}
    populations: list[Population] = []
    projections: list[Projection] = []
    for step in chain.steps:
        lag = step.arrival.lag
        latencies[step.name] = latencies[step.arrival.source] + (lag == 0)
        populations.append(_population(step, latencies[step.name]))
        projections += read_synapses(step, max(lag - 1, 0))
    return Network(
        ports=(Port(PORT, shape),),
        populations=tuple(populations),
        projections=tuple(projections),
        outputs=(chain.output,),
        dt=dt,
        provenance={"notes": list(chain.notes)},
    )


def _population(step: Step, latency: int) -> Population:
    block: Any = step.block
    kind = kind_of(block)
    if kind == "Affine" and not block.dynamics:
        summed = Lif(np.array(0), np.array(4096), np.array(4096), spiking=False)
        return Population(step.name, step.shape, summed, latency, float(block.neuron.w_scale))
    neuron = read_neuron(block.neuron, step.name, step.shape, spiking=kind != "Affine", recurrent=kind == "Recurrent")
    return Population(step.name, step.shape, neuron, latency, float(block.neuron.w_scale))

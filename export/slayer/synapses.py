"""The synapses of a slayer block as projections: its quantized weights, in the chip's integers.

Slayer quantizes to steps of two weight units, so that a weight is 8 bits and an exponent of 1. A pool adds up a window
with one weight; slayer lays all channels below each other for it, after filling up rows with zeros, and only windows
that tile the rows stay within their channel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from neurodeploy.errors import Unsupported
from neurodeploy.export.netx.schema import Numbers
from neurodeploy.export.netx.synapses import projections
from neurodeploy.export.slayer.chain import Arrival, Step, kind_of
from neurodeploy.export.slayer.neurons import whole
from neurodeploy.network import Connection, Convolution, Projection, Sparse, stored_weights


def read_synapses(step: Step, base: int) -> list[Projection]:
    """Return the projections into the neurons of a block.

    Parameters
    ----------
    base : steps that all spikes wait besides the one that every projection takes and their own delays.

    Raises
    ------
    Unsupported : weights that nothing quantizes, or a pool that mixes channels.
    """
    made = list(_READERS[kind_of(step.block) or ""](step))
    return [_packed(replace(each, delay=each.delay + base) if each.source != each.target else each) for each in made]


def _weights(step: Step, synapse: Any) -> Numbers:
    """Return the weights in weight units, without the axis of time: [out, in / groups, height, width]."""
    weight = synapse.weight if synapse.pre_hook_fx is None else synapse.pre_hook_fx(synapse.weight)
    scaled: Any = step.block.neuron
    return whole(weight[..., 0], scaled.w_scale, step.name, "its weights")


def _full(step: Step) -> Iterator[Projection]:
    """Return the projections of a layer that takes all cells, or one that is a convolution after all."""
    block: Any = step.block
    weight = _weights(step, block.synapse)
    arrival = step.arrival
    if len(step.shape) == 3:
        yield from _convolved(step, weight, block.synapse)
        return
    yield from _matrix(f"{step.name}.weight", arrival, step.name, weight.reshape(len(weight), -1))


def _matrix(name: str, arrival: Arrival, target: str, weight: Numbers) -> list[Projection]:
    delays = np.broadcast_to(arrival.delays.reshape(1, -1), weight.shape)
    return projections(name, arrival.source, target, weight, delays)


def _recurrent(step: Step) -> Iterator[Projection]:
    block: Any = step.block
    weight, back = (_weights(step, each)[:, :, 0, 0] for each in (block.input_synapse, block.recurrent_synapse))
    yield from _matrix(f"{step.name}.weight", step.arrival, step.name, weight)
    itself = Arrival(step.name, step.shape, 0, np.zeros(step.shape, np.int64))
    yield from _matrix(f"{step.name}.recurrent", itself, step.name, back)


def _convolution(step: Step) -> Iterator[Projection]:
    block: Any = step.block
    yield from _convolved(step, _weights(step, block.synapse), block.synapse)


def _convolved(step: Step, weight: Numbers, synapse: Any) -> Iterator[Projection]:
    stride, padding, dilation = (
        (int(each[0]), int(each[1])) for each in (synapse.stride, synapse.padding, synapse.dilation)
    )
    yield from _windows(step, Convolution(weight, stride, padding, dilation, synapse.groups))


def _pool(step: Step) -> Iterator[Projection]:
    """Return the sums of windows side by side.

    Where the last window is not full, a kernel of twice the size whose first half is 0 starts a window before the
    first cell: a Convolution pads both sides alike.
    """
    block: Any = step.block
    synapse, shape = block.synapse, step.arrival.shape
    kernel = (int(synapse.kernel_size[0]), int(synapse.kernel_size[1]))
    if tuple(synapse.stride[:2]) != kernel or any(synapse.padding) or set(synapse.dilation) != {1}:
        problem = "pools with a stride, padding or dilation of its own, for which slayer mixes rows of channels"
        raise Unsupported(step.name, problem, "pool windows side by side")
    if shape[0] > 1 and (shape[1] + shape[1] % kernel[0]) % kernel[0]:
        problem = f"pools {shape[1]} rows by {kernel[0]}, for which slayer mixes rows of channels"
        raise Unsupported(step.name, problem, f"make it a multiple of {kernel[0]} rows, or pool by 2")
    before = [k if n > have // k else 0 for k, n, have in zip(kernel, step.shape[1:], shape[1:], strict=True)]
    window = np.pad(_weights(step, synapse)[0, 0], [(zeros, 0) for zeros in before])
    weight = np.broadcast_to(window, (shape[0], 1, *window.shape))
    yield from _windows(step, Convolution(weight, kernel, (before[0], before[1]), groups=shape[0]))


def _windows(step: Step, connection: Convolution) -> Iterator[Projection]:
    """Return a convolution for every delay that channels of the source have."""
    weight, groups = connection.weight, connection.groups
    group = np.repeat(np.arange(groups), len(weight) // groups)  # of every output channel
    inputs = np.arange(weight.shape[1]) + weight.shape[1] * group[:, np.newaxis]
    by_channel = step.arrival.delays[:, 0, 0]
    delays = np.unique(by_channel)
    for delay in delays:
        chosen = by_channel[inputs][:, :, np.newaxis, np.newaxis] == delay
        name = f"{step.name}.weight" if len(delays) == 1 else f"{step.name}.weight.delay{delay}"
        part = replace(connection, weight=np.where(chosen, weight, 0))
        yield Projection(name, step.arrival.source, step.name, part, delay=int(delay))


def _packed(projection: Projection) -> Projection:
    """Return the projection with its weights as 8 bits and an exponent where all of them are even."""
    connection = projection.connection
    weight = stored_weights(connection)
    exponent = int(not (weight & 1).any())
    mantissa = weight >> exponent
    bits = max(8, 1 + max(int(mantissa.max(initial=0)).bit_length(), int(-1 - mantissa.min(initial=0)).bit_length()))
    held: Connection = (
        replace(connection, data=mantissa) if isinstance(connection, Sparse) else replace(connection, weight=mantissa)
    )
    return replace(projection, connection=held, weight_exponent=exponent, weight_bits=bits)


#: Block of neurons -> what reads its synapses.
_READERS: dict[str, Callable[[Step], Iterator[Projection]]] = {
    "Dense": _full,
    "Affine": _full,
    "Conv": _convolution,
    "Pool": _pool,
    "Recurrent": _recurrent,
}

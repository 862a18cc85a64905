"""Feed-forward networks for tests of mapping, counting and estimating, and what their synapses are, one by one."""

from collections.abc import Iterator

import numpy as np

from neurodeploy.network import Convolution, Dense, Network, Population, Port, Projection, Sparse
from neurodeploy.neurons import Lif

LIF = Lif(threshold=10, current_decay=0, voltage_decay=0)


def conv(out, inputs, kernel, **options):
    return Convolution(np.ones((out, inputs, kernel, kernel), dtype=np.int32), **options)


def dense(out, inputs):
    return Dense(np.ones((out, inputs), dtype=np.int32))


def sparse(out, inputs, share=0.2, seed=0):
    kept = np.random.default_rng(seed).random((out, inputs)) < share
    return Sparse.from_dense(kept.astype(np.int32))


def pool(channels, kernel):
    return conv(channels, 1, kernel, stride=(kernel, kernel), groups=channels)


def chain(shape, *connections, port=True, bits=8, neuron=LIF, outputs=None):
    """Build in -> l1 -> l2 ...; "in" is a port, or a population without input."""
    ports = (Port("in", shape),) if port else ()
    populations = [] if port else [Population("in", shape, neuron)]
    projections, source = [], "in"
    for i, connection in enumerate(connections, 1):
        is_conv = isinstance(connection, Convolution)
        out = connection.shape[0] if isinstance(connection, Sparse) else connection.weight.shape[0]
        shape = connection.output_shape(shape) if is_conv else (out,)
        populations.append(Population(f"l{i}", shape, neuron, latency=i))
        projections.append(Projection(f"{source}->l{i}", source, f"l{i}", connection, weight_bits=bits))
        source = f"l{i}"
    return Network(ports, tuple(populations), tuple(projections), outputs or (source,))


def synapses(network, projection) -> Iterator[tuple[int, int]]:
    """Yield (source neuron, target neuron) of every stored synapse, by the definition of the connection."""
    source = network.by_name[projection.source].shape
    target = network.by_name[projection.target].shape
    connection = projection.connection
    if isinstance(connection, Dense):
        yield from np.ndindex(*connection.weight.shape[::-1])
        return
    if isinstance(connection, Sparse):
        yield from zip(connection.indices.tolist(), connection.rows.tolist(), strict=True)
        return
    outs, inputs, tall, wide = connection.weight.shape
    per_group = outs // connection.groups
    for o, y, x, i, ky, kx in np.ndindex(outs, *target[1:], inputs, tall, wide):
        sy = y * connection.stride[0] - connection.padding[0] + ky * connection.dilation[0]
        sx = x * connection.stride[1] - connection.padding[1] + kx * connection.dilation[1]
        if 0 <= sy < source[1] and 0 <= sx < source[2]:
            channel = o // per_group * inputs + i
            yield (
                int(np.ravel_multi_index((channel, sy, sx), source)),
                int(np.ravel_multi_index((o, y, x), target)),
            )


def core_of(placement, name):
    """Return the core of each neuron of a population, from the boxes of the placement."""
    tiling = placement.tilings[name]
    cores = np.full(int(np.prod(tiling.extents)), -1)
    for index, core in enumerate(placement.cores):
        if core.population == name:
            cores[tiling.cells(core.box)] = index
    return cores

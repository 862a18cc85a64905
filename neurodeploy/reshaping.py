"""The same network with other shapes: fewer channels, larger strides, more groups, narrower weights.

What is cut away are the last channels, rows and columns, and the weights that reached them. The result serves to ask
what a change would save on a chip; it computes nothing anyone trained.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from neurodeploy.network import Connection, Convolution, Dense, Network, Population, Projection, Shape


def with_bits(network: Network, bits: int) -> Network:
    """Return the network with weights of at most so many bits."""
    return replace(
        network, projections=tuple(replace(p, weight_bits=min(p.weight_bits, bits)) for p in network.projections)
    )


def with_channels(network: Network, name: str, channels: int) -> Network | None:
    """Return the network with so many channels, or neurons, in a population or port; None where that cannot be told.

    A convolution in groups, and a sparse projection, need the channels they have.
    """
    shape = network.by_name[name].shape
    return _reshaped(network, {name: (channels, *shape[1:])}, {})


def with_stride(network: Network, name: str, factor: int) -> Network | None:
    """Return the network in which convolutions into a population take so many times larger strides, or None."""
    into = [p for p in network.into(name) if isinstance(p.connection, Convolution)]
    if not into:
        return None
    strides = {p.name: factor for p in into}
    return _reshaped(network, {}, strides)


def with_groups(network: Network, projection: str, groups: int) -> Network | None:
    """Return the network whose convolution is split into groups of channels, or None where they do not divide."""
    found = next(p for p in network.projections if p.name == projection)
    connection = found.connection
    if not isinstance(connection, Convolution) or connection.groups != 1:
        return None
    outputs, inputs = connection.weight.shape[:2]
    if outputs % groups or inputs % groups:
        return None
    split = replace(connection, weight=connection.weight[:, : inputs // groups], groups=groups)
    projections = tuple(replace(p, connection=split) if p is found else p for p in network.projections)
    return replace(network, projections=projections)


def _reshaped(network: Network, changed: Mapping[str, Shape], strides: Mapping[str, int]) -> Network | None:
    shapes = {port.name: changed.get(port.name, port.shape) for port in network.ports}
    shapes |= {population.name: changed.get(population.name, population.shape) for population in network.populations}
    connections: dict[str, Connection] = {}
    for population in network.order:
        into = network.into(population.name)
        for projection in into:
            connection = _cut(projection, network, shapes, strides.get(projection.name, 1))
            if connection is None:
                return None
            connections[projection.name] = connection
        found = {
            c.output_shape(shapes[p.source])
            for p in into
            if isinstance(c := connections[p.name], Convolution) and min(_plane(c, shapes[p.source])) > 0
        }
        convolved = any(isinstance(connections[p.name], Convolution) for p in into)
        if convolved and len(found) != 1:
            return None
        shapes[population.name] = found.pop() if found else shapes[population.name]
    # A dense projection was cut for the shapes its ends had when it was met: ends of feedback come later.
    for projection in network.projections:
        connection = _cut(projection, network, shapes, strides.get(projection.name, 1))
        if connection is None:
            return None
        connections[projection.name] = connection
    return replace(
        network,
        ports=tuple(replace(port, shape=shapes[port.name]) for port in network.ports),
        populations=tuple(_resized(population, shapes[population.name]) for population in network.populations),
        projections=tuple(replace(p, connection=connections[p.name]) for p in network.projections),
    )


def _plane(connection: Convolution, source: Shape) -> tuple[int, int]:
    """Return rows and columns of the output, below 1 where the kernel exceeds the source."""
    tall, wide = (
        (source[1 + i] + 2 * connection.padding[i] - connection.dilation[i] * (connection.weight.shape[2 + i] - 1) - 1)
        // connection.stride[i]
        + 1
        for i in range(2)
    )
    return tall, wide


def _cut(projection: Projection, network: Network, shapes: Mapping[str, Shape], factor: int) -> Connection | None:
    """Return the connection between the new shapes; None where its kind does not allow them."""
    connection, old = projection.connection, network.by_name[projection.source].shape
    source, target = shapes[projection.source], shapes[projection.target]
    if isinstance(connection, Convolution):
        outputs, inputs = target[0], source[0]
        if connection.groups > 1 and (outputs, inputs) != (network.by_name[projection.target].shape[0], old[0]):
            return None
        inputs = connection.weight.shape[1] if connection.groups > 1 else inputs
        stride = tuple(each * factor for each in connection.stride)
        return replace(connection, weight=connection.weight[:outputs, :inputs], stride=(stride[0], stride[1]))
    if isinstance(connection, Dense):
        rows = _kept(network.by_name[projection.target].shape, target)
        return Dense(connection.weight[rows][:, _kept(old, source)])
    unchanged = (old, network.by_name[projection.target].shape) == (source, target)
    return connection if unchanged else None


def _kept(old: Shape, new: Shape) -> np.ndarray:
    """Return which flattened cells of the old shape are left in the new one."""
    cells = np.arange(math.prod(old)).reshape(old)
    return np.asarray(cells[tuple(slice(extent) for extent in new)].reshape(-1))


def _resized(population: Population, shape: Shape) -> Population:
    if shape == population.shape:
        return population
    cut: dict[str, np.ndarray] = {}
    for name, values in population.neuron.arrays.items():
        spans = shape[len(shape) - values.ndim :]
        cut[name] = values[tuple(slice(None) if n == 1 else slice(m) for n, m in zip(values.shape, spans, strict=True))]
    neuron = replace(population.neuron, **cut)  # type: ignore[arg-type]
    return replace(population, shape=shape, neuron=neuron)

"""Writes projections for the Lava worker: which connection process each becomes, and its weights in Lava's layout."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from neurodeploy.errors import Unsupported
from neurodeploy.fixedpoint import INPUT_LIMIT, STATE_LIMIT
from neurodeploy.network import Connection, Convolution, Dense, Network, Projection, Shape, Sparse, largest_sum
from neurodeploy.targets.lava.cells import cell_order

Arrays = dict[str, npt.NDArray[Any]]

#: What Lava's Dense and Sparse keep exactly with mixed signs in nine bits.
WEIGHT_RANGE = (-256, 255)
#: Lava holds stride, padding, dilation, kernel size and groups of a convolution in signed bytes.
_GEOMETRY_MAX = 127


def write_synapses(network: Network, projection: Projection, payload: int | None) -> tuple[dict[str, Any], Arrays]:
    """Return the worker's entry for one projection and its arrays.

    Parameters
    ----------
    payload : the largest size of what its source sends, 1 for plain spikes; None where that is not known beforehand.

    Raises
    ------
    Unsupported : a weight, geometry or payload that Lava's processes would change.
    """
    source, target = (network.by_name[end].shape for end in (projection.source, projection.target))
    entry, arrays = _WRITERS[type(projection.connection)](projection, projection.connection, source, target)
    reached = largest_sum(projection.connection) * (payload or 1) << max(projection.weight_exponent, 0)
    if reached > (limit := STATE_LIMIT - 1 if entry["kind"] == "conv" else INPUT_LIMIT):
        what = f"its sums can reach {reached:,}, Lava's {entry['kind']} process holds {limit:,}"
        raise refusal(projection, what, "smaller weights, a smaller exponent or smaller payloads")
    if entry["kind"] == "conv" and projection.delay and (payload or 1) >= STATE_LIMIT:
        raise refusal(projection, f"payloads up to {payload:,} with a delay", f"stay below {STATE_LIMIT:,}")
    return {**entry, "delay": projection.delay, "imaginary": projection.imaginary}, arrays


def refusal(projection: Projection, problem: str, advice: str) -> Unsupported:
    """Return the error for a projection that Lava cannot run exactly."""
    return Unsupported(f"projection {projection.name!r}", problem, f"{advice}; --backend emulator runs it as it is")


def _nine_bits(projection: Projection, weight: npt.NDArray[Any]) -> tuple[npt.NDArray[np.int32], int]:
    """Return the weights and the exponent with what exceeds nine bits moved from the one into the other."""
    weight, exponent = weight.astype(np.int32), projection.weight_exponent
    low, high = WEIGHT_RANGE
    while weight.min(initial=0) < low or weight.max(initial=0) > high:
        if (weight & 1).any():
            found = f"weights {weight.min()} to {weight.max()}, Lava's Dense holds {low} to {high}"
            raise refusal(projection, found, "quantize to 8 bits and a weight exponent")
        weight, exponent = weight >> 1, exponent + 1
    return weight, exponent


def _dense(projection: Projection, connection: Dense, source: Shape, target: Shape) -> tuple[dict[str, Any], Arrays]:
    weight, exponent = _nine_bits(projection, connection.weight)
    arranged = weight[cell_order(target)][:, cell_order(source)]
    work = arranged.size * (projection.delay + 1 if projection.delay else 0)
    return {"kind": "dense", "weight_exp": exponent, "multiplications": work}, {"weight": arranged}


def _sparse(projection: Projection, connection: Sparse, source: Shape, target: Shape) -> tuple[dict[str, Any], Arrays]:
    weight, exponent = _nine_bits(projection, connection.data)
    matrix = csr_matrix((weight, connection.indices, connection.indptr), shape=connection.shape)
    arranged = matrix[cell_order(target)][:, cell_order(source)]
    arranged.sort_indices()
    work = weight.size * (projection.delay + 1)
    entry = {"kind": "sparse", "weight_exp": exponent, "multiplications": work, "shape": connection.shape}
    return entry, {"weight": arranged.data, "indices": arranged.indices, "indptr": arranged.indptr}


def _convolution(
    projection: Projection, connection: Convolution, source: Shape, target: Shape
) -> tuple[dict[str, Any], Arrays]:
    weight, exponent = connection.weight.astype(np.int64), projection.weight_exponent
    # Lava's Conv ignores its exponent, so it goes into the weights.
    if exponent < 0 and (weight & ((1 << -exponent) - 1)).any():
        found = f"weight exponent {exponent}, Lava's Conv cannot round the sum of a step"
        raise refusal(projection, found, "quantize with an exponent of 0 or more")
    weight = weight << exponent if exponent >= 0 else weight >> -exponent
    pairs = {name: tuple(getattr(connection, name)) for name in ("stride", "padding", "dilation")}
    _check_bytes(projection, {**pairs, "kernel": weight.shape[2:], "groups": (connection.groups,)})
    if np.abs(weight).max(initial=0) >= STATE_LIMIT:
        raise refusal(projection, f"weights of {np.abs(weight).max():,}", f"stay below {STATE_LIMIT:,}")
    channels, height, width = source
    entry = {
        "kind": "conv",
        "weight_exp": 0,
        "input_shape": (width, height, channels),
        **{name: pair[::-1] for name, pair in pairs.items()},
        "groups": connection.groups,
        "multiplications": int(np.prod(target[1:], dtype=np.int64)) * weight.size * int(np.prod(connection.stride)),
    }
    # A true convolution over (out, width, height, in), where ours is a correlation over (out, in, height, width).
    flipped = weight[:, :, ::-1, ::-1].transpose(0, 3, 2, 1)
    return entry, {"weight": np.ascontiguousarray(flipped, dtype=np.int32)}


def _check_bytes(projection: Projection, geometry: Mapping[str, Iterable[int]]) -> None:
    for name, values in geometry.items():
        if max(values) > _GEOMETRY_MAX:
            found = f"{name} of {max(values)}, Lava's Conv holds {_GEOMETRY_MAX}"
            raise refusal(projection, found, "split the layer")


#: Connection -> what writes its entry and its arrays.
_WRITERS: dict[type[Connection], Callable[..., tuple[dict[str, Any], Arrays]]] = {
    Dense: _dense,
    Sparse: _sparse,
    Convolution: _convolution,
}

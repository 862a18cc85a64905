"""Synapses and what lies between them as torch layers: the counterpart of :mod:`neurodeploy.export.torch_layers`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.errors import Unsupported
from neurodeploy.export.torchcode.part import Part
from neurodeploy.graph import BatchNorm, Convolution, Flatten, Linear, Node, Pool, Scale, Shape


def layer(name: str, node: Node, source: Shape) -> Part | None:
    """Return a node as a layer of torch, None where it changes nothing.

    Parameters
    ----------
    source : shape of what reaches it.

    Raises
    ------
    Unsupported : torch has no layer that does this.
    """
    write = _LAYERS.get(type(node))
    if write is None:
        raise Unsupported(f"node {name!r}", f"is a {type(node).__name__}, for which torch has no layer", "replace it")
    return write(name, node, source)


def _weights(node: Linear | Convolution) -> dict[str, npt.NDArray[Any]]:
    state = {"weight": np.ascontiguousarray(node.weight, dtype=np.float32)}
    return state if node.bias is None else {**state, "bias": np.ascontiguousarray(node.bias, dtype=np.float32)}


def _linear(name: str, node: Linear, source: Shape) -> Part:
    if len(source) != 1:
        raise Unsupported(f"node {name!r}", f"reads samples of {len(source)} axes {source}", "flatten before it")
    out, into = node.weight.shape
    return Part(f"nn.Linear({into}, {out}{_bias(node)})", _weights(node))


def _bias(node: Linear | Convolution) -> str:
    return "" if node.bias is not None else ", bias=False"


def _convolution(name: str, node: Convolution, _source: Shape) -> Part:
    axes = node.weight.ndim - 2
    options = {"stride": node.stride, "padding": _padding(name, node), "dilation": node.dilation}
    plain = {"stride": (1,) * axes, "padding": (0,) * axes, "dilation": (1,) * axes}
    given = [f", {key}={_pair(value)}" for key, value in options.items() if value != plain[key]]
    if node.groups != 1:
        given.append(f", groups={node.groups}")
    out, into = node.weight.shape[0], node.weight.shape[1] * node.groups
    kernel = _pair(tuple(node.weight.shape[2:]))
    return Part(f"nn.Conv{axes}d({into}, {out}, {kernel}{''.join(given)}{_bias(node)})", _weights(node))


def _padding(name: str, node: Convolution) -> Shape | str:
    if all(before == after for before, after in node.padding):
        return tuple(before for before, _ in node.padding)
    totals = [gap * (extent - 1) for gap, extent in zip(node.dilation, node.weight.shape[2:], strict=True)]
    if all(step == 1 for step in node.stride) and node.padding == tuple((t // 2, t - t // 2) for t in totals):
        return "same"
    raise Unsupported(
        f"node {name!r}", f"pads {node.padding} before and after", "torch pads both ends alike, or 'same'"
    )


def _pair(value: Shape | str) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    plain = tuple(int(each) for each in value)
    return str(plain[0]) if len(set(plain)) == 1 else str(plain)


def _pool(_name: str, node: Pool, source: Shape) -> Part:
    axes = len(node.kernel)
    kernel, stride = _pair(node.kernel), f", stride={_pair(node.stride)}"
    padding = f", padding={_pair(node.padding)}" if any(node.padding) else ""
    if node.kind == "sum":
        channels = source[0]
        ones = np.ones((channels, 1, *node.kernel), np.float32)
        made = f"nn.Conv{axes}d({channels}, {channels}, {kernel}{stride}{padding}, groups={channels}, bias=False)"
        return Part(made, {"weight": ones})
    kind = {"average": "Avg", "max": "Max"}[node.kind]
    return Part(f"nn.{kind}Pool{axes}d({kernel}{stride}{padding})")


def _flatten(_name: str, node: Flatten, source: Shape) -> Part:
    start, end = node.start % len(source), node.end % len(source)
    last = -1 if end == len(source) - 1 else end + 1
    return Part("nn.Flatten()" if (start, last) == (0, -1) else f"nn.Flatten({start + 1}, {last})")


def _batch_norm(_name: str, node: BatchNorm, source: Shape) -> Part:
    axes = 2 if len(source) == 3 else 1
    names = {"weight": node.weight, "bias": node.bias, "running_mean": node.mean, "running_var": node.variance}
    state: dict[str, npt.NDArray[Any]] = {name: np.asarray(each, np.float32) for name, each in names.items()}
    state["num_batches_tracked"] = np.array(0, np.int64)
    return Part(f"nn.BatchNorm{axes}d({len(node.mean)}, eps={float(node.epsilon)!r})", state)


def _scale(name: str, node: Scale, _source: Shape) -> None:
    if (np.asarray(node.factor) != 1).any():
        problem, advice = "scales its input, for which torch has no layer", "fold it into the synapse beside it"
        raise Unsupported(f"node {name!r}", problem, advice)


_LAYERS: dict[type[Node], Callable[[str, Any, Shape], Part | None]] = {
    Linear: _linear,
    Convolution: _convolution,
    Pool: _pool,
    Flatten: _flatten,
    BatchNorm: _batch_norm,
    Scale: _scale,
}

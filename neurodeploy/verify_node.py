"""The rules for the values of a single node: finite, in range, and of one length where they belong together."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.errors import InputError
from neurodeploy.graph import (
    NEURON_KINDS,
    BatchNorm,
    Convolution,
    Delay,
    Input,
    Linear,
    Neuron,
    Node,
    Output,
    Pool,
    Shape,
)
from neurodeploy.shapes import fits

#: Values of one node in one step: no chip and no memory of today holds more.
MAX_VALUES = 1 << 27
#: Padding of a convolution on one side; beyond the kernel it only adds windows of nothing.
MAX_PADDING = 4096
#: Steps that a Delay may hold its input back; all of them are kept in memory.
MAX_DELAY_STEPS = 1 << 16


def verify_node(name: str, node: Node, dt: float) -> None:
    """Return if the values of ``node`` make sense for steps of ``dt`` seconds, whatever stands around it.

    Raises
    ------
    InputError : names the node, the value found, the limit and a way on.
    """
    _finite(name, node)
    for rule in NODE_RULES.get(type(node), ()):
        rule(name, node, dt)


def _finite(name: str, node: Any) -> None:
    for field in fields(node):
        values = getattr(node, field.name)
        if isinstance(values, np.ndarray) and not np.isfinite(values).all():
            known = "v_threshold" if isinstance(node, Neuron) and field.name == "threshold" else field.name
            kind = "NaN" if np.isnan(values).any() else "infinite"
            raise InputError(name, f"{known} is {kind} in {_where(~np.isfinite(values))}", "every value must be finite")


def _ports(name: str, node: Input | Output, _dt: float) -> None:
    if not node.shape or min(node.shape) < 1:
        raise InputError(name, f"its shape is {list(node.shape)}: empty, zero or negative", "sizes are at least 1")
    if math.prod(node.shape) > MAX_VALUES:
        raise InputError(
            name,
            f"its shape {list(node.shape)} has the size {math.prod(node.shape):,}",
            f"the limit is {MAX_VALUES:,} values",
        )


def _bias(name: str, node: Linear | Convolution, _dt: float) -> None:
    if isinstance(node, Linear) and node.weight.ndim != 2:
        raise InputError(name, f"its weight has the shape {list(node.weight.shape)}", "[out, in] is expected")
    if not node.weight.size:
        raise InputError(name, f"its weight has the shape {list(node.weight.shape)}, no value", "remove the node")
    if node.bias is not None and node.bias.shape != node.weight.shape[:1]:
        found, expected = list(node.bias.shape), list(node.weight.shape[:1])
        raise InputError(name, f"its bias has the shape {found}", f"one value per output is expected: {expected}")


def _convolution(name: str, node: Convolution, _dt: float) -> None:
    axes = node.weight.ndim - 2
    if axes not in (1, 2) or not len(node.stride) == len(node.dilation) == len(node.padding) == axes:
        raise InputError(
            name,
            f"its weight has the shape {list(node.weight.shape)}, its stride {list(node.stride)}",
            "1 or 2 axes each",
        )
    _at_least_one(name, stride=node.stride, dilation=node.dilation, groups=(node.groups,))
    if node.weight.shape[0] % node.groups:
        raise InputError(
            name,
            f"its {node.weight.shape[0]} output channels do not divide into groups of {node.groups}",
            "change groups",
        )
    for side in (side for pair in node.padding for side in pair):
        if not 0 <= side <= MAX_PADDING:
            raise InputError(name, f"its padding is {side}", f"0 to the limit of {MAX_PADDING} is allowed")


def _pool(name: str, node: Pool, _dt: float) -> None:
    if not len(node.kernel) == len(node.stride) == len(node.padding) or len(node.kernel) not in (1, 2):
        raise InputError(
            name, f"its kernel {list(node.kernel)} and stride {list(node.stride)} differ in length", "1 or 2 axes"
        )
    _at_least_one(name, kernel=node.kernel, stride=node.stride)
    for kernel, padding in zip(node.kernel, node.padding, strict=True):
        if not 0 <= padding <= kernel // 2:
            raise InputError(
                name, f"its padding is {padding} for a kernel of {kernel}", "at most half the kernel is allowed"
            )


def _at_least_one(name: str, **sizes: Iterable[int]) -> None:
    for what, values in sizes.items():
        for value in values:
            if value < 1:
                raise InputError(name, f"its {what} is {value}", "at least 1 is required")


def _batchnorm(name: str, node: BatchNorm, _dt: float) -> None:
    arrays = {"mean": node.mean, "variance": node.variance, "weight": node.weight, "bias": node.bias}
    if len({array.shape for array in arrays.values()}) > 1 or node.mean.ndim != 1:
        listed = ", ".join(f"{key} {list(array.shape)}" for key, array in arrays.items())
        raise InputError(name, f"its arrays differ in shape: {listed}", "one value per channel is expected")
    if (node.variance < 0).any() or not node.epsilon >= 0 or (node.variance + node.epsilon <= 0).any():
        raise InputError(name, "its variance is negative or zero", "variance + epsilon must be above 0")


def _delay(name: str, node: Delay, dt: float) -> None:
    if (node.delay < 0).any():
        raise InputError(name, f"its delay is negative: {np.min(node.delay):g}", "a delay is 0 or more seconds")
    if node.delay.size and np.max(node.delay) / dt > MAX_DELAY_STEPS:
        raise InputError(
            name,
            f"its delay of {np.max(node.delay):g} s is {np.max(node.delay) / dt:.3g} steps of {dt:g} s",
            f"the limit is {MAX_DELAY_STEPS:,} steps; is the delay in seconds, and dt right?",
        )


def _neuron_arrays(name: str, node: Neuron, _dt: float) -> None:
    if (node.tau_syn is not None, node.tau_mem is not None, node.threshold is not None) not in NEURON_KINDS:
        raise InputError(name, "has a synaptic current but no membrane time constant", "give it a tau_mem")
    if min(node.shape, default=1) < 1:
        raise InputError(name, f"its shape is {list(node.shape)}", "sizes are at least 1")
    for field, values in _constants(node):
        if not fits(values.shape, node.shape):
            raise InputError(
                name,
                f"{field} has the shape {list(values.shape)}, the neurons {list(node.shape)}",
                "give them one shape",
            )


def _time_constants(name: str, node: Neuron, dt: float) -> None:
    for field, tau in (("tau_mem", node.tau_mem), ("tau_syn", node.tau_syn)):
        if tau is None:
            continue
        low = float(np.min(tau))
        if low <= 0:
            raise InputError(
                name, f"{field} is {'zero' if low == 0 else 'negative'}: {low:g}", "it must be above 0 seconds"
            )
        # A tool that works in float32 writes tau = dt a rounding below it.
        if node.semantics.decay == "euler" and low < dt * (1 - 1e-6):
            raise InputError(
                name,
                f"{field} is {low:g} s, below dt = {dt:g} s: the Euler step is unstable",
                "give a smaller dt (--dt), or exponential decay (--semantics)",
            )


def _levels(name: str, node: Neuron, _dt: float) -> None:
    """Refuse a threshold that the membrane exceeds right after a reset: such a neuron would fire for ever."""
    if node.threshold is None:
        return
    low, semantics = float(np.min(node.threshold)), node.semantics
    sign = "negative" if low < 0 else "zero" if low == 0 else "positive"
    v_reset = np.zeros(()) if node.v_reset is None else node.v_reset
    if (above := np.broadcast_to(v_reset >= node.threshold, node.shape)).any():
        raise InputError(
            name,
            f"v_reset is {np.max(v_reset):g}, not below the threshold in {_where(above)} (lowest {low:g}, {sign})",
            "every neuron would fire again at once; lower v_reset or raise the threshold",
        )
    if low <= 0 and (semantics.reset in ("zero", "subtract") or semantics.fire == "floor-multi"):
        raise InputError(
            name,
            f"the threshold is {sign} ({low:g}) and the reset {semantics.reset!r}",
            "this reading needs a threshold above 0",
        )


def _constants(node: Neuron) -> list[tuple[str, npt.NDArray[Any]]]:
    found = ((field.name, getattr(node, field.name)) for field in fields(node))
    return [(name, values) for name, values in found if isinstance(values, np.ndarray)]


def _where(flags: npt.NDArray[np.bool_]) -> str:
    """Return in words which cells are set."""
    if flags.ndim == 0:
        return "every cell"
    first: Shape = tuple(int(index) for index in np.unravel_index(int(np.argmax(flags)), flags.shape))
    return f"{int(flags.sum()):,} of {flags.size:,} cells, the first at {list(first)}"


#: Node type -> rules for its own values.
NODE_RULES: Mapping[type, tuple[Callable[[str, Any, float], None], ...]] = {
    Input: (_ports,),
    Output: (_ports,),
    Linear: (_bias,),
    Convolution: (_bias, _convolution),
    Pool: (_pool,),
    BatchNorm: (_batchnorm,),
    Delay: (_delay,),
    Neuron: (_neuron_arrays, _time_constants, _levels),
}

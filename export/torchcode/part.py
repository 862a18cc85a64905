"""What a node becomes in generated code, and how values are written in it."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from neurodeploy.errors import Unsupported
from neurodeploy.graph import Linear, Neuron, Scale, Shape

Arrays = Mapping[str, npt.NDArray[Any]]

#: What a torch module calls its own, so that no layer may.
_TAKEN = frozenset(
    re.findall(
        r"\w+",
        "add_module apply bfloat16 buffers call_super_init children compile cpu cuda double dump_patches eval "
        "extra_repr float forward get_buffer get_extra_state get_parameter get_submodule half ipu "
        "load_state_dict modules mtia named_buffers named_children named_modules named_parameters parameters "
        "register_buffer register_module register_parameter requires_grad_ set_extra_state set_submodule "
        "share_memory state_dict to to_empty train training type xpu zero_grad self x states torch nn snn norse",
    )
)


@dataclass(frozen=True)
class Part:
    """One attribute of a generated module.

    Attributes
    ----------
    build : the expression that makes it.
    state : what the state dict holds of it, by the name after its own.
    buffers : expressions of buffers that stand beside it, by the name after its own and an underscore.
    membrane : whether the answer is the second value it returns and not the first.
    """

    build: str
    state: Arrays = field(default_factory=dict)
    buffers: Mapping[str, str] = field(default_factory=dict)
    membrane: bool = False


@dataclass(frozen=True, eq=False)
class Loop:
    """What feeds a population's spikes back to itself, and the synapse before it where one module takes both."""

    back: Linear | Scale
    feeding: Linear | None = None


class Writer(Protocol):
    """What a module such as :mod:`neurodeploy.export.torchcode.snntorch` says of its framework.

    Attributes
    ----------
    TITLE, IMPORTS : its name, and the lines that import it.
    KEEPS_STATE : whether layers keep their state themselves; else forward takes and returns it.
    FEEDS : whether a recurrent layer holds the weights of its input too.
    """

    TITLE: str
    IMPORTS: tuple[str, ...]
    KEEPS_STATE: bool
    FEEDS: bool

    def membrane_gain(self, node: Neuron, dt: float) -> npt.NDArray[np.float64]:
        """Return how many times a read-out's gain is the one that the framework gives it."""

    def neuron(self, name: str, node: Neuron, dt: float, loop: Loop | None) -> Part:
        """Return a population as a layer; raise Unsupported where the framework has none like it."""


def identifiers(names: Iterable[str]) -> dict[str, str]:
    """Return a Python name for each node, all different, and none that a torch module uses itself."""
    found: dict[str, str] = {}
    for name in names:
        wanted = re.sub(r"\W", "_", name, flags=re.ASCII) or "layer"
        wanted = f"layer_{wanted}" if wanted[0].isdigit() or wanted.startswith("_") else wanted
        while keyword.iskeyword(wanted) or wanted in _TAKEN or wanted in found.values():
            wanted = f"{wanted}_"
        found[name] = wanted
    return found


def single(values: npt.ArrayLike) -> float | None:
    """Return the one value of an array as float32 has it, None where there are several."""
    array = np.asarray(values, dtype=np.float32)
    return float(array.flat[0]) if array.size and (array == array.flat[0]).all() else None


def number(value: float) -> str:
    """Return the shortest decimal that float32 reads back as this value."""
    text = str(np.float32(value))
    return text if any(mark in text for mark in ".en") else f"{text}.0"


def tensor(values: npt.ArrayLike) -> str:
    """Return an expression for values: the number where all are equal, else a tensor that the state dict fills."""
    value = single(values)
    return number(value) if value is not None else ones(np.shape(values))


def ones(shape: Shape) -> str:
    """Return the expression for a tensor of this shape that the state dict fills."""
    return f"torch.ones({', '.join(map(str, shape))})"


def stored(values: npt.ArrayLike, shape: Shape) -> npt.NDArray[np.float32]:
    """Return values as the state dict holds what :func:`tensor` writes: a single one, or one a neuron."""
    array = np.asarray(values, dtype=np.float32)
    value = single(array)
    return np.array(value, np.float32) if value is not None else np.ascontiguousarray(np.broadcast_to(array, shape))


def require(name: str, *conditions: tuple[bool, str, str]) -> None:
    """Raise :class:`Unsupported` with the first (holds, problem, advice) that does not hold."""
    for holds, problem, advice in conditions:
        if not holds:
            raise Unsupported(f"node {name!r}", problem, advice)

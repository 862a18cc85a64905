"""The primitives of NIR 1.0.8: which fields each one stores, and which attribute of which node a field becomes.

Reader and writer work from this one table, so that what is written is what is read.
"""

from __future__ import annotations

from dataclasses import dataclass

from neurodeploy.graph import Convolution, Delay, Flatten, Input, Linear, Neuron, Output, Pool, Scale, Threshold


@dataclass(frozen=True)
class Field:
    """One dataset of a node.

    Attributes
    ----------
    name : its name in the file.
    attribute : the attribute of the node it becomes; empty where the node does not keep it.
    integer : holds whole numbers (sizes, strides), a scalar or a short vector.
    text : may also hold one text (the padding of a convolution).
    default : the value where the field is absent and that was always allowed; None where it must be there.
    note : absence is worth telling, for another meaning is possible.
    """

    name: str
    attribute: str = ""
    integer: bool = False
    text: bool = False
    default: float | None = None
    note: bool = False

    def __post_init__(self) -> None:
        if not self.attribute:
            object.__setattr__(self, "attribute", self.name)


@dataclass(frozen=True)
class Primitive:
    """A NIR node type: the node class it becomes and its fields, in the order of the NIR class.

    Attributes
    ----------
    axes : number of spatial axes, where the type fixes it.
    fixed : further constructor arguments that the type implies.
    """

    node: type
    fields: tuple[Field, ...]
    axes: int = 0
    fixed: tuple[tuple[str, str], ...] = ()

    def field(self, name: str) -> Field | None:
        """Return the field of this name, or None."""
        return next((field for field in self.fields if field.name == name), None)


_R = Field("r")
_TAU = Field("tau", "tau_mem")
_TAU_MEM = Field("tau_mem")
_TAU_SYN = Field("tau_syn")
_V_LEAK = Field("v_leak")
_THRESHOLD = Field("v_threshold", "threshold")
# Files before NIR 1.0 have no v_reset; their tools reset to zero, or by subtraction.
_V_RESET = Field("v_reset", default=0.0, note=True)
_W_IN = Field("w_in", default=1.0)

_WEIGHT, _BIAS = Field("weight"), Field("bias")


def _convolution(axes: int) -> Primitive:
    fields = (
        # NIR needs it to type a node; here it follows from the node before, and is only compared.
        Field("input_shape", integer=True, default=0.0),
        _WEIGHT,
        Field("stride", integer=True),
        Field("padding", integer=True, text=True),
        Field("dilation", integer=True),
        Field("groups", integer=True),
        _BIAS,
    )
    return Primitive(Convolution, fields, axes)


def _pool(kind: str) -> Primitive:
    fields = (
        Field("kernel_size", "kernel", integer=True),
        Field("stride", integer=True),
        Field("padding", integer=True),
    )
    return Primitive(Pool, fields, 2, (("kind", kind),))


#: NIR type -> primitive. Nested graphs are taken apart before this table is asked.
PRIMITIVES: dict[str, Primitive] = {
    "Input": Primitive(Input, (Field("shape", integer=True),)),
    "Output": Primitive(Output, (Field("shape", integer=True),)),
    "Affine": Primitive(Linear, (_WEIGHT, _BIAS)),
    "Linear": Primitive(Linear, (_WEIGHT,)),
    "Scale": Primitive(Scale, (Field("scale", "factor"),)),
    "Threshold": Primitive(Threshold, (Field("threshold"),)),
    "Delay": Primitive(Delay, (Field("delay"),)),
    "Conv1d": _convolution(1),
    "Conv2d": _convolution(2),
    "SumPool2d": _pool("sum"),
    "AvgPool2d": _pool("average"),
    "Flatten": Primitive(
        Flatten,
        (
            Field("input_type", integer=True, default=0.0),
            Field("start_dim", "start", integer=True, default=1.0),
            Field("end_dim", "end", integer=True, default=-1.0),
        ),
    ),
    "LIF": Primitive(Neuron, (_TAU, _R, _V_LEAK, _THRESHOLD, _V_RESET)),
    "CubaLIF": Primitive(Neuron, (_TAU_SYN, _TAU_MEM, _R, _V_LEAK, _THRESHOLD, _V_RESET, _W_IN)),
    "LI": Primitive(Neuron, (_TAU, _R, _V_LEAK)),
    "CubaLI": Primitive(Neuron, (_TAU_SYN, _TAU_MEM, _R, _V_LEAK, _W_IN)),
    "IF": Primitive(Neuron, (_R, _THRESHOLD, _V_RESET)),
    "I": Primitive(Neuron, (_R,)),
}

#: What nir 1.0.8 writes into ``version``; every 1.x reads it.
VERSION = "1.0.8"
#: The newest major version whose files are known.
KNOWN_MAJOR = 1
